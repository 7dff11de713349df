// Stage 1: from a virtual address to an IPA or physical address, and on through stage 2 when there is one.
// Whole translations are cached by VMID, ASID, StreamWorld and address; a refused access always walks again.
// Results are fields, valid until the next call.
// Source: IHI 0070G.b §3.4.1 (ranges), §3.13, §5.4, §7.3.22; DDI 0487 D8.4, D8.5.

import { S1_LEAF } from "../../spec/descriptor.ts";
import type { ContextConfig, HalfConfig } from "./context.ts";
import type { SmmuCounters } from "./counters.ts";
import type { StageFault } from "./fault.ts";
import type { PhysicalMemory } from "./memory.ts";
import { combineStages, stage1AttributeIndex } from "./memory-type.ts";
import { NestedPath } from "./nested.ts";
import { stage1PermissionIndex, WRITE } from "./permissions.ts";
import type { Stage2, Stage2Config } from "./stage2.ts";
import type { TableFormat } from "./table-format.ts";
import { type Tlb, TlbFill } from "./tlb.ts";
import { TableWalk, WALK, type WalkResult } from "./walk.ts";

const AF = 1 << S1_LEAF.AF.lsb;
const AP2 = 1 << S1_LEAF.AP.msb;
const NG = 1 << S1_LEAF.nG.lsb;
const DBM_HI = 1 << (S1_LEAF.DBM.lsb - 32);
const RETRIES_MAX = 8;

const OUT_OF_RANGE: StageFault = Object.freeze({ type: "F_TRANSLATION", stage: 1, class: "IN" });
const ACCESS_FAULT: StageFault = Object.freeze({ type: "F_ACCESS", stage: 1, class: "IN" });
const PERMISSION_FAULT: StageFault = Object.freeze({ type: "F_PERMISSION", stage: 1, class: "IN" });
const SIZE_FAULT: StageFault = Object.freeze({ type: "F_ADDR_SIZE", stage: 1, class: "IN" });

export class Stage1 {
  paHi = 0;
  paLo = 0;
  /** What stage 2 was given; ipaHi is -1 without stage 2. */
  ipaHi = -1;
  ipaLo = 0;
  /** log2 of the page or block, the smaller of the two stages'. */
  pageBits = 0;
  /** Memory attributes of the leaf, with stage 2's when there is one; without the hints of the transaction. */
  attributes = 0;
  isHit = false;
  #permissions = 0;
  #leafBits = 0;
  #isGlobal = false;
  readonly #tlb: Tlb;
  readonly #tables: Tlb;
  readonly #fill = new TlbFill();
  readonly #stage2: Stage2;
  readonly #path: NestedPath;
  readonly walk: TableWalk;

