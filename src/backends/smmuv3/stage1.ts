// Stage 1: from a virtual address to an IPA or physical address, and on through stage 2 when there is one.
// Whole translations are cached by VMID, ASID, StreamWorld and address; a refused access always walks again.
// Results are fields, valid until the next call.
// Source: IHI 0070G.b §3.4.1 (ranges), §3.13, §5.4, §7.3.22; DDI 0487 D8.4, D8.5.

import { S1_LEAF } from "../../spec/descriptor.ts";
import type { ContextConfig, HalfConfig } from "./context.ts";
import type { SmmuCounters } from "./counters.ts";
import type { StageFault } from "./fault.ts";
import type { PhysicalMemory } from "./memory.ts";
import { NestedPath } from "./nested.ts";
import { stage1Permissions, WRITE } from "./permissions.ts";
import type { Stage2, Stage2Config } from "./stage2.ts";
import type { Tlb } from "./tlb.ts";
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
  pa = 0;
  /** What stage 2 was given; -1 without stage 2. */
  ipa = -1;
  /** log2 of the page or block, the smaller of the two stages'. */
  pageBits = 0;
  isHit = false;
  #permissions = 0;
  #leafBits = 0;
  #isGlobal = false;
  readonly #tlb: Tlb;
  readonly #stage2: Stage2;
  readonly #path: NestedPath;
  readonly #walk: TableWalk;

  constructor(memory: PhysicalMemory, counters: SmmuCounters, tlb: Tlb, stage2: Stage2) {
    this.#tlb = tlb;
    this.#stage2 = stage2;
    this.#path = new NestedPath(stage2);
    this.#walk = new TableWalk(memory, counters, this.#path);
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
      const offset = lo & 0xfff;
      this.pa = this.#tlb.pa(slot) + offset;
      this.ipa = nested === undefined ? -1 : this.#tlb.ipa(slot) + offset;
      this.pageBits = this.#tlb.pageBits(slot);
      return undefined;
    }
    if (!half.isEnabled) return OUT_OF_RANGE;
    const fault = this.#translateByWalk(context, half, nested, upper, lo, need);
    if (fault === undefined) this.#remember(context, upper, lo);
    return fault;
  }

  #translateByWalk(
    context: ContextConfig,
    half: HalfConfig,
    nested: Stage2Config | undefined,
    hi: number,
    lo: number,
    need: number,
  ): StageFault | undefined {
    this.#path.config = nested;
    const bits = half.inputBits;
    const inHi = bits >= 32 ? hi & (2 ** (bits - 32) - 1) : 0;
    const inLo = bits >= 32 ? lo : lo & (2 ** bits - 1);
    for (let attempt = 0; attempt < RETRIES_MAX; attempt++) {
      const result = this.#attempt(context, half, inHi, inLo, need);
      if (result === "changed") continue;
      if (result !== undefined) return result;
      return this.#finish(nested, need);
    }
    return this.#walkFault(WALK.EXTERNAL_ABORT); // memory that never settles: the update failed (§5.4, IR0)
  }

  #attempt(
    context: ContextConfig,
    half: HalfConfig,
    inHi: number,
    inLo: number,
    need: number,
  ): StageFault | "changed" | undefined {
    const walk = this.#walk;
    const found = walk.run(half.format, inHi, inLo);
    if (found === WALK.CHANGED) return "changed";
    if (found !== WALK.OK) return this.#walkFault(found);
    const needsAF = (walk.lo & AF) === 0 && !(context.affd && !context.ha);
    if (needsAF && !context.ha) return ACCESS_FAULT;
    const isClean = context.hd && (walk.hi & DBM_HI) !== 0 && (walk.lo & AP2) !== 0;
    const granted = stage1Permissions(isClean ? walk.lo & ~AP2 : walk.lo, walk.hi, walk.tableLimits, context.controls);
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

  #finish(nested: Stage2Config | undefined, need: number): StageFault | undefined {
    const output = this.#walk.output;
    if (nested === undefined) {
      this.pa = output;
      this.ipa = -1;
      this.pageBits = this.#leafBits;
      return undefined;
    }
    const fault = this.#stage2.translate(nested, output, need, "IN");
    if (fault !== undefined) return fault;
    this.pa = this.#stage2.pa;
    this.ipa = output;
    this.pageBits = Math.min(this.#leafBits, this.#stage2.pageBits);
    this.#permissions &= this.#stage2.permissions;
    return undefined;
  }

  #remember(context: ContextConfig, hi: number, lo: number): void {
    const offset = lo & 0xfff;
    this.#tlb.fill(hi, lo, context.tag, context.key, {
      pa: this.pa - offset,
      ipa: this.ipa < 0 ? -1 : this.ipa - offset,
      permissions: this.#permissions,
      invalidateBits: this.#leafBits,
      pageBits: this.pageBits,
      isGlobal: this.#isGlobal,
      attributes: 0,
    });
  }

  #walkFault(result: WalkResult): StageFault {
    if (result === WALK.TRANSLATION) return OUT_OF_RANGE;
    if (result === WALK.ADDRESS_SIZE) return SIZE_FAULT;
    if (result === WALK.PATH && this.#path.fault !== undefined) return this.#path.fault;
    return { type: "F_WALK_EABT", stage: 1, class: "TTD", fetchAddress: this.#walk.fetchAddress };
  }
}

/** VA[55] selects the half; EL2 has one half and takes every address to it. Source: §3.4.1. */
function selectHalf(context: ContextConfig, hi: number): HalfConfig | undefined {
  if (!context.hasTwoHalves) return context.halves[0];
  return context.halves[(hi >>> 23) & 1];
}

/** VA[AddrTop:N-1 or N] must be one sign, or zero in EL2; TBI leaves VA[63:56] out. Source: §3.4.1. */
function isInRange(half: HalfConfig, hasTwoHalves: boolean, hi: number, lo: number): boolean {
  if (!half.isEnabled) return true; // nothing of a disabled half is judged, its walk faults anyway (§5.4.1.1)
  const signed = half.tbi ? (hi << 8) >> 8 : hi | 0;
  const expected = hasTwoHalves && ((hi >>> 23) & 1) === 1 ? -1 : 0;
  if (half.inputBits >= 32) return signed >> (half.inputBits - 32) === expected;
  return signed === expected && lo >> half.inputBits === expected;
}
