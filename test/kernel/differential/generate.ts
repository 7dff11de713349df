// Random guests' STEs, CDs and tables: mostly legal ones with one thing wrong, so that walks end everywhere a walk can end.
// A trial is made from its seed and number alone.
// Source: IHI 0070G.b §5.2, §5.4; Arm DDI 0487 D8.3.

import { Chance } from "../../oracle/chance.ts";
import { at, contextDescriptor } from "../../support/smmuv3-tables.ts";
import { ASID, RAM } from "../guest/nested.ts";
import { isSmall, type Shape, type Spoiler, TableWriter } from "./table-writer.ts";
import { type AccessKind, PLACE, type Trial, type TrialAccess } from "./trial.ts";

const ACCESSES = 4;
/** Accesses with nothing wrong on their way, for each round of those with something: what is right is soon tried. */
const UNSPOILT = 9;
/** Of so many sets one has a CD that is special, and one an STE. Each in its turn, so that a run of 50 comes to every end. */
const ROUND = 4;
/** As far as the least CD.T0SZ lets TTB0 go. */
const TTB0_BITS = 48;
/** By CD.IPS. */
const OUTPUT_BITS = [32, 36, 40, 42, 44] as const;
interface Granule {
  readonly code: number;
  readonly pageBits: number;
}

/** 64 - CD.T0SZ, which is 16 to 39. */
const INPUT_BITS = Array.from({ length: 24 }, (_, index) => 25 + index);

/** TG0: 4, 64 and 16 KiB (§5.4). */
const GRANULES: readonly [Granule, ...Granule[]] = [
  { code: 0, pageBits: 12 },
  { code: 0, pageBits: 12 },
  { code: 1, pageBits: 16 },
  { code: 2, pageBits: 14 },
];
/** V=1, Config=0b101, the CD; S1CIR and S1COR Write-Back, S1CSH Inner Shareable. */
const STAGE1 = [0xbn | BigInt(RAM.ipa + PLACE.cd), 0xd4n] as const;
const LEGAL = "legal STE and CD";
const NOTHING = "nothing";
const NOT_RAM = [0x2000_0000, RAM.ipa + RAM.bytes, 0x1_0000_0000] as const;

type Spoil = Spoiler["change"];
const toward = (descriptor: bigint, address: number): bigint =>
  (descriptor & ~0x0000_ffff_ffff_f000n) | BigInt(address - (address % 2 ** 16));
const flip =
  (...bits: readonly [number, ...number[]]): Spoil =>
  (descriptor, chance) =>
    descriptor ^ at(1, chance.pick(...bits));
/** AP[1:0] [7:6], SH [9:8], AF [10], nG [11], DBM [51], PXN [53], UXN [54], software's and PBHA's [63:55]. */
const LEAF_BITS = [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 50, 51, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63] as const;
/** Ignored [11:2] and [58:52], PXNTable [59] to NSTable [63]. */
const TABLE_BITS = [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63] as const;

const SPOILERS: readonly Spoiler[] = [
  { way: "leaf not valid", where: "leaf", change: (leaf) => leaf & ~1n },
  { way: "leaf of the other type", where: "leaf", change: flip(1), goesOn: true },
  { way: "AP[2]: read-only", where: "leaf", change: flip(7) },
  { way: "AP[1]=0: privileged", where: "leaf", change: flip(6) },
  { way: "AF=0", where: "leaf", change: flip(10) },
  { way: "AF=0", where: "leaf", change: flip(10) },
  { way: "leaf beyond OAS", where: "leaf", change: flip(44, 45, 46, 47) },
  { way: "leaf beyond 36 bits", where: "leaf", change: flip(36, 37, 38, 39, 40, 41, 42, 43) },
  { way: "leaf to no RAM", where: "leaf", change: (leaf, chance) => toward(leaf, chance.pick(...NOT_RAM)) },
  { way: "an attribute of the leaf", where: "leaf", change: flip(...LEAF_BITS) },
  { way: "Contiguous", where: "leaf", change: flip(52) },
  { way: "table not valid", where: "table", change: (table) => table & ~1n },
  { way: "a block where the table was", where: "table", change: flip(1) },
  { way: "APTable[1]: read-only", where: "table", change: flip(62) },
  { way: "APTable[0]: privileged", where: "table", change: flip(61) },
  { way: "table beyond OAS", where: "table", change: flip(44, 45, 46, 47) },
  { way: "table in no RAM", where: "table", change: (table, chance) => toward(table, chance.pick(...NOT_RAM)) },
  { way: "table beyond 32 bits", where: "table", change: flip(36, 37, 38, 39, 40, 41, 42, 43) },
  { way: "an attribute of the table", where: "table", change: flip(...TABLE_BITS) },
];

