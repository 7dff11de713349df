// One random SMMU with its registers, a stream, an STE and a CD: mostly legal, often with one thing wrong, sometimes noise.

import { checkCD, decodeCD } from "../../src/backends/smmuv3/cd.ts";
import { type Access, type IdRegisters, Smmu, type Transaction } from "../../src/backends/smmuv3/smmu.ts";
import { checkSTE, type DecodedSTE, decodeSTE } from "../../src/backends/smmuv3/ste.ts";
import { CD } from "../../src/spec/cd.ts";
import { doublewordsOf, setU64, wordsOf } from "../../src/spec/layout.ts";
import { REGISTER } from "../../src/spec/registers.ts";
import { STE } from "../../src/spec/ste.ts";
import { Chance, DescriptorMemory, type DescriptorStyle } from "./chance.ts";

const STREAM_TABLE = 0x0400_0000;
const SECOND_LEVEL = 0x0500_0000;
export const EVENT_QUEUE = 0x0600_0000;
const OAS_BITS = [32, 36, 40, 42, 44, 48, 52];

/** What a case is drawn from. */
export interface Weights extends Omit<DescriptorStyle, "isBigEndian" | "isWide"> {
  /** IDR0.TTF=3 makes the IAS at least 40, HTTU=3 marks tables: now and then. */
  readonly isWider: boolean;
  /** Structures are drawn again until they are legal, and transactions ask for what they offer. */
  readonly isLegal: boolean;
}

/** What the named seeds of random.test.ts were found with. */
export const PLAIN: Weights = {
  abortsOneIn: 150,
  invalidOneIn: 20,
  unaccessedOneIn: 4,
  blockOneIn: 5,
  farOneIn: 12,
  isWider: false,
  isLegal: false,
};
const LEGAL: Weights = { ...PLAIN, isWider: true, isLegal: true };

/** Most are legal, so that walks are reached; some of those abort, some have Access flags clear, some go all the way. */
export function weightsOf(seed: bigint): Weights {
  const chance = new Chance(seed ^ 0x5bd1_e995n);
  return chance.pick(
    { ...PLAIN, isWider: true },
    LEGAL,
    { ...LEGAL, abortsOneIn: 12, invalidOneIn: 60, blockOneIn: 10 },
    { ...LEGAL, unaccessedOneIn: 2, invalidOneIn: 100, blockOneIn: 20, farOneIn: 60 },
    { ...LEGAL, abortsOneIn: 2000, invalidOneIn: 400, unaccessedOneIn: 30, blockOneIn: 30, farOneIn: 30 },
    { ...LEGAL, abortsOneIn: 2000, invalidOneIn: 400, unaccessedOneIn: 12, blockOneIn: 30, farOneIn: 400 },
  );
}

export interface RandomCase {
  readonly memory: DescriptorMemory;
  readonly smmu: Smmu;
  readonly transactions: readonly Transaction[];
  /** What the case is of, for a tally. */
  readonly traits: readonly string[];
}

