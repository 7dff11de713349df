// A TLB miss of the most frequent kind: pages of 4 KiB in both stages, little-endian tables in plain memory, nothing for
// hardware to update. Everything else (a block, a fault, a guest's file) is left to stage1.ts and stage2.ts, which this
// must agree with; what stage 2 found on the way stays cached, as it would there.
// With the leaf tables in the walk caches it reads two descriptors, without any cache all 24.
// Source: IHI 0070G.b §3.3.3; DDI 0487 D8.2, D8.3.

import { S1_LEAF, S2_LEAF } from "../../spec/descriptor.ts";
import type { ContextConfig, HalfConfig } from "./context.ts";
import type { SmmuCounters } from "./counters.ts";
import type { AnswerFields } from "./fast-path.ts";
import { combineStages, stage1AttributeIndex, stage2AttributeIndex } from "./memory-type.ts";
import { PERMISSION } from "./permissions.ts";
import type { Stage2Config } from "./stage2.ts";
import type { TableFormat } from "./table-format.ts";
import { TLB_HI_FACTOR, TLB_MARK, TLB_WORD, type Tlb, TlbFill, tlbHash } from "./tlb.ts";
import type { TableWalk } from "./walk.ts";

export interface NestedWalkParts {
  readonly counters: SmmuCounters;
  readonly tlb: Tlb;
  readonly tables: Tlb;
  readonly stage2Tlb: Tlb;
  readonly stage2Tables: Tlb;
  /** The general walkers: their windows of memory are used here too. */
  readonly walk: TableWalk;
  readonly stage2Walk: TableWalk;
}

// V8 folds a module's own constants into code; those of other modules it loads each time
const { LO, HI, TAG, INFO, PA_HI, PA_LO } = TLB_WORD;
const { GLOBAL, VALID } = TLB_MARK;
const HI_FACTOR = TLB_HI_FACTOR;
const { PRIVILEGED_READ } = PERMISSION;
const PAGE = 3 | (1 << S1_LEAF.AF.lsb); // type 0b11 and the Access flag, in the same place in both stages
const NG = 1 << S1_LEAF.nG.lsb;
const READ_ONLY = 1 << S1_LEAF.AP.msb;
const S2_WRITABLE = 1 << S2_LEAF.S2AP.msb;
const DBM_HI = 1 << (S1_LEAF.DBM.lsb - 32);
const TABLE_SPAN_BITS = 21;
/** Instead of attributes: ask NestedWalk.attributes(). */
export const UNCOMBINED = -1;

export class NestedWalk {
  #isUsable = false;
  #granted: Uint8Array = new Uint8Array(256);
  #attributes: Uint16Array = new Uint16Array(32);
  #baseHi = 0;
  #baseLo = 0;
  #startLevel = 0;
  #outputShift = 0;
  #dbm = 0;
  #isHierarchical = false;
  #hash = 0;
  #tag = 0;
  #key = 0;
  #hasTwoHalves = false;
  #granted2: Uint8Array = new Uint8Array(16);
  #attributes2: Uint8Array = new Uint8Array(64);
  #fwb = false;
  #baseHi2 = 0;
  #baseLo2 = 0;
  #startLevel2 = 0;
  #inputShift2 = 0;
  #outputShift2 = 0;
  #dbm2 = 0;
  #hash2 = 0;
  #tag2 = 0;
  #protectsTables = false;
  /** What #locate found. */
  #paHi = 0;
  #paLo = 0;
  #permissions = 0;
  /** Leaves of both stages, as far as they tell of memory. */
  #leafLo = 0;
  #leafLo2 = 0;
  readonly #fill = new TlbFill();
  readonly #parts: NestedWalkParts;
  readonly #hasTlb: boolean;
  readonly #hasTables: boolean;
  readonly #tablesMask: number;
  readonly #tableWords: Int32Array;
  readonly #hasTlb2: boolean;
  readonly #mask2: number;
  readonly #words2: Int32Array;
  readonly #hasTables2: boolean;
  readonly #tablesMask2: number;
  readonly #tableWords2: Int32Array;
  readonly #counters: SmmuCounters;
  readonly #answer: AnswerFields;
  readonly #walk: TableWalk;
  readonly #walk2: TableWalk;