type Words = readonly [bigint, bigint, ...bigint[]];

interface CdDefect {
  readonly theme: string;
  readonly change: (words: Words, chance: Chance) => Words;
}

const first =
  (...bits: readonly [number, ...number[]]): CdDefect["change"] =>
  ([low, ...more], chance) => [low ^ at(1, chance.pick(...bits)), ...more];

/** Legal: EPD0 14 apart, these change what is done with a walk. AFFD 35, WXN 36, UWXN 37, TBI0 38, PAN 40, R 45, ASET 47. */
const CD_SWITCHES = [35, 35, 36, 37, 38, 40, 47] as const;
/**
 * Not of T0SZ and TG0 [7:0]: the first table would be another, and perhaps too large (isSmall). Not IPS[2:1] [34:33]: of the
 * reserved values 6 and 7 QEMU 10.0 says "oas2bits: code should not be reached" and aborts, the whole machine with it.
 */
const CD_BITS = [
  8,
  ...Array.from({ length: 55 }, (_, index) => 9 + index).filter((bit) => bit !== 33 && bit !== 34),
] as const;
const CD_DEFECTS: readonly CdDefect[] = [
  { theme: "CD.V=0", change: first(31) },
  { theme: "CD.AA64=0", change: first(41) },
  { theme: "CD.A=0", change: first(46) },
  { theme: "CD.S=1", change: first(44) },
  { theme: "CD.ENDI=1", change: first(15) },
  { theme: "CD.HA or CD.HD is 1", change: first(42, 43) },
  { theme: "CD.EPD0=1", change: first(14) },
  { theme: "CD.R=0", change: first(45) },
  { theme: "CD.T0SZ out of range", change: ([low, ...more], chance) => [withT0SZ(low, chance), ...more] },
  { theme: "CD.TG0 reserved", change: ([low, ...more]) => [low | at(3, 6), ...more] },
  {
    theme: "CD.TTB0 beyond OAS",
    change: ([low, ttb0, ...more], chance) => [low, ttb0 | at(1, 44 + chance.below(8)), ...more],
  },
  { theme: "CD.TTB0[51:48] is not 0", change: ([low, ttb0, ...more]) => [low, ttb0 | at(1, 51), ...more] },
  {
    theme: "CD.TTB0 in no RAM",
    change: ([low, , ...more], chance) => [low, BigInt(chance.pick(...NOT_RAM)), ...more],
  },
  { theme: "a bit of doubleword 0 of the CD", change: (words, chance) => first(...CD_BITS)(words, chance) },
];

function withT0SZ(low: bigint, chance: Chance): bigint {
  return (low & ~0x3fn) | BigInt(chance.pick(0, 8, 15, 40, 41, 63));
}

interface SteDefect {
  readonly theme: string;
  readonly change: (vste: readonly [bigint, bigint], chance: Chance) => readonly [bigint, bigint];
}

const POINTER = 0x000f_ffff_ffff_ffc0n;
const STE_DEFECTS: readonly SteDefect[] = [
  { theme: "abort", change: () => [1n, 0n] },
  { theme: "bypass", change: () => [0x9n, 0n] },
  { theme: "STE.V=0", change: ([low, high]) => [low & ~1n, high] },
  { theme: "STE.S1CDMax is not 0", change: ([low, high], chance) => [low | at(1 + chance.below(31), 59), high] },
  { theme: "STE.S1STALLD=1", change: ([low, high]) => [low, high | at(1, 27)] },
  { theme: "STE.MEV=1, which is the host's", change: ([low, high]) => [low, high | at(1, 19)] },
  { theme: "STE.EATS", change: ([low, high], chance) => [low, high | at(1 + chance.below(3), 28)] },
  { theme: "STE.S1DSS, without substreams", change: ([low, high], chance) => [low, high | chance.bits(2)] },
  { theme: "STE.S1ContextPtr[51:48] is not 0", change: ([low, high]) => [low | at(1, 48), high] },
  {
    theme: "CD in no RAM",
    change: ([low, high], chance) => [(low & ~POINTER) | BigInt(chance.pick(...NOT_RAM)), high],
  },
  { theme: "a bit of doubleword 0 of the STE", change: ([low, high], chance) => [low ^ at(1, chance.below(64)), high] },
  { theme: "a bit of doubleword 1 of the STE", change: ([low, high], chance) => [low, high ^ at(1, chance.below(64))] },
];

