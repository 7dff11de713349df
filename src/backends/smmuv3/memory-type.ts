// Memory attributes in ten bits: the type as a MAIR byte in [7:0], shareability as SH[1:0] in [9:8], as GATOS_PAR has them.
// A MAIR byte tells apart all that the architecture does: hints belong to cacheable levels only, and what allocates on
// neither read nor write is not transient (§13.1.7); so the ten bits lose nothing. CD.AIE is not modelled.
// Source: IHI 0070G.b §13.1, §13.4, §5.4 (MAIR0), §3.23.1; DDI 0487 D8.6.

import { ALLOCCFG, DEVICE_TYPES, MAIR_LEVEL, S2_CACHEABILITY, S2_FWB, SH, SHCFG } from "../../spec/encodings.ts";
import type { MemoryAttributes } from "./transaction.ts";

const { NON_CACHEABLE, NON_TRANSIENT, WRITE_BACK, READ_ALLOCATE, WRITE_ALLOCATE } = MAIR_LEVEL;
const NORMAL_NON_CACHEABLE = (NON_CACHEABLE << 4) | NON_CACHEABLE;
const HINTS = READ_ALLOCATE | WRITE_ALLOCATE;
/** What a level is taken to ask for that cannot say: allocate, not transient. Source: §13.1.4; DDI 0487 D8.6.3. */
const NO_HINTS = NON_TRANSIENT | HINTS;
const LEVEL = 0xf;
const TYPE = 0xff;
const SH_SHIFT = 8;
const S2_SH_SHIFT = 4;

/** A MAIR byte of a CD without its reserved values. Source: §5.4, MAIR0. */
export function memoryTypeOf(attr: number): number {
  if (attr >>> 4 === 0) return attr & 0b1100;
  return (attr & LEVEL) === 0 ? attr | HINTS : attr; // inner Write-Through, transient, allocating
}

/** A type and SH[1:0] as ten bits: Device and Non-cacheable memory is Outer Shareable. Source: §13.1.7. */
export function memoryAttributes(type: number, sh: number): number {
  const isFixed = type >>> 4 === 0 || type === NORMAL_NON_CACHEABLE;
  return type | ((isFixed ? SH.OUTER : shareable(sh)) << SH_SHIFT);
}

/** The reserved SH value is Non-shareable, as §5.4 (SH0) has it for table accesses. */
function shareable(sh: number): number {
  return sh === 0b01 ? SH.NON_SHAREABLE : sh;
}

function wider(one: number, other: number): number {
  if (one === SH.OUTER || other === SH.OUTER) return SH.OUTER;
  return one === SH.NON_SHAREABLE ? other : one;
}

/**
 * Attributes of stage 1 leaves, by stage1AttributeIndex().
 *
 * @param fixedSH  CD.SHx where descriptors have no SH (CD.DS); undefined: the leaf's
 * Source: §5.4 (MAIR0, DS); DDI 0487 D8.6.1, D8.6.2.
 */
export function stage1AttributeTable(mair0: number, mair1: number, fixedSH: number | undefined): Uint16Array {
  return Uint16Array.from({ length: 32 }, (_, index) => {
    const byte = ((index & 4) === 0 ? mair0 : mair1) >>> (8 * (index & 3));
    return memoryAttributes(memoryTypeOf(byte & 0xff), fixedSH ?? index >>> 3);
  });
}

/** AttrIndx[2:0] and SH[1:0] of a leaf's low word. */
export function stage1AttributeIndex(lo: number): number {
  return ((lo >>> 2) & 7) | ((lo >>> 5) & 0x18);
}

export interface Stage2Encoding {
  readonly fwb: boolean;
  /** IDR3.MTEPERM: MemAttr 0b0100 is Write-Back that the PE may not tag. Source: §3.23.1. */
  readonly mtePerm: boolean;
  /** STE.S2SH0 where descriptors have no SH (STE.S2DS); undefined: the leaf's. */
  readonly fixedSH: number | undefined;
}

