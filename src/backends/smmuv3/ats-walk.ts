// The walk of an ATS translation request: not "may this access pass?" but "what may this device do here?".
// Tables are walked afresh, both stages; flags are updated only when the response grants something.
// Results are fields, valid until the next call.
// Source: IHI 0070G.b §3.9.1.2, §3.13.7, §13.6.3, §13.7.

import { S1_LEAF, S2_LEAF } from "../../spec/descriptor.ts";
import { fitsIn, joinNumber } from "../../spec/u64.ts";
import type { ContextConfig } from "./context.ts";
import type { SmmuCounters } from "./counters.ts";
import type { StageFault } from "./fault.ts";
import type { PhysicalMemory } from "./memory.ts";
import { NestedPath } from "./nested.ts";
import { stage1PermissionIndex, stage2PermissionIndex, WRITE } from "./permissions.ts";
import { isInRange, selectHalf } from "./stage1.ts";
import type { Stage2, Stage2Config } from "./stage2.ts";
import { TableWalk, WALK, type WalkResult } from "./walk.ts";

/** What a request is for. */
export interface AtsAsk {
  /** PERMISSION bits of the privilege it is judged by. */
  readonly level: number;
  /** NW=0: clean pages become dirty. */
  readonly write: boolean;
  /** Split-stage: the answer is an IPA; flags of its own stage 2 leaf wait for the translated access (§13.6.3). */
  readonly split: boolean;
  /** Whether a response with these PERMISSION bits grants anything. */
  readonly grants: (permissions: number) => boolean;
}

const AF = 1 << S1_LEAF.AF.lsb;
const AP2 = 1 << S1_LEAF.AP.msb;
const DBM_HI = 1 << (S1_LEAF.DBM.lsb - 32);
const S2AP_WRITE = 1 << S2_LEAF.S2AP.msb;
const RETRIES_MAX = 8;

const OUT_OF_RANGE: StageFault = Object.freeze({ type: "F_TRANSLATION", stage: 1, class: "IN" });
const ACCESS_FAULT: StageFault = Object.freeze({ type: "F_ACCESS", stage: 1, class: "IN" });
const SIZE_FAULT: StageFault = Object.freeze({ type: "F_ADDR_SIZE", stage: 1, class: "IN" });

/** One stage's leaf: what it grants now, and what has to be written for that. */
interface Leaf {
  readonly permissions: number;
  readonly needsAF: boolean;
  /** Writable-clean, and the request may make it dirty. */
  readonly isClean: boolean;
}

const IDENTITY: Leaf = Object.freeze({ permissions: 0b111_111, needsAF: false, isClean: false });

export class AtsWalk {
  /** Where the response points: a PA, or an IPA for split-stage. */
  address = 0;
  /** log2 of the span all of which has this translation. */
  sizeBits = 0;
  /** PERMISSION bits; 0 when nothing is granted. */
  permissions = 0;
  readonly #path: NestedPath;
  readonly #walk1: TableWalk;
  readonly #walk2: TableWalk;
  /** What the last attempt that was "changed" comes to when it was the last of all. */
  #contended: StageFault | undefined;

  constructor(memory: PhysicalMemory, counters: SmmuCounters, stage2: Stage2) {
    this.#path = new NestedPath(stage2);
    this.#walk1 = new TableWalk(memory, counters, this.#path);
    this.#walk2 = new TableWalk(memory, counters);
  }

  /**
   * Walks for the address hi:lo (signed halves).
   *
   * @param context  undefined: stage 1 is bypassed, and `nested` is given
   * @returns a fault that decides the response, or undefined with the results in the fields
   */
  run(
    context: ContextConfig | undefined,
    nested: Stage2Config | undefined,
    at: { readonly hi: number; readonly lo: number },
    ask: AtsAsk,
  ): StageFault | undefined {
    for (let attempt = 0; attempt < RETRIES_MAX; attempt++) {
      const fault = this.#attempt(context, nested, at, ask);
      if (fault !== "changed") return fault;
    }
    return this.#contended; // memory that never settles counts as an update that failed (§5.4, IR0; §5.2, S2IR0)
  }