export function trialOf(seed: bigint, index: number): Trial {
  const chance = new Chance((seed << 32n) ^ BigInt(index));
  const { code, pageBits } = chance.pick(...GRANULES);
  const shapes = INPUT_BITS.map((inputBits): Shape => ({ pageBits, inputBits })).filter(isSmall);
  const shape = shapes[chance.below(shapes.length)]!;
  const words = new Map<number, bigint>();
  const tables = new TableWriter(words, shape);
  const accesses = Array.from({ length: ACCESSES }, (_, slot) => {
    const turn = (ACCESSES * index + slot) % (SPOILERS.length + UNSPOILT);
    return access(chance, { tables, shape, slot, spoiler: SPOILERS[turn] });
  });
  const ips = chance.oneIn(3) ? chance.below(OUTPUT_BITS.length) : 4;
  const switches = chance.oneIn(3) ? at(1, chance.pick(...CD_SWITCHES)) : 0n;
  const legal = contextDescriptor(RAM.ipa + tables.root, {
    asid: ASID,
    t0sz: 64 - shape.inputBits,
    tg0: code,
    ips,
    extra0: switches,
  });
  const turn = Math.floor(index / ROUND);
  const cdDefect = index % ROUND === 1 ? CD_DEFECTS[turn % CD_DEFECTS.length] : undefined;
  const steDefect = index % ROUND === 2 ? STE_DEFECTS[turn % STE_DEFECTS.length] : undefined;
  writeCD(words, cdDefect?.change(legal, chance) ?? legal);
  const vste = steDefect?.change(STAGE1, chance) ?? STAGE1;
  const theme = steDefect?.theme ?? cdDefect?.theme ?? LEGAL;
  return { seed, index, theme, vste, words, accesses: accesses.filter((one) => one !== undefined) };
}

/** What a trial is to show, in the words of the tables above. */
export interface Wanted {
  readonly theme?: string;
  /** One of a leaf, one of a table. */
  readonly ways?: readonly string[];
  /** Of the table that is wrong. */
  readonly level?: number;
  readonly kind: AccessKind;
  /** Default 39, so that walks begin at level 1. */
  readonly inputBits?: number;
  /** Default 44 bits. */
  readonly ips?: number;
  /** A bit of the input address that is 1. */
  readonly beyond?: number;
}

/** One access with 4 KiB pages and what is asked for. */
export function trialOfOne(wanted: Wanted): Trial {
  const { beyond, inputBits = 39, ips = 4, kind, level, theme = LEGAL, ways = [] } = wanted;
  const chance = new Chance(0n);
  const words = new Map<number, bigint>();
  const tables = new TableWriter(words, { pageBits: 12, inputBits });
  const spoilers = ways.map((way) => known(SPOILERS, (one) => one.way === way, way));
  const cdDefect = CD_DEFECTS.find((one) => one.theme === theme);
  const steDefect = cdDefect || theme === LEGAL ? undefined : known(STE_DEFECTS, (one) => one.theme === theme, theme);
  const find = (where: Spoiler["where"]): Spoiler | undefined => spoilers.find((one) => one.where === where);
  const iova = tables.write(chance, 0, { leaf: find("leaf"), table: find("table"), level });
  if (iova === undefined) throw new Error("the first access finds the tables empty");
  const legal = contextDescriptor(RAM.ipa + tables.root, { asid: ASID, t0sz: 64 - inputBits, ips });
  writeCD(words, cdDefect?.change(legal, chance) ?? legal);
  const vste = steDefect?.change(STAGE1, chance) ?? STAGE1;
  const bit = beyond === undefined ? 0n : at(1, beyond);
  const access = { iova: iova | bit, kind, way: ways.join(", ") || NOTHING };
  return { seed: 0n, index: 0, theme, vste, words, accesses: [access] };
}

function known<T>(all: readonly T[], isIt: (one: T) => boolean, name: string): T {
  const found = all.find(isIt);
  if (found === undefined) throw new Error(`nothing is called "${name}"`);
  return found;
}

function writeCD(words: Map<number, bigint>, cd: readonly bigint[]): void {
  cd.forEach((value, index) => {
    words.set(PLACE.cd + 8 * index, value);
  });
}

interface Slot {
  readonly tables: TableWriter;
  readonly shape: Shape;
  readonly slot: number;
  readonly spoiler: Spoiler | undefined;
}

function access(chance: Chance, { shape, slot, spoiler, tables }: Slot): TrialAccess | undefined {
  const isForWrites = spoiler?.way.endsWith("read-only") === true;
  const kind: AccessKind = isForWrites || chance.oneIn(2) ? "write" : "read";
  const iova = tables.write(chance, slot, spoiler === undefined ? {} : { [spoiler.where]: spoiler });
  if (iova === undefined) return undefined;
  if (shape.inputBits < TTB0_BITS && chance.oneIn(16)) {
    const beyond = at(1, shape.inputBits + chance.below(TTB0_BITS - shape.inputBits));
    return { iova: iova | beyond, kind, way: "an address beyond CD.T0SZ" };
  }
  return { iova, kind, way: spoiler?.way ?? NOTHING };
}
