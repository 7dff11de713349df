// From a StreamID to its STE, and whether the STE is legal.
// Source: IHI 0070G.b §3.3.2, §5.1, §5.2, §5.2.2.

import { L1STD } from "../../../spec/l1std.ts";
import { get, getU64, wordsOf } from "../../../spec/layout.ts";
import { CR2, STRTAB_BASE, STRTAB_BASE_CFG } from "../../../spec/registers.ts";
import { STE } from "../../../spec/ste.ts";
import { aligned, bits, pow2 } from "./bits.ts";
import { addressBits, type Implementation, isEndianSupported } from "./implementation.ts";
import { isStage2StartLegal, stage2PageBits } from "./stage2-start.ts";
import { fail, fieldsOf, type Trace } from "./trace.ts";

export interface StreamRegisters {
  readonly strtabBase: bigint;
  readonly strtabBaseCfg: number;
  readonly cr2: number;
}

export type SteReader = (name: keyof typeof STE) => bigint;

/** Finds and reads the STE. */
export function lookupStreamEntry(
  trace: Trace,
  implementation: Implementation,
  registers: StreamRegisters,
  streamID: number,
): SteReader {
  const pa = steAddress(trace, implementation, registers, streamID);
  const raw = trace.readMany(pa, 8);
  if (raw === undefined) return fail({ type: "F_STE_FETCH", fetchAddress: Number(pa) });
  trace.add({
    structure: "STE",
    pa,
    raw,
    fields: fieldsOf(raw, STE),
    why: `stream 0x${streamID.toString(16)} has its configuration here`,
    section: "§5.2",
  });
  const words = wordsOf(raw);
  return (name) => getU64(words, 0, STE[name]);
}

function steAddress(
  trace: Trace,
  implementation: Implementation,
  registers: StreamRegisters,
  streamID: number,
): bigint {
  const cfg = Uint32Array.of(registers.strtabBaseCfg);
  const programmed = get(cfg, 0, STRTAB_BASE_CFG.LOG2SIZE); // what the base is aligned by, whatever SIDSIZE is (§6.3.24)
  const log2size = Math.min(programmed, implementation.idr1("SIDSIZE"));
  const base = getU64(wordsOf([registers.strtabBase]), 0, STRTAB_BASE.ADDR) * 64n;
  const isTwoLevel = get(cfg, 0, STRTAB_BASE_CFG.FMT) === 1 && implementation.idr0("ST_LEVEL") !== 0;
  const sid = BigInt(streamID);
  const inTable = sid < pow2(log2size);
  trace.add({
    structure: "STRTAB_BASE and STRTAB_BASE_CFG",
    raw: [registers.strtabBase, BigInt(registers.strtabBaseCfg)],
    fields: { base, LOG2SIZE: BigInt(log2size), StreamID: sid },
    why: inTable
      ? `the ${isTwoLevel ? "two-level" : "linear"} Stream table covers this StreamID`
      : "the StreamID is beyond the Stream table: C_BAD_STREAMID",
    section: "§3.3.2, §6.3.25",
  });
  if (!inTable) fail({ type: "C_BAD_STREAMID" });
  if (!isTwoLevel) return aligned(base, programmed + 6) + sid * 64n;

  const split = [6, 8, 10].find((each) => each === get(cfg, 0, STRTAB_BASE_CFG.SPLIT)) ?? 6;
  const l1Bits = Math.max(programmed - split, 0);
  const pa = aligned(base, Math.max(l1Bits + 3, 6)) + (sid >> BigInt(split)) * 8n;
  const raw = trace.read64(pa);
  if (raw === undefined) return fail({ type: "F_STE_FETCH", fetchAddress: Number(pa) });
  const span = Number(bits(raw, 4, 0));
  const index = bits(sid, split - 1, 0);
  const legal = span >= 1 && span <= 11 && span <= split + 1 && index < pow2(span - 1);
  trace.add({
    structure: "L1STD",
    pa,
    raw: [raw],
    fields: fieldsOf([raw], L1STD),
    why: legal
      ? `its second level has ${pow2(span - 1)} STEs, of which number ${index} is meant`
      : "Span is invalid or does not reach this StreamID: C_BAD_STREAMID",
    section: "§5.1",
  });
  if (!legal) fail({ type: "C_BAD_STREAMID" });
  return aligned(bits(raw, 55, 6) * 64n, Math.max(span - 1 + 6, 6)) + index * 64n;
}

export type StreamWorld = "EL1" | "EL2" | "EL2-E2H";

/** STRW counts only for a stage-1-only stream on an SMMU with EL2 contexts. Source: §5.2. */
function isStrwUsed(ste: SteReader, implementation: Implementation): boolean {
  return ste("Config") === 0b101n && implementation.idr0("S1P") === 1 && implementation.idr0("Hyp") === 1;
}

export function streamWorldOf(ste: SteReader, implementation: Implementation, cr2: number): StreamWorld {
  if (!isStrwUsed(ste, implementation) || ste("STRW") !== 0b10n) return "EL1";
  return get(Uint32Array.of(cr2), 0, CR2.E2H) === 1 ? "EL2-E2H" : "EL2";
}

function isAboveEL1(ste: SteReader, implementation: Implementation): boolean {
  return isStrwUsed(ste, implementation) && ste("STRW") !== 0n;
}

/** log2 of the number of CDs; 0: one CD and no substreams. Source: §5.2 S1CDMax. */
export function substreamBits(ste: SteReader, implementation: Implementation): number {
  return implementation.idr1("SSIDSIZE") === 0 ? 0 : Number(ste("S1CDMax"));
}