  constructor(parts: NestedWalkParts, answer: AnswerFields) {
    this.#parts = parts;
    this.#hasTlb = parts.tlb.entries > 0;
    this.#hasTables = parts.tables.entries > 0;
    this.#tablesMask = parts.tables.slotMask;
    this.#tableWords = parts.tables.words;
    this.#hasTlb2 = parts.stage2Tlb.entries > 0;
    this.#mask2 = parts.stage2Tlb.slotMask;
    this.#words2 = parts.stage2Tlb.words;
    this.#hasTables2 = parts.stage2Tables.entries > 0;
    this.#tablesMask2 = parts.stage2Tables.slotMask;
    this.#tableWords2 = parts.stage2Tables.words;
    this.#counters = parts.counters;
    this.#answer = answer;
    this.#walk = parts.walk;
    this.#walk2 = parts.stage2Walk;
  }

  follow(context: ContextConfig, half: HalfConfig, nested: Stage2Config | undefined): void {
    const { format } = half;
    this.#isUsable = nested !== undefined && isPlain(format) && isPlain(nested.format);
    if (nested === undefined) return;
    this.#granted = context.granted;
    this.#attributes = half.attributes;
    this.#baseHi = format.baseHi;
    this.#baseLo = format.baseLo;
    this.#startLevel = format.startLevel;
    this.#outputShift = format.outputBits - 32;
    this.#dbm = context.hd ? DBM_HI : 0;
    this.#isHierarchical = format.hierarchical;
    this.#tag = context.tag;
    this.#hash = tlbHash(context.tag);
    this.#key = context.key;
    this.#hasTwoHalves = context.hasTwoHalves;
    this.#granted2 = nested.granted;
    this.#attributes2 = nested.attributes;
    this.#fwb = nested.fwb;
    this.#baseHi2 = nested.format.baseHi;
    this.#baseLo2 = nested.format.baseLo;
    this.#startLevel2 = nested.format.startLevel;
    this.#inputShift2 = nested.format.inputBits - 32;
    this.#outputShift2 = nested.format.outputBits - 32;
    this.#dbm2 = nested.hd ? DBM_HI : 0;
    this.#tag2 = nested.tag;
    this.#hash2 = tlbHash(nested.tag);
    this.#protectsTables = nested.protectedWalk;
  }