/** @param forATS  EATS, ATSCHK and REC_CFG_ATS vary, and the SMMU mostly has ATS; what the seed gives otherwise is the same */
export function randomCase(seed: bigint, weights: Weights = weightsOf(seed), forATS = false): RandomCase {
  const chance = new Chance(seed);
  const more = new Chance(seed ^ 0x1234_5678n); // so that PLAIN cases stay what they were
  const ats = forATS ? new Chance(seed ^ 0xa75n) : undefined;
  const oas = chance.pick(2, 3, 4, 5, 5, 6, 6);
  const attributes = new Chance(seed ^ 0x6174_7472n); // apart, so that a seed means the same in all other respects
  const id = withAttributeFeatures(attributes, withATS(ats, wider(randomID(chance, oas), more, weights)));
  const isBig = chance.oneIn(3);
  const memory = new DescriptorMemory(seed, OAS_BITS[oas] ?? 32, {
    isBigEndian: isBig,
    isWide: oas === 6,
    ...weights,
  });
  const smmu = new Smmu(id, memory, { eventQueue: () => {}, gerror: () => {} });
  const streamID = chance.oneIn(25) ? chance.below(400) : chance.below(256);
  const isTwoLevel = chance.oneIn(3);
  const log2size = chance.oneIn(20) ? 6 : 8;
  const split = chance.pick(6, 8, 10);
  smmu.write64(REGISTER.STRTAB_BASE, BigInt(STREAM_TABLE));
  smmu.write32(REGISTER.STRTAB_BASE_CFG, log2size + split * 64 + (isTwoLevel ? 65536 : 0));
  smmu.write64(REGISTER.EVENTQ_BASE, BigInt(EVENT_QUEUE) + 6n);
  smmu.write32(REGISTER.CR2, chance.below(4) + (ats?.pick(0, 8, 8) ?? 0));
  const abort = chance.oneIn(2) && chance.oneIn(2) ? 2 ** 20 : 0;
  smmu.write32(REGISTER.GBPA, 2 ** 31 + abort + Number(attributes.bits(14)));
  smmu.write32(REGISTER.CR0, (chance.oneIn(60) ? 4 : 5) + (ats?.pick(0, 16, 16) ?? 0));

  const isAllowed = (words: Uint32Array): boolean => checkSTE(decodeSTE(words), id) === undefined;
  const first = randomSte(chance, isBig, oas);
  const config = first[0]! & 0xen;
  const redrawn = (): bigint[] =>
    randomSte(more, isBig, oas).map((word, at) => (at > 0 ? word : (word & ~0xen) | config));
  const drawnSte = drawn(weights, isAllowed, (again) => marking(again ? redrawn() : first, more, weights, 2));
  const ste = withSteAttributes(attributes, withEATS(ats, drawnSte));
  memory.put(STREAM_TABLE + streamID * 64, ste);
  if (isTwoLevel && Math.floor(id.idr0 / 2 ** 27) % 4 === 1) {
    const span = chance.oneIn(8) ? chance.below(32) : split + 1;
    memory.put(STREAM_TABLE + Math.floor(streamID / 2 ** split) * 8, [BigInt(SECOND_LEVEL + span)]);
    memory.put(SECOND_LEVEL + (streamID % 2 ** split) * 64, ste);
  }
  const setting = { ste: decodeSTE(wordsOf(ste)), world: "EL1" } as const;
  const isAllowedCd = (words: Uint32Array): boolean => checkCD(decodeCD(words), setting, id) === undefined;
  const drawnCd = drawn(weights, isAllowedCd, (again) =>
    marking(randomCd(again ? more : chance, isBig, oas), more, weights, 1),
  );
  const cd = withCdAttributes(attributes, drawnCd);
  const asked = randomTransactions(chance, streamID, cd);
  const fitted = weights.isLegal ? asked.map((each) => fitting(each, setting.ste, more, oas)) : asked;
  const transactions = fitted.map((transaction) =>
    attributes.oneIn(3) ? transaction : { ...transaction, attributes: Number(attributes.bits(10)) },
  );
  placeContext(chance, memory, smmu, transactions, cd);
  const traits = [
    isBig ? "big-endian" : "little-endian",
    `OAS ${OAS_BITS[oas]}`,
    `TTF ${Math.floor(id.idr0 / 4) % 4}`,
    `HTTU ${Math.floor(id.idr0 / 64) % 4}`,
    `Config ${Math.floor(Number((ste[0] ?? 0n) & 0xfn) / 2)}`,
  ];
  return { memory, smmu, transactions, traits };
}

/** TTF 3, whose IAS differs from an OAS below 40 bits; HTTU 3. */
function wider(id: IdRegisters, more: Chance, { isWider }: Weights): IdRegisters {
  if (!isWider) return id;
  const ttf = more.oneIn(3) ? 4 : 0;
  const httu = more.oneIn(3) && Math.floor(id.idr0 / 64) % 4 === 2 ? 64 : 0;
  return { ...id, idr0: id.idr0 + ttf + httu };
}

/** The first draw, or with legal weights one that the rules allow; what they are is judged elsewhere. */
function drawn(
  { isLegal }: Weights,
  isAllowed: (words: Uint32Array) => boolean,
  draw: (again: boolean) => bigint[],
): bigint[] {
  let found = draw(false);
  for (let tries = 0; isLegal && tries < 60 && !isAllowed(wordsOf(found)); tries++) found = draw(true);
  return found;
}

/** Hardware sets the Access flag of tables: STE bit 187, in doubleword 2; CD bit 67, in doubleword 1. */
function marking(words: bigint[], more: Chance, { isWider }: Weights, index: 1 | 2): bigint[] {
  if (!isWider || !more.oneIn(3)) return words;
  const bit = index === 2 ? 1n << 59n : 1n << 3n;
  return words.map((word, at) => (at === index ? word | bit : word));
}