  /** @param tables  the walk cache: leaf tables by address[55:21] */
  constructor(parts: { memory: PhysicalMemory; counters: SmmuCounters; tlb: Tlb; tables: Tlb; stage2: Stage2 }) {
    const { memory, counters, stage2 } = parts;
    this.#tlb = parts.tlb;
    this.#tables = parts.tables;
    this.#stage2 = stage2;
    this.#path = new NestedPath(stage2);
    this.walk = new TableWalk(memory, counters, this.#path);
  }

  /**
   * Translates the address hi:lo through stage 1, then stage 2 if `nested` is given.
   *
   * @param need  the one PERMISSION bit the access needs
   */
  translate(
    context: ContextConfig,
    nested: Stage2Config | undefined,
    hi: number,
    lo: number,
    need: number,
  ): StageFault | undefined {
    this.isHit = false;
    const upper = (hi << 8) >> 8; // address[55:32], sign-extended: the top byte is judged by isInRange
    const half = selectHalf(context, hi);
    if (half === undefined || !isInRange(half, context.hasTwoHalves, hi, lo)) return OUT_OF_RANGE;
    if (half.e0pd && (need & 0b000_111) !== 0) return OUT_OF_RANGE;
    const slot = this.#tlb.find(upper, lo, context.tag, context.key);
    if (slot >= 0 && (this.#tlb.permissions(slot) & need) !== 0) {
      this.isHit = true;
      this.paHi = this.#tlb.paHi(slot);
      this.paLo = this.#tlb.paLo(slot) | (lo & 0xfff);
      this.ipaHi = nested === undefined ? -1 : this.#tlb.ipaHi(slot);
      this.ipaLo = this.#tlb.ipaLo(slot) | (lo & 0xfff);
      this.pageBits = this.#tlb.pageBits(slot);
      this.attributes = this.#tlb.attributes(slot);
      return undefined;
    }
    if (!half.isEnabled) return OUT_OF_RANGE;
    this.#path.config = nested;
    const bits = half.inputBits;
    const inHi = bits >= 32 ? upper & ((1 << (bits - 32)) - 1) : 0;
    const inLo = bits >= 32 ? lo : lo & ((1 << bits) - 1);
    const table = this.#tables.find(upper, lo, context.tag, context.key);
    if (
      table >= 0 &&
      this.#byTable(context, half.format, table, inHi, inLo, need) &&
      this.#finish(half, nested, need) === undefined
    ) {
      this.#remember(context, upper, lo);
      return undefined;
    }
    const fault = this.#byWalk(context, half.format, inHi, inLo, need) ?? this.#finish(half, nested, need);
    if (fault !== undefined) return fault;
    if (this.#tables.entries > 0 && this.walk.leafTable(half.format, this.#fill))
      this.#rememberTable(context, upper, lo);
    this.#remember(context, upper, lo);
    return undefined;
  }

  /** By the leaf table of the walk cache; false: whatever is in the way, a whole walk says it exactly. */
  #byTable(context: ContextConfig, format: TableFormat, slot: number, hi: number, lo: number, need: number): boolean {
    const found = this.walk.runCached(format, this.#tables, slot, hi, lo);
    return found === WALK.OK && this.#settle(context, need) === undefined;
  }

  #byWalk(context: ContextConfig, format: TableFormat, hi: number, lo: number, need: number): StageFault | undefined {
    for (let attempt = 0; attempt < RETRIES_MAX; attempt++) {
      const found = this.walk.run(format, hi, lo);
      if (found === WALK.CHANGED) continue;
      if (found !== WALK.OK) return this.#walkFault(found);
      const fault = this.#settle(context, need);
      if (fault !== "changed") return fault;
    }
    return this.#walkFault(WALK.EXTERNAL_ABORT); // memory that never settles: the update failed (§5.4, IR0)
  }

  /** Judges the leaf, and updates its Access flag and dirty state where hardware does that. */
  #settle(context: ContextConfig, need: number): StageFault | "changed" | undefined {
    const walk = this.walk;
    const needsAF = (walk.lo & AF) === 0 && !(context.affd && !context.ha);
    if (needsAF && !context.ha) return ACCESS_FAULT;
    const isClean = context.hd && (walk.hi & DBM_HI) !== 0 && (walk.lo & AP2) !== 0;
    const granted =
      context.granted[stage1PermissionIndex(isClean ? walk.lo & ~AP2 : walk.lo, walk.hi, walk.tableLimits)]!;
    if ((granted & need) === 0) return PERMISSION_FAULT;
    const makesDirty = isClean && (need & WRITE) !== 0;
    if (needsAF || makesDirty) {
      const updated = walk.update((walk.lo | AF) & (makesDirty ? ~AP2 : -1), walk.hi);
      if (updated === WALK.CHANGED) return "changed";
      if (updated !== WALK.OK) return this.#walkFault(updated);
    }
    this.#permissions = isClean && !makesDirty ? granted & ~WRITE : granted;
    this.#leafBits = walk.leafBits;
    this.#isGlobal = !context.hasTwoHalves || (walk.lo & NG) === 0;
    return undefined;
  }

  #finish(half: HalfConfig, nested: Stage2Config | undefined, need: number): StageFault | undefined {
    const { outHi, outLo } = this.walk;
    const attributes = half.attributes[stage1AttributeIndex(this.walk.lo)]!;
    if (nested === undefined) {
      this.attributes = attributes;
      this.paHi = outHi;
      this.paLo = outLo;
      this.ipaHi = -1;
      this.ipaLo = 0;
      this.pageBits = this.#leafBits;
      return undefined;
    }
    const stage2 = this.#stage2;
    const fault = stage2.translate(nested, outHi, outLo, need, "IN");
    if (fault !== undefined) return fault;
    this.paHi = stage2.paHi;
    this.paLo = stage2.paLo;
    this.ipaHi = outHi;
    this.ipaLo = outLo;
    this.pageBits = this.#leafBits < stage2.pageBits ? this.#leafBits : stage2.pageBits;
    this.#permissions &= stage2.permissions;
    this.attributes = combineStages(attributes, stage2.attributes, nested.fwb);
    return undefined;
  }

  #rememberTable(context: ContextConfig, hi: number, lo: number): void {
    const fill = this.#fill;
    fill.attributes = 0;
    fill.isGlobal = !context.hasTwoHalves; // nG is the leaf's: a table belongs to its ASID
    this.#tables.fill(hi, lo, context.tag, context.key, fill);
  }

  #remember(context: ContextConfig, hi: number, lo: number): void {
    if (this.#tlb.entries === 0) return;
    const fill = this.#fill;
    fill.paHi = this.paHi;
    fill.paLo = this.paLo & -0x1000;
    fill.ipaHi = this.ipaHi;
    fill.ipaLo = this.ipaLo & -0x1000;
    fill.permissions = this.#permissions;
    fill.invalidateBits = this.#leafBits;
    fill.pageBits = this.pageBits;
    fill.attributes = this.attributes;
    fill.isGlobal = this.#isGlobal;
    this.#tlb.fill(hi, lo, context.tag, context.key, fill);
  }

  #walkFault(result: WalkResult): StageFault {
    if (result === WALK.TRANSLATION) return OUT_OF_RANGE;
    if (result === WALK.ADDRESS_SIZE) return SIZE_FAULT;
    if (result === WALK.PATH && this.#path.fault !== undefined) return this.#path.fault;
    return { type: "F_WALK_EABT", stage: 1, class: "TTD", fetchAddress: this.walk.fetchAddress };
  }
}

/** VA[55] selects the half; EL2 has one half and takes every address to it. Source: §3.4.1. */
export function selectHalf(context: ContextConfig, hi: number): HalfConfig | undefined {
  if (!context.hasTwoHalves) return context.halves[0];
  return context.halves[(hi >>> 23) & 1];
}

/** VA[AddrTop:N-1 or N] must be one sign, or zero in EL2; TBI leaves VA[63:56] out. Source: §3.4.1. */
export function isInRange(half: HalfConfig, hasTwoHalves: boolean, hi: number, lo: number): boolean {
  if (!half.isEnabled) return true; // nothing of a disabled half is judged, its walk faults anyway (§5.4.1.1)
  const signed = half.tbi ? (hi << 8) >> 8 : hi | 0;
  const expected = hasTwoHalves && ((hi >>> 23) & 1) === 1 ? -1 : 0;
  if (half.inputBits >= 32) return signed >> (half.inputBits - 32) === expected;
  return signed === expected && lo >> half.inputBits === expected;
}