/**
 * MemAttr in [3:0] and SH in [5:4] of stage 2 leaves without reserved values, by stage2AttributeIndex().
 * A reserved MemAttr may act as any that is not: here it stays Normal, with a Non-cacheable inner level.
 * Source: DDI 0487 D8.6.5 to D8.6.7.
 */
export function stage2AttributeTable({ fwb, mtePerm, fixedSH }: Stage2Encoding): Uint8Array {
  return Uint8Array.from({ length: 64 }, (_, index) => {
    const memAttr = fwb ? forcingMemAttr(index & 7) : plainMemAttr(index & 0xf, mtePerm);
    return memAttr | (shareable(fixedSH ?? index >>> S2_SH_SHIFT) << S2_SH_SHIFT);
  });
}

/** MemAttr[3:0] and SH[1:0] of a leaf's low word. */
export function stage2AttributeIndex(lo: number): number {
  return ((lo >>> 2) & 0xf) | ((lo >>> 4) & 0x30);
}

function plainMemAttr(memAttr: number, mtePerm: boolean): number {
  if (memAttr >>> 2 === 0 || (memAttr & 3) !== 0) return memAttr;
  return mtePerm && memAttr === 0b0100 ? 0b1111 : memAttr | S2_CACHEABILITY.NON_CACHEABLE;
}

function forcingMemAttr(memAttr: number): number {
  return memAttr === 0b100 ? S2_FWB.NON_CACHEABLE : memAttr;
}

/**
 * What stage 2 makes of the attributes it is given, stage 1's or the transaction's.
 *
 * @param input  ten bits; Device and Non-cacheable input counts as Outer Shareable, a choice of DDI 0487 D8.6.2
 * @param stage2  an entry of stage2AttributeTable()
 * Source: §13.1.5, §13.1.6; DDI 0487 D8.6.5 to D8.6.7.
 */
export function combineStages(input: number, stage2: number, fwb: boolean): number {
  const found = TYPES[(input & TYPE) | ((stage2 & 0xf) << 8) | (fwb ? FWB_TYPES : 0)]!;
  return found >= FIXED ? found & ~FIXED : found | WIDER[(input >>> SH_SHIFT) | ((stage2 >>> S2_SH_SHIFT) << 2)]!;
}

const FIXED = 1 << 10;
const FWB_TYPES = 1 << 12;
/** What a type becomes under a MemAttr, each with and without FWB; with its shareability and FIXED where it has no choice. */
const TYPES = Uint16Array.from({ length: 2 * FWB_TYPES }, (_, index) => {
  const memAttr = (index >>> 8) & 0xf;
  const type = index < FWB_TYPES ? combinedType(index & TYPE, memAttr) : forcedType(index & TYPE, memAttr);
  const attributes = memoryAttributes(type, SH.NON_SHAREABLE);
  return attributes === type ? type : attributes | FIXED;
});
/** The wider of two shareabilities, in place. */
const WIDER = Uint16Array.from({ length: 16 }, (_, index) => wider(index & 3, index >>> 2) << SH_SHIFT);

/** Device before Normal, then the least of each property. Source: DDI 0487 D8.6.5.1, D8.6.5.2. */
function combinedType(type: number, memAttr: number): number {
  if (memAttr >>> 2 === 0) return combinedDevice(type, memAttr);
  if (type >>> 4 === 0) return type;
  return (combinedLevel(type >>> 4, memAttr >>> 2) << 4) | combinedLevel(type & LEVEL, memAttr & 3);
}

/** Each Device type allows all that the one before it allows, and more. */
function combinedDevice(type: number, memAttr: number): number {
  const device = memAttr << 2;
  return type >>> 4 === 0 && type < device ? type : device;
}