/** A SubstreamID that the STE knows, and without stage 1 an address that stage 2 or the bus can have; mostly. */
function fitting(asked: Transaction, ste: DecodedSTE, more: Chance, oas: number): Transaction {
  const { substreamID, ...rest } = asked;
  if (more.oneIn(10)) return asked;
  const hasStage1 = ste.Config % 2 === 1;
  const bits = ste.Config === 6 ? 64 - ste.S2T0SZ : (OAS_BITS[oas] ?? 32);
  const iova = hasStage1 ? rest.iova : BigInt.asUintN(bits, rest.iova);
  if (!hasStage1 || ste.S1CDMax === 0) return { ...rest, iova };
  const first = ste.S1DSS === 2 ? 1 : 0;
  if (ste.S1DSS % 3 !== 0 && substreamID === undefined) return { ...rest, iova };
  return { ...rest, iova, substreamID: Math.max(first, (substreamID ?? 0) % Math.min(2 ** ste.S1CDMax, 10)) };
}

/**
 * IDR0: ATS [10], NS1ATS [11], ATSRECERR [23]; IDR3: DPT [15], PASIDTT [16]. Mostly an SMMU that has all else, so that
 * requests get as far as the tables: both stages, HTTU 2, VMID16, CD2L, both endiannesses, both fault models, all granules.
 */
function withATS(ats: Chance | undefined, id: IdRegisters): IdRegisters {
  if (ats === undefined) return id;
  const bits = (word: number, values: Readonly<Record<number, boolean>>): number =>
    Object.entries(values).reduce((sum, [at, isSet]) => {
      const has = Math.floor(sum / 2 ** Number(at)) % 2 === 1;
      return sum + (isSet === has ? 0 : isSet ? 2 ** Number(at) : -(2 ** Number(at)));
    }, word);
  const idr0 = bits(id.idr0, { 10: !ats.oneIn(40), 11: ats.oneIn(10), 23: !ats.oneIn(4) });
  const idr3 = bits(id.idr3, { 15: ats.oneIn(4), 16: ats.oneIn(2) });
  if (ats.oneIn(8)) return { ...id, idr0, idr3 };
  const able = {
    0: true,
    1: true,
    6: false,
    7: true,
    18: true,
    19: true,
    21: false,
    22: false,
    24: false,
    25: false,
    26: false,
  };
  return {
    ...id,
    idr0: bits(idr0, able),
    idr1: bits(id.idr1, { 6: false, 7: false, 8: true, 9: false, 10: true }), // SSIDSIZE 20
    idr3: bits(idr3, { 9: true }), // STT
    idr5: bits(id.idr5, { 4: true, 5: true, 6: true }),
  };
}

/** EATS is [93:92]; without stage 2 stalls [185], which most of it forbids. Split-stage wants Config 0b111. */
function withEATS(ats: Chance | undefined, ste: bigint[]): bigint[] {
  if (ats === undefined) return ste;
  const [w0 = 0n, w1 = 0n, w2 = 0n, ...rest] = ste;
  const eats = w0 % 16n === 0xfn ? ats.pick(1n, 2n, 2n, 3n, 0n) : ats.pick(1n, 1n, 1n, 1n, 2n, 3n, 0n);
  const stalls = ats.oneIn(12) ? w2 : w2 & ~(1n << 57n);
  return [w0, (w1 & ~(3n << 28n)) | (eats << 28n), stalls, ...rest];
}

/** The CD lies wherever the tables happen to lead; the explanation says where that is. */
function placeContext(
  chance: Chance,
  memory: DescriptorMemory,
  smmu: Smmu,
  transactions: readonly Transaction[],
  cd: readonly bigint[],
): void {
  for (const transaction of transactions) {
    for (const structure of ["L1CD", "CD"]) {
      const pa = smmu.explain(transaction).steps.find((step) => step.structure === structure)?.pa;
      if (pa === undefined || chance.oneIn(80)) continue;
      memory.put(Number(pa), structure === "CD" ? cd : [(chance.bits(16) << 16n) + (chance.oneIn(20) ? 0n : 1n)]);
    }
  }
}