  /**
   * Translates an address of TTB0's range that the TLB does not hold; the answer is in the fields of the parts.
   *
   * @param need  the one PERMISSION bit the access needs
   * @returns false when it has no answer
   */
  run(hi: number, lo: number, need: number): boolean {
    if (!this.#isUsable) return false;
    const reads = this.#counters.transTableWalkAccess;
    const words = this.#tableWords;
    const slot = (((lo >>> 21) ^ (lo >>> 31) ^ Math.imul(hi, HI_FACTOR) ^ this.#hash) & this.#tablesMask) << 3;
    const isOther =
      ((words[slot + LO]! & ~GLOBAL) ^ ((lo & (-1 << TABLE_SPAN_BITS)) | (this.#key << 2) | VALID)) |
      (words[slot + HI]! ^ hi) |
      (words[slot + TAG]! ^ this.#tag);
    if (isOther !== 0) return this.#byLevels(hi, lo, need) || this.#giveUp(reads);
    const tableLo = words[slot + PA_LO]! | ((lo >>> 9) & 0xff8);
    const window = this.#walk.window;
    const offset = (tableLo - window.lo) >>> 0;
    if (words[slot + PA_HI] !== window.hi || offset >= window.bytes) return false;
    const limits = words[slot + INFO]! & 0xf;
    const leafLo = window.words[offset >>> 2]!;
    const leafHi = window.words[(offset >>> 2) + 1]!;
    const ipaHi = leafHi & 0xffff;
    if ((leafLo & PAGE) !== PAGE || ipaHi >>> this.#outputShift !== 0) return false;
    if ((leafHi & this.#dbm) !== 0 && (leafLo & READ_ONLY) !== 0) return false;
    const granted = this.#granted[((leafLo >>> 6) & 3) | ((leafHi >>> 19) & 0xc) | (limits << 4)]!;
    const words2 = this.#tableWords2;
    const slot2 =
      (((leafLo >>> 21) ^ (leafLo >>> 31) ^ Math.imul(ipaHi, HI_FACTOR) ^ this.#hash2) & this.#tablesMask2) << 3;
    const isOther2 =
      ((words2[slot2 + LO]! & ~GLOBAL) ^ ((leafLo & (-1 << TABLE_SPAN_BITS)) | VALID)) |
      (words2[slot2 + HI]! ^ ipaHi) |
      (words2[slot2 + TAG]! ^ this.#tag2);
    // with a TLB for stage 2 there is more to look up and to keep
    if (isOther2 !== 0 || this.#hasTlb2) {
      return this.#finish(hi, lo, need, leafLo, leafHi, limits, 1);
    }
    if ((granted & need) === 0 || ipaHi >>> this.#inputShift2 !== 0) return false;
    const window2 = this.#walk2.window;
    const offset2 = ((words2[slot2 + PA_LO]! | ((leafLo >>> 9) & 0xff8)) - window2.lo) >>> 0;
    if (words2[slot2 + PA_HI] !== window2.hi || offset2 >= window2.bytes) return false;
    const leafLo2 = window2.words[offset2 >>> 2]!;
    const leafHi2 = window2.words[(offset2 >>> 2) + 1]!;
    const paHi = leafHi2 & 0xffff;
    if ((leafLo2 & PAGE) !== PAGE || paHi >>> this.#outputShift2 !== 0) return false;
    if ((leafHi2 & this.#dbm2) !== 0 && (leafLo2 & S2_WRITABLE) === 0) return false;
    const permissions = this.#granted2[((leafLo2 >>> 6) & 3) | ((leafHi2 >>> 19) & 0xc)]!;
    if ((permissions & need) === 0) return false;
    this.#counters.transTableWalkAccess += 2;
    const answer = this.#answer;
    answer.paHi = paHi;
    answer.paLo = (leafLo2 & -0x1000) | (lo & 0xfff);
    answer.ipaHi = ipaHi;
    answer.ipaLo = (leafLo & -0x1000) | (lo & 0xfff);
    answer.pageBits = 12;
    answer.found = UNCOMBINED;
    this.#leafLo = leafLo;
    this.#leafLo2 = leafLo2;
    if (this.#hasTlb) this.#remember(hi, lo, granted & permissions, (leafLo & NG) === 0);
    return true;
  }

  /** From the leaf of stage 1 to the answer. */
  #finish(
    hi: number,
    lo: number,
    need: number,
    leafLo: number,
    leafHi: number,
    limits: number,
    reads: number,
  ): boolean {
    const ipaHi = leafHi & 0xffff;
    if ((leafLo & PAGE) !== PAGE || ipaHi >>> this.#outputShift !== 0) return false;
    if ((leafHi & this.#dbm) !== 0 && (leafLo & READ_ONLY) !== 0) return false;
    const granted = this.#granted[((leafLo >>> 6) & 3) | ((leafHi >>> 19) & 0xc) | (limits << 4)]!;
    const ipaLo = (leafLo & -0x1000) | (lo & 0xfff);
    if ((granted & need) === 0 || !this.#locate(ipaHi, ipaLo, need)) return false;
    this.#counters.transTableWalkAccess += reads;
    const answer = this.#answer;
    answer.paHi = this.#paHi;
    answer.paLo = this.#paLo;
    answer.ipaHi = ipaHi;
    answer.ipaLo = ipaLo;
    answer.pageBits = 12;
    answer.found = UNCOMBINED;
    this.#leafLo = leafLo;
    if (this.#hasTlb) this.#remember(hi, lo, granted & this.#permissions, (leafLo & NG) === 0);
    return true;
  }

  /** Memory attributes of what run() found last: they are combined for those who ask, the TLB being one. */
  attributes(): number {
    const own = this.#attributes[stage1AttributeIndex(this.#leafLo)]!;
    return combineStages(own, this.#attributes2[stage2AttributeIndex(this.#leafLo2)]!, this.#fwb);
  }

  /** Where nothing is kept, what has been read is read again by the general path, and counted there. */
  #giveUp(readsBefore: number): false {
    if (!this.#hasTlb2) this.#counters.transTableWalkAccess = readsBefore;
    return false;
  }

  /**
   * Stage 1 from its first level. A walk that gives up is read once more by the general path, so what it read has to stay
   * cached whole, or not at all. With walk caches alone it would stay in part: tables of stage 2, not their leaves. With
   * TLBs alone it would do, but that is a setting for tests.
   */
  #byLevels(hi: number, lo: number, need: number): boolean {
    if (this.#protectsTables || this.#hasTables !== this.#hasTlb2) return false;
    let limits = 0;
    let tableHi = this.#baseHi;
    let tableLo = this.#baseLo;
    for (let level = this.#startLevel; ; level++) {
      const shift = 39 - 9 * level; // 39, 30, 21, 12
      const index = shift >= 32 ? hi >>> 7 : (lo >>> shift) | (hi << (32 - shift));
      const descriptor = tableLo | ((index & 0x1ff) << 3);
      if (!this.#locate(tableHi, descriptor, PRIVILEGED_READ)) return false;
      const window = this.#walk.window;
      const offset = (this.#paLo - window.lo) >>> 0;
      if (this.#paHi !== window.hi || offset >= window.bytes) return false;
      const word = window.words[offset >>> 2]!;
      const upper = window.words[(offset >>> 2) + 1]!;
      if (level === 3) {
        const tablePaHi = this.#paHi;
        const tablePaLo = this.#paLo;
        const bits = this.#isHierarchical ? ((limits >>> 29) & 3) | ((limits >>> 25) & 0xc) : 0;
        if (!this.#finish(hi, lo, need, word, upper, bits, 4 - this.#startLevel)) return false;
        if (this.#hasTables) this.#rememberTable(hi, lo, [tablePaHi, tablePaLo, tableHi, tableLo], bits);
        return true;
      }
      tableHi = upper & 0xffff;
      if ((word & 3) !== 3 || tableHi >>> this.#outputShift !== 0) return false;
      limits |= upper;
      tableLo = word & -0x1000;
    }
  }

  /** Stage 2 of one address; its reads are counted at once, because what they found is kept. */
  #locate(hi: number, lo: number, need: number): boolean {
    if (hi >>> this.#inputShift2 !== 0) return false;
    const mixed = Math.imul(hi, HI_FACTOR) ^ this.#hash2;
    if (this.#hasTlb2) {
      const words = this.#words2;
      const slot = (((lo >>> 12) ^ (lo >>> 22) ^ mixed) & this.#mask2) << 3;
      const isOther =
        ((words[slot + LO]! & ~GLOBAL) ^ ((lo & -0x1000) | VALID)) |
        (words[slot + HI]! ^ hi) |
        (words[slot + TAG]! ^ this.#tag2);
      if (isOther === 0) {
        const info = words[slot + INFO]!;
        const permissions = info & 0x3f;
        this.#leafLo2 = ((info >>> 16) & 0x3c) | ((info >>> 14) & 0x300); // MemAttr and SH where a leaf has them
        this.#paHi = words[slot + PA_HI]!;
        this.#paLo = words[slot + PA_LO]! | (lo & 0xfff);
        this.#permissions = permissions;
        return (permissions & need) !== 0;
      }
    }
    const window = this.#walk2.window;
    const memory = window.words;
    let tableHi = this.#baseHi2;
    let tableLo = this.#baseLo2;
    let reads = 4 - this.#startLevel2;
    let isKnown = false;
    if (this.#hasTables2) {
      const words = this.#tableWords2;
      const slot = (((lo >>> 21) ^ (lo >>> 31) ^ mixed) & this.#tablesMask2) << 3;
      const isOther =
        ((words[slot + LO]! & ~GLOBAL) ^ ((lo & (-1 << TABLE_SPAN_BITS)) | VALID)) |
        (words[slot + HI]! ^ hi) |
        (words[slot + TAG]! ^ this.#tag2);
      isKnown = isOther === 0;
      if (isKnown) {
        tableHi = words[slot + PA_HI]!;
        tableLo = words[slot + PA_LO]!;
        reads = 1;
      }
    }
    if (!isKnown) {
      for (let level = this.#startLevel2; level < 3; level++) {
        const index = level === 2 ? lo >>> 21 : level === 1 ? (hi << 2) | (lo >>> 30) : hi >>> 7;
        const offset = (tableLo - window.lo + ((index & 0x1ff) << 3)) >>> 0;
        if (tableHi !== window.hi || offset >= window.bytes) return false;
        const word = memory[offset >>> 2]!;
        tableHi = memory[(offset >>> 2) + 1]! & 0xffff;
        if ((word & 3) !== 3 || tableHi >>> this.#outputShift2 !== 0) return false;
        tableLo = word & -0x1000;
      }
    }
    const offset = (tableLo - window.lo + ((lo >>> 9) & 0xff8)) >>> 0;
    if (tableHi !== window.hi || offset >= window.bytes) return false;
    const leafLo = memory[offset >>> 2]!;
    const leafHi = memory[(offset >>> 2) + 1]!;
    const paHi = leafHi & 0xffff;
    if ((leafLo & PAGE) !== PAGE || paHi >>> this.#outputShift2 !== 0) return false;
    if ((leafHi & this.#dbm2) !== 0 && (leafLo & S2_WRITABLE) === 0) return false;
    const permissions = this.#granted2[((leafLo >>> 6) & 3) | ((leafHi >>> 19) & 0xc)]!;
    if ((permissions & need) === 0) return false;
    this.#counters.transTableWalkAccess += reads;
    this.#paHi = paHi;
    this.#paLo = (leafLo & -0x1000) | (lo & 0xfff);
    this.#permissions = permissions;
    this.#leafLo2 = leafLo;
    if (this.#hasTlb2) this.#remember2(hi, lo);
    if (this.#hasTables2 && !isKnown) this.#rememberTable2(hi, lo, tableHi, tableLo);
    return true;
  }

  #remember(hi: number, lo: number, permissions: number, isGlobal: boolean): void {
    const fill = this.#fill;
    const { paHi, paLo, ipaHi, ipaLo } = this.#answer;
    fill.paHi = paHi;
    fill.paLo = paLo & -0x1000;
    fill.ipaHi = ipaHi;
    fill.ipaLo = ipaLo & -0x1000;
    fill.permissions = permissions;
    fill.invalidateBits = 12;
    fill.pageBits = 12;
    fill.isGlobal = isGlobal || !this.#hasTwoHalves;
    fill.attributes = this.attributes();
    this.#parts.tlb.fill(hi, lo, this.#tag, this.#key, fill);
  }

  #rememberTable(hi: number, lo: number, found: readonly [number, number, number, number], limits: number): void {
    const fill = this.#fill;
    fill.paHi = found[0];
    fill.paLo = found[1] & -0x1000;
    fill.ipaHi = found[2];
    fill.ipaLo = found[3];
    fill.permissions = limits;
    fill.invalidateBits = TABLE_SPAN_BITS;
    fill.isGlobal = !this.#hasTwoHalves;
    fill.attributes = 0;
    this.#parts.tables.fill(hi, lo, this.#tag, this.#key, fill);
  }

  #remember2(hi: number, lo: number): void {
    const fill = this.#fill;
    fill.paHi = this.#paHi;
    fill.paLo = this.#paLo & -0x1000;
    fill.ipaHi = hi;
    fill.ipaLo = lo & -0x1000;
    fill.permissions = this.#permissions;
    fill.invalidateBits = 12;
    fill.pageBits = 12;
    fill.isGlobal = true;
    fill.attributes = this.#attributes2[stage2AttributeIndex(this.#leafLo2)]!;
    this.#parts.stage2Tlb.fill(hi, lo, this.#tag2, 0, fill);
  }

  #rememberTable2(hi: number, lo: number, tableHi: number, tableLo: number): void {
    const fill = this.#fill;
    fill.paHi = tableHi;
    fill.paLo = tableLo;
    fill.ipaHi = tableHi;
    fill.ipaLo = tableLo;
    fill.permissions = 0;
    fill.invalidateBits = TABLE_SPAN_BITS;
    fill.isGlobal = true;
    fill.attributes = 0;
    this.#parts.stage2Tables.fill(hi, lo, this.#tag2, 0, fill);
  }
}

/** 4 KiB little-endian tables of 48 bits, none concatenated, with an input and output of 32 bits and more. */
function isPlain(format: TableFormat): boolean {
  const isSpecial = format.ds || format.bigEndian || format.haft || format.startIndexBits > 9;
  return (
    format.pageBits === 12 && !isSpecial && format.startLevel >= 0 && format.startLevel < 3 && format.inputBits >= 32
  );
}