  #attempt(
    context: ContextConfig | undefined,
    nested: Stage2Config | undefined,
    at: { readonly hi: number; readonly lo: number },
    ask: AtsAsk,
  ): StageFault | "changed" | undefined {
    this.permissions = 0;
    const first = context === undefined ? IDENTITY : this.#stage1(context, nested, at, ask);
    if (first === "changed" || "type" in first) return first;
    if (!ask.grants(first.permissions & ask.level)) return undefined; // stage 2 is not performed then (§3.9.1.2)
    const [hi, lo] = context === undefined ? [at.hi, at.lo] : [this.#walk1.outHi, this.#walk1.outLo];
    const leafBits = context === undefined ? Number.POSITIVE_INFINITY : this.#walk1.leafBits;
    const last =
      nested === undefined
        ? IDENTITY
        : this.#stage2(nested, hi, lo, {
            write: ask.write && (first.permissions & ask.level & WRITE) !== 0,
            split: ask.split,
          });
    if (last === "changed" || "type" in last) return last;
    const permissions = first.permissions & last.permissions & ask.level;
    if (!ask.grants(permissions)) return undefined;
    const makesDirty = ask.write && (permissions & WRITE) !== 0;
    const failed =
      (context === undefined ? undefined : this.#update1(first, makesDirty)) ??
      (nested === undefined || ask.split ? undefined : this.#update2(last, makesDirty, joinNumber(hi, lo)));
    if (failed !== undefined) return failed;
    const translated = nested !== undefined && !ask.split;
    this.address = translated ? joinNumber(this.#walk2.outHi, this.#walk2.outLo) : joinNumber(hi, lo);
    this.sizeBits = nested === undefined ? leafBits : Math.min(leafBits, this.#walk2.leafBits);
    this.permissions = permissions;
    return undefined;
  }

  #stage1(
    context: ContextConfig,
    nested: Stage2Config | undefined,
    { hi, lo }: { readonly hi: number; readonly lo: number },
    ask: AtsAsk,
  ): Leaf | StageFault | "changed" {
    const half = selectHalf(context, hi);
    if (half === undefined || !half.isEnabled || !isInRange(half, context.hasTwoHalves, hi, lo)) return OUT_OF_RANGE;
    if (half.e0pd && (ask.level & UNPRIVILEGED) !== 0) return OUT_OF_RANGE;
    this.#path.config = nested;
    const bits = half.inputBits;
    const upper = (hi << 8) >> 8;
    const inHi = bits >= 32 ? upper & ((1 << (bits - 32)) - 1) : 0;
    const inLo = bits >= 32 ? lo : lo & ((1 << bits) - 1);
    const walk = this.#walk1;
    const found = walk.run(half.format, inHi, inLo);
    if (found !== WALK.OK) return this.#failed(found, this.#fault1(found));
    const needsAF = (walk.lo & AF) === 0 && !(context.affd && !context.ha);
    if (needsAF && !context.ha) return ACCESS_FAULT;
    const isClean = context.hd && (walk.hi & DBM_HI) !== 0 && (walk.lo & AP2) !== 0;
    const index = stage1PermissionIndex(isClean ? walk.lo & ~AP2 : walk.lo, walk.hi, walk.tableLimits);
    const granted = context.granted[index]!;
    return { permissions: isClean && !ask.write ? granted & ~WRITE : granted, needsAF, isClean };
  }

  /** @param ask  write: the dirty state may change; split: a clean page is as good as a dirty one */
  #stage2(
    config: Stage2Config,
    hi: number,
    lo: number,
    ask: { readonly write: boolean; readonly split: boolean },
  ): Leaf | StageFault | "changed" {
    const ipa = joinNumber(hi, lo);
    if (!fitsIn(hi, lo, config.format.inputBits)) return { type: "F_TRANSLATION", stage: 2, class: "IN", ipa };
    const walk = this.#walk2;
    const found = walk.run(config.format, hi, lo);
    if (found !== WALK.OK) return this.#failed(found, this.#fault2(found, ipa));
    const needsAF = (walk.lo & AF) === 0 && !(config.affd && !config.ha);
    if (needsAF && !config.ha) return { type: "F_ACCESS", stage: 2, class: "IN", ipa };
    const isClean = config.hd && (walk.hi & DBM_HI) !== 0 && (walk.lo & S2AP_WRITE) === 0;
    const granted = config.granted[stage2PermissionIndex(isClean ? walk.lo | S2AP_WRITE : walk.lo, walk.hi)]!;
    const keepsWrite = !isClean || ask.write || ask.split;
    return { permissions: keepsWrite ? granted : granted & ~WRITE, needsAF, isClean };
  }

  #update1(leaf: Leaf, makesDirty: boolean): StageFault | "changed" | undefined {
    const dirties = leaf.isClean && makesDirty;
    if (!leaf.needsAF && !dirties) return undefined;
    const walk = this.#walk1;
    const result = walk.update((walk.lo | AF) & (dirties ? ~AP2 : -1), walk.hi);
    if (result === WALK.OK) return undefined;
    return this.#failed(result, this.#fault1(result));
  }

  #update2(leaf: Leaf, makesDirty: boolean, ipa: number): StageFault | "changed" | undefined {
    const dirties = leaf.isClean && makesDirty;
    if (!leaf.needsAF && !dirties) return undefined;
    const walk = this.#walk2;
    const result = walk.update(walk.lo | AF | (dirties ? S2AP_WRITE : 0), walk.hi);
    if (result === WALK.OK) return undefined;
    return this.#failed(result, this.#fault2(result, ipa));
  }

  #failed(result: WalkResult, fault: StageFault): StageFault | "changed" {
    if (result !== WALK.CHANGED) return fault;
    this.#contended = fault;
    return "changed";
  }

  #fault1(result: WalkResult): StageFault {
    if (result === WALK.TRANSLATION) return OUT_OF_RANGE;
    if (result === WALK.ADDRESS_SIZE) return SIZE_FAULT;
    if (result === WALK.PATH && this.#path.fault !== undefined) return this.#path.fault;
    return { type: "F_WALK_EABT", stage: 1, class: "TTD", fetchAddress: this.#walk1.fetchAddress };
  }

  #fault2(result: WalkResult, ipa: number): StageFault {
    if (result === WALK.TRANSLATION) return { type: "F_TRANSLATION", stage: 2, class: "IN", ipa };
    if (result === WALK.ADDRESS_SIZE) return { type: "F_ADDR_SIZE", stage: 2, class: "IN", ipa };
    return { type: "F_WALK_EABT", stage: 2, class: "IN", ipa, fetchAddress: this.#walk2.fetchAddress };
  }
}

const UNPRIVILEGED = 0b000_111;