function randomID(chance: Chance, oas: number): IdRegisters {
  const bit = (at: number, times: number): number => (chance.oneIn(times) ? 0 : 2 ** at);
  const idr0 =
    bit(0, 50) + bit(1, 50) + 2 * 4 + chance.pick(0, 1, 2, 2) * 64 + bit(9, 3) + bit(10, 2) + bit(11, 2) + bit(12, 6);
  const more = bit(18, 6) + bit(19, 10) + chance.pick(0, 0, 0, 2, 3) * 2 ** 21 + chance.pick(0, 0, 1, 2) * 2 ** 24;
  const idr3 = [2, 4, 8, 9, 13, 14, 17].reduce((sum, at) => sum + bit(at, 3), 0);
  const ds = oas === 6 ? bit(7, 3) : 0;
  return {
    idr0: idr0 + more + bit(26, 2) + bit(27, 2),
    idr1: 16 + chance.pick(0, 5, 20, 20, 20) * 64 + 7 * 2 ** 16 + 7 * 2 ** 21 + bit(26, 3),
    idr2: 0,
    idr3,
    idr4: 0,
    idr5: oas + bit(4, 15) + bit(5, 15) + bit(6, 15) + ds + (oas === 6 ? bit(10, 3) : 0) + 16 * 2 ** 16,
    idr6: 0,
    iidr: 0,
    aidr: 2,
  };
}

/** A stage 2 whose start level, size and granule fit; S2DS where it is needed. */
const STARTS: readonly { tg: bigint; sl: bigint; sl2: bigint; ds: bigint; from: number; to: number }[] = [
  { tg: 0n, sl: 2n, sl2: 0n, ds: 0n, from: 16, to: 24 },
  { tg: 0n, sl: 1n, sl2: 0n, ds: 0n, from: 21, to: 33 },
  { tg: 0n, sl: 0n, sl2: 0n, ds: 0n, from: 30, to: 42 },
  { tg: 0n, sl: 3n, sl2: 0n, ds: 0n, from: 39, to: 48 },
  { tg: 0n, sl: 0n, sl2: 1n, ds: 1n, from: 12, to: 15 },
  { tg: 2n, sl: 2n, sl2: 0n, ds: 0n, from: 16, to: 27 },
  { tg: 2n, sl: 1n, sl2: 0n, ds: 0n, from: 24, to: 38 },
  { tg: 2n, sl: 3n, sl2: 0n, ds: 1n, from: 12, to: 16 },
  { tg: 2n, sl: 2n, sl2: 0n, ds: 1n, from: 13, to: 16 },
  { tg: 1n, sl: 2n, sl2: 0n, ds: 0n, from: 12, to: 21 },
  { tg: 1n, sl: 1n, sl2: 0n, ds: 0n, from: 18, to: 34 },
  { tg: 1n, sl: 0n, sl2: 0n, ds: 0n, from: 31, to: 47 },
];

function randomSte(chance: Chance, isBig: boolean, oas: number): bigint[] {
  const words = new Uint32Array(16);
  const put = (name: keyof typeof STE, value: bigint): void => setU64(words, 0, STE[name], value);
  const start = chance.pick(...asList(STARTS));
  put("V", 1n);
  put("Config", BigInt(chance.pick(4, 5, 5, 6, 6, 7, 7, 7, 7, 0)));
  put("S1Fmt", chance.bits(2));
  put("S1ContextPtr", chance.bits(14) << 10n);
  put("S1CDMax", BigInt(chance.pick(0, 0, 3, 5, 8, 12)));
  put("S1DSS", chance.bits(2));
  put("STRW", chance.pick(0n, 0n, 2n));
  put("EATS", chance.pick(0n, 0n, 0n, 1n));
  put("S2FWB", chance.flag());
  put("PRIVCFG", chance.bits(2));
  put("INSTCFG", chance.bits(2));
  put("S2VMID", chance.bits(8));
  put("S2T0SZ", BigInt(start.from + chance.below(start.to - start.from + 1)));
  put("S2SL0", start.sl);
  put("S2SL0_2", start.sl2);
  put("S2DS", chance.oneIn(6) ? 1n : start.ds);
  put("S2TG", start.tg);
  put("S2PS", chance.oneIn(6) ? chance.bits(3) : BigInt(oas));
  put("S2AA64", 1n);
  put("S2ENDI", isBig ? 1n : 0n);
  put("S2AFFD", chance.flag());
  put("S2PTW", chance.flag(6));
  put("S2HA", chance.flag());
  put("S2HD", chance.flag());
  put("S2S", chance.flag(4));
  put("S2R", chance.flag());
  put("S2TTB", chance.bits(20) << 8n);
  return spoiled(chance, words, 448);
}