function combinedLevel(level: number, cacheability: number): number {
  if (level === NON_CACHEABLE || cacheability === S2_CACHEABILITY.NON_CACHEABLE) return NON_CACHEABLE;
  return cacheability === S2_CACHEABILITY.WRITE_THROUGH ? level & ~WRITE_BACK : level;
}

/** Source: DDI 0487 D8.6.6: Device combines, the rest of MemAttr overrides. */
function forcedType(type: number, memAttr: number): number {
  if (memAttr < 0b100) return combinedDevice(type, memAttr);
  if (memAttr === S2_FWB.STAGE1) return type;
  const isDevice = type >>> 4 === 0;
  if (memAttr === S2_FWB.NON_CACHEABLE) return isDevice ? type : NORMAL_NON_CACHEABLE;
  if (isDevice) return ((NO_HINTS | WRITE_BACK) << 4) | NO_HINTS | WRITE_BACK;
  return (writeBack(type >>> 4) << 4) | writeBack(type & LEVEL);
}

/** A level made Write-Back: the hints are stage 1's where it had any. Source: DDI 0487 D8.6.6. */
function writeBack(level: number): number {
  return (level === NON_CACHEABLE ? NO_HINTS : level) | WRITE_BACK;
}

/**
 * Allocation hints that came with the transaction, on those of stage 1: no-allocate and transient win.
 *
 * @param attributes  as the tables give them, both stages included: stage 2 has no hints and passes them on
 * @param input  the transaction's, after overrides
 * Source: §13.4.2.
 */
export function combineHints(attributes: number, input: number): number {
  const type = attributes & TYPE;
  if (type >>> 4 === 0 || ((input >>> 4) & LEVEL) === 0) return attributes;
  const outer = hintedLevel(type >>> 4, (input >>> 4) & LEVEL);
  return (attributes & ~TYPE) | (outer << 4) | hintedLevel(type & LEVEL, input & LEVEL);
}

function hintedLevel(level: number, input: number): number {
  if (level === NON_CACHEABLE || input === NON_CACHEABLE) return level;
  return cacheableLevel(level & WRITE_BACK, level & input & HINTS, (level & input & NON_TRANSIENT) === 0);
}

/** A cacheable level; one that never allocates is not transient. Source: §13.1.7. */
function cacheableLevel(writeBackBit: number, hints: number, isTransient: boolean): number {
  return writeBackBit | hints | (isTransient && hints !== 0 ? 0 : NON_TRANSIENT);
}

/** The fields of an STE, or of GBPA, that replace what comes with a transaction. */
export interface InputOverride {
  readonly MTCFG: number;
  readonly MemAttr: number;
  readonly ALLOCCFG: number;
  readonly SHCFG: number;
}

/** The type of an input after MTCFG and ALLOCCFG, its shareability after SHCFG. Source: §13.1.3, §13.1.4, §5.2. */
export function overrideInput(input: number, override: InputOverride): number {
  const replaced = override.MTCFG === 1 ? replacedType(input & TYPE, override.MemAttr) : input & TYPE;
  const type = (override.ALLOCCFG & ALLOCCFG.OVERRIDE) === 0 ? replaced : allocatedType(replaced, override.ALLOCCFG);
  return memoryAttributes(type, override.SHCFG === SHCFG.INCOMING ? input >>> SH_SHIFT : override.SHCFG);
}

/** Reserved values are Device-nGnRnE here, other than in descriptors. Source: §5.2, MemAttr. */
function replacedType(type: number, memAttr: number): number {
  if (memAttr >>> 2 === 0) return memAttr << 2;
  if ((memAttr & 3) === 0) return 0;
  const isDevice = type >>> 4 === 0;
  const outer = replacedLevel(isDevice ? NON_CACHEABLE : type >>> 4, memAttr >>> 2);
  return (outer << 4) | replacedLevel(isDevice ? NON_CACHEABLE : type & LEVEL, memAttr & 3);
}