/** Why the STE is illegal (C_BAD_STE), or undefined. Source: §5.2.2. */
export function illegalSte(ste: SteReader, implementation: Implementation): string | undefined {
  if (ste("V") === 0n) return "V is 0";
  const config = ste("Config");
  if (config < 0b100n) return undefined;
  const hasStage1 = config === 0b101n || config === 0b111n;
  const hasStage2 = config === 0b110n || config === 0b111n;
  if (hasStage1 && implementation.idr0("S1P") === 0) return "Config asks for stage 1, which is not implemented";
  if (hasStage2 && implementation.idr0("S2P") === 0) return "Config asks for stage 2, which is not implemented";
  if (isStrwUsed(ste, implementation) && ste("STRW") % 2n === 1n) return "STRW is reserved";
  // S2VMID tags the TLB entries of an EL1 stream without stage 2 as well
  const isTagged = hasStage2 || (hasStage1 && implementation.idr0("S2P") === 1 && !isAboveEL1(ste, implementation));
  if (isTagged && ste("S2VMID") >= 256n && implementation.idr0("VMID16") === 0)
    return "S2VMID has 16 bits without VMID16";
  return (
    illegalAts(ste, implementation) ??
    (hasStage1 ? illegalStage1(ste, implementation) : undefined) ??
    (hasStage2 ? illegalStage2(ste, implementation) : undefined)
  );
}

function illegalAts(ste: SteReader, implementation: Implementation): string | undefined {
  const config = ste("Config");
  if (implementation.idr0("ATS") === 0 || config === 0b100n) return undefined;
  const stalls2 = config >= 0b110n && ste("S2S") === 1n;
  switch (ste("EATS")) {
    case 1n:
      return stalls2 ? "EATS=1 with S2S=1" : undefined;
    case 2n: {
      const isPossible = config === 0b111n && !stalls2 && implementation.idr0("NS1ATS") === 0;
      return isPossible ? undefined : "EATS=2 needs both stages, no stage 2 stalls and NS1ATS=0";
    }
    case 3n: {
      const isEL1 = !isAboveEL1(ste, implementation);
      return implementation.idr3("DPT") && (!isEL1 || stalls2) ? "EATS=3 outside EL1 or with S2S=1" : undefined;
    }
    default:
      return undefined;
  }
}

function illegalStage1(ste: SteReader, implementation: Implementation): string | undefined {
  if (ste("S1STALLD") === 1n && implementation.idr0("STALL_MODEL") !== 0)
    return "S1STALLD=1 while STALL_MODEL is not 0";
  const cdBits = substreamBits(ste, implementation);
  if (cdBits > implementation.idr1("SSIDSIZE")) return "S1CDMax is above SSIDSIZE";
  const isTwoLevel = ste("S1Fmt") === 1n || ste("S1Fmt") === 2n;
  if (cdBits !== 0 && isTwoLevel && implementation.idr0("CD2L") === 0) return "two-level CD tables without CD2L";
  // an IPA is stage 2's to refuse, a choice of §3.4.3
  const isTooFar = ste("Config") === 0b101n && ste("S1ContextPtr") * 64n >= pow2(implementation.oas);
  if (isTooFar) return "S1ContextPtr is out of range";
  return undefined;
}

/** S2TTB as an address; bits [55:52] are for 128-bit descriptors and RES0 without them. Source: §5.2. */
export function stage2Table(ste: SteReader): bigint {
  return (ste("S2TTB") * 16n) % pow2(52);
}

function illegalStage2(ste: SteReader, implementation: Implementation): string | undefined {
  const ttf = implementation.idr0("TTF");
  const isAA64 = ste("S2AA64") === 1n;
  if (isAA64 ? ttf < 2 : ttf % 2 === 0) return "S2AA64 asks for a format that TTF does not offer";
  if (implementation.idr3("FWB") && ste("S2FWB") === 1n && !isAA64) return "S2FWB=1 with S2AA64=0";
  const stallModel = implementation.idr0("STALL_MODEL");
  if (ste("S2S") === 1n && stallModel === 1) return "S2S=1 where stalling is not implemented";
  if (ste("S2S") === 0n && stallModel === 2) return "S2S=0 where stalling is forced";
  if (!isEndianSupported(implementation, ste("S2ENDI") === 1n)) return "S2ENDI against TTENDIAN";
  if (!isAA64) return undefined;
  const httu = implementation.idr0("HTTU");
  if (httu === 0 && (ste("S2HA") === 1n || ste("S2HD") === 1n)) return "S2HA or S2HD without HTTU";
  if (httu === 1 && ste("S2HD") === 1n) return "S2HD without dirty state in HTTU";
  if (httu === 3 && ste("S2HAFT") === 1n && ste("S2HA") === 0n) return "S2HAFT=1 with S2HA=0";
  if (!implementation.hasGranule(stage2PageBits(ste))) return "S2TG is reserved or not implemented";
  const isWide = stage2PageBits(ste) === 16 || (ste("S2DS") === 1n && implementation.ds);
  const tableBits = Math.min(addressBits(ste("S2PS")), implementation.oas, isWide ? 52 : 48);
  if (stage2Table(ste) >= pow2(tableBits)) return "S2TTB is outside the effective S2PS";
  return isStage2StartLegal(ste, implementation) ? undefined : "S2T0SZ, S2SL0 and S2TG do not fit together";
}