function randomCd(chance: Chance, isBig: boolean, oas: number): bigint[] {
  const words = new Uint32Array(16);
  const put = (name: keyof typeof CD, value: bigint): void => setU64(words, 0, CD[name], value);
  const size = (): bigint => BigInt(chance.oneIn(6) ? chance.below(52) : 16 + chance.below(24));
  put("V", 1n);
  put("AA64", 1n);
  put("T0SZ", size());
  put("T1SZ", size());
  put("TG0", BigInt(chance.below(3)));
  put("TG1", BigInt(chance.below(3) + 1));
  put("TTB0", chance.bits(20) << 8n);
  put("TTB1", chance.bits(20) << 8n);
  put("IPS", chance.oneIn(6) ? chance.bits(3) : BigInt(oas));
  put("ENDI", isBig ? 1n : 0n);
  put("A", chance.oneIn(4) ? 0n : 1n);
  for (const name of ["R", "AFFD", "HA", "HD", "PAN", "EPAN", "HAD0", "HAD1", "TBI0", "TBI1", "DS"] as const) {
    put(name, chance.flag());
  }
  for (const name of ["S", "EPD0", "EPD1", "E0PD0", "E0PD1", "WXN", "UWXN"] as const) put(name, chance.flag(5));
  put("ASID", chance.bits(8));
  return spoiled(chance, words, 192);
}

/** Mostly as it is; one bit flipped; all noise. */
function spoiled(chance: Chance, words: Uint32Array<ArrayBuffer>, within: number): bigint[] {
  const doublewords = doublewordsOf(words);
  if (chance.oneIn(25)) return doublewords.map((value, index) => chance.bits(64) | (index === 0 ? value : 0n));
  if (!chance.oneIn(3)) return doublewords;
  const at = chance.below(within);
  return doublewords.map((value, index) => (index === Math.floor(at / 64) ? value ^ (1n << BigInt(at % 64)) : value));
}

function randomTransactions(chance: Chance, streamID: number, cd: readonly bigint[]): Transaction[] {
  const tsz = Number((wordsOf(cd)[0] ?? 0) % 64);
  const width = chance.oneIn(4) ? 40 : Math.max(64 - tsz, 12);
  const low = chance.bits(Math.min(width, 64));
  const high = chance.oneIn(3) ? ((1n << 64n) - (1n << BigInt(Math.min(width, 63)))) | low : low;
  const iova = chance.oneIn(15) ? chance.bits(64) : high;
  const substream = chance.oneIn(2) ? {} : { substreamID: chance.oneIn(3) ? 0 : chance.below(10) };
  return Array.from({ length: 3 }, () => ({
    streamID,
    ...substream,
    iova: iova ^ chance.bits(12),
    access: chance.pick<Access>("read", "write", "execute"),
    privileged: chance.oneIn(2),
  }));
}

/** ATTR_TYPES_OVR, mostly; MTEPERM, rarely. */
function withAttributeFeatures(chance: Chance, id: IdRegisters): IdRegisters {
  const overrides = chance.oneIn(5) ? 0 : 2 ** 27;
  return { ...id, idr1: id.idr1 + overrides, idr3: id.idr3 + (chance.oneIn(5) ? 2 ** 22 : 0) };
}

/** MemAttr, MTCFG and ALLOCCFG, then SHCFG; S2SH0. */
function withSteAttributes(chance: Chance, ste: readonly bigint[]): bigint[] {
  const overrides = chance.oneIn(3) ? 0n : chance.bits(9) << 32n;
  const changes = [0n, overrides ^ (chance.bits(2) << 44n), chance.bits(2) << 44n];
  return ste.map((value, index) => value ^ (changes[index] ?? 0n));
}

/** SH0 and SH1; MAIR, where one byte of three is Device or reserved. */
function withCdAttributes(chance: Chance, cd: readonly bigint[]): bigint[] {
  let mair = 0n;
  for (let byte = 0; byte < 8; byte++) mair = (mair << 8n) | chance.bits(chance.oneIn(3) ? 4 : 8);
  const changes = [(chance.bits(2) << 12n) ^ (chance.bits(2) << 28n), 0n, 0n, mair];
  return cd.map((value, index) => value ^ (changes[index] ?? 0n));
}

function asList<T>(values: readonly T[]): readonly [T, ...T[]] {
  const [first, ...rest] = values;
  if (first === undefined) throw new Error("nothing to pick from");
  return [first, ...rest];
}