function replacedLevel(level: number, cacheability: number): number {
  if (cacheability === S2_CACHEABILITY.NON_CACHEABLE) return NON_CACHEABLE;
  const hints = level === NON_CACHEABLE ? NO_HINTS : level & NO_HINTS;
  return cacheability === S2_CACHEABILITY.WRITE_BACK ? hints | WRITE_BACK : hints;
}

/** ALLOCCFG 0b1RWT on every cacheable level. With MTCFG=0 it need not count (§5.2); here it does. */
function allocatedType(type: number, alloccfg: number): number {
  if (type >>> 4 === 0) return type;
  const read = (alloccfg & ALLOCCFG.READ_ALLOCATE) === 0 ? 0 : READ_ALLOCATE;
  const hints = read | ((alloccfg & ALLOCCFG.WRITE_ALLOCATE) === 0 ? 0 : WRITE_ALLOCATE);
  const isTransient = (alloccfg & ALLOCCFG.TRANSIENT) !== 0;
  const level = (from: number): number =>
    from === NON_CACHEABLE ? from : cacheableLevel(from & WRITE_BACK, hints, isTransient);
  return (level(type >>> 4) << 4) | level(type & LEVEL);
}

/** Ten bits without reserved values: what comes with a transaction may be anything. */
export function canonicalAttributes(attributes: number): number {
  return memoryAttributes(memoryTypeOf(attributes & TYPE), (attributes >>> SH_SHIFT) & 3);
}

/** What enters the first stage, or goes out where there is none. @param conveyed undefined: nothing was */
export function inputAttributes(conveyed: number | undefined, override: InputOverride | undefined): number {
  const input = conveyed === undefined ? DEFAULT_ATTRIBUTES : canonicalAttributes(conveyed);
  return override === undefined ? input : overrideInput(input, override);
}

/**
 * What the SMMU supplies where an interconnect says nothing: Normal iWB-oWB, allocate, Non-shareable. A PCIe Root Complex
 * does say something (§13.6.1): whoever plays one gives its transactions PCIE_ATTRIBUTES. Source: §13.1.3.
 */
export const DEFAULT_ATTRIBUTES = memoryAttributes(0xff, SH.NON_SHAREABLE);

/** Cacheable and shared: SBSA leaves Inner and Outer open, and no cache stands outside the simulated inner domain. */
export const PCIE_ATTRIBUTES = memoryAttributes(0xff, SH.INNER);

const described: (MemoryAttributes | undefined)[] = new Array(1 << 10);

/** The ten bits in the architecture's words; one object for each value there is. */
export function describeAttributes(attributes: number): MemoryAttributes {
  return (described[attributes] ??= Object.freeze(describe(attributes)));
}

function describe(attributes: number): MemoryAttributes {
  const type = attributes & TYPE;
  const sh = attributes >>> SH_SHIFT;
  const shareability = sh === SH.OUTER ? "OSH" : sh === SH.INNER ? "ISH" : "NSH";
  if (type >>> 4 === 0) return { memoryType: DEVICE_TYPES[type >>> 2]!, shareability, allocation: "" };
  const [inner, outer] = [type & LEVEL, type >>> 4];
  const hints = [allocationOf("i", inner), allocationOf("o", outer)].filter((text) => text !== "");
  const memoryType = `Normal-i${cacheabilityOf(inner)}-o${cacheabilityOf(outer)}`;
  return { memoryType, shareability, allocation: hints.join("-") };
}

function cacheabilityOf(level: number): "NC" | "WT" | "WB" {
  if (level === NON_CACHEABLE) return "NC";
  return (level & WRITE_BACK) === 0 ? "WT" : "WB";
}

function allocationOf(which: "i" | "o", level: number): string {
  if (level === NON_CACHEABLE) return "";
  const no = (bit: number): string => ((level & bit) === 0 ? "n" : "");
  return `${which}${no(READ_ALLOCATE)}RA${no(WRITE_ALLOCATE)}WA${(level & NON_TRANSIENT) === 0 ? "" : "n"}TR`;
}
