// Stage 2: from an IPA to a physical address, for the transaction itself and for what stage 1 fetches.
// Translations are cached by VMID and IPA; a refused access always walks again, so that the fault is exact.
// Results are fields, valid until the next call.
// Source: IHI 0070G.b §3.4, §3.13, §5.2 (S2*), §7.3.13 to §7.3.16; DDI 0487 D8.4, D8.5.

import { S2_LEAF } from "../../spec/descriptor.ts";
import { hi32, lo32, pow2 } from "../../spec/u64.ts";
import type { SmmuCounters } from "./counters.ts";
import type { FaultClass, StageFault } from "./fault.ts";
import type { Features } from "./id-registers.ts";
import type { PhysicalMemory } from "./memory.ts";
import { isStage2Device, PERMISSION, stage2Permissions, WRITE } from "./permissions.ts";
import { type DecodedSTE, translatesStage1 } from "./ste.ts";
import { stage2Format, type TableFormat } from "./table-format.ts";
import { type Tlb, tlbTag } from "./tlb.ts";
import { DIRECT_PATH, TableWalk, WALK, type WalkResult } from "./walk.ts";

/** Stage 2 of one STE, decoded once. */
export interface Stage2Config {
  readonly format: TableFormat;
  readonly inputLimit: number;
  readonly tag: number;
  readonly affd: boolean;
  readonly ha: boolean;
  readonly hd: boolean;
  readonly xnx: boolean;
  readonly fwb: boolean;
  readonly protectedWalk: boolean;
  readonly record: boolean;
  readonly stall: boolean;
}

/** Takes what stage 2 needs from a legal STE with Config=0b11x. */
export function stage2Config(ste: DecodedSTE, vmid: number, features: Features): Stage2Config {
  const format = stage2Format(ste, features);
  const ha = features.httu >= 1 && ste.S2HA === 1;
  return Object.freeze({
    format,
    inputLimit: pow2(format.inputBits),
    tag: tlbTag(vmid, 0),
    affd: ste.S2AFFD === 1,
    ha,
    hd: features.httu >= 2 && ha && ste.S2HD === 1, // S2HD without S2HA behaves as neither
    xnx: features.xnx,
    fwb: features.fwb && ste.S2FWB === 1,
    protectedWalk: translatesStage1(ste) && ste.S2PTW === 1,
    record: ste.S2R === 1,
    stall: ste.S2S === 1,
  });
}

const AF = 1 << S2_LEAF.AF.lsb;
const S2AP_WRITE = 1 << S2_LEAF.S2AP.msb;
const DBM_HI = 1 << (S2_LEAF.DBM.lsb - 32);
const RETRIES_MAX = 8;

export class Stage2 {
  pa = 0;
  /** log2 of the page or block. */
  pageBits = 0;
  /** PERMISSION bits that a cached copy of this translation may grant. */
  permissions = 0;
  /** MemAttr[3:0] and SH[1:0] of the leaf: bits [3:0] and [5:4]. */
  attributes = 0;
  /** True when the last translation came from the TLB. */
  isHit = false;
  readonly #tlb: Tlb;
  readonly #walk: TableWalk;

  constructor(memory: PhysicalMemory, counters: SmmuCounters, tlb: Tlb) {
    this.#tlb = tlb;
    this.#walk = new TableWalk(memory, counters, DIRECT_PATH);
  }

  /**
   * Translates an IPA.
   *
   * @param need  the one PERMISSION bit the access needs
   * @param kind  IN for the transaction's own address, TTD or CD for what stage 1 fetches
   * @returns the fault, or undefined with the results in the fields
   */
  translate(config: Stage2Config, ipa: number, need: number, kind: FaultClass): StageFault | undefined {
    if (ipa >= config.inputLimit) return { type: "F_TRANSLATION", stage: 2, class: kind, ipa };
    const hi = hi32(ipa);
    const lo = lo32(ipa);
    const slot = this.#tlb.find(hi, lo, config.tag, 0);
    this.isHit = slot >= 0 && (this.#tlb.permissions(slot) & need) !== 0 && !this.#isForbidden(config, slot, kind);
    if (this.isHit) {
      this.pa = this.#tlb.pa(slot) + (lo & 0xfff);
      this.pageBits = this.#tlb.pageBits(slot);
      this.permissions = this.#tlb.permissions(slot);
      this.attributes = this.#tlb.attributes(slot);
      return undefined;
    }
    for (let attempt = 0; attempt < RETRIES_MAX; attempt++) {
      const result = this.#attempt(config, ipa, need, kind);
      if (result !== "changed") return result;
    }
    // memory that never settles counts as an update that failed (§5.2, S2IR0)
    return { type: "F_WALK_EABT", stage: 2, class: kind, ipa, fetchAddress: this.#walk.fetchAddress };
  }

  #isForbidden(config: Stage2Config, slot: number, kind: FaultClass): boolean {
    return kind !== "IN" && config.protectedWalk && isStage2Device(this.#tlb.attributes(slot) & 0xf, config.fwb);
  }

  #attempt(config: Stage2Config, ipa: number, need: number, kind: FaultClass): StageFault | "changed" | undefined {
    const walk = this.#walk;
    const found = walk.run(config.format, hi32(ipa), lo32(ipa));
    if (found === WALK.CHANGED) return "changed";
    if (found !== WALK.OK) return this.#walkFault(found, ipa, kind);
    const needsAF = (walk.lo & AF) === 0 && !(config.affd && !config.ha);
    if (needsAF && !config.ha) return { type: "F_ACCESS", stage: 2, class: kind, ipa };
    const isClean = config.hd && (walk.hi & DBM_HI) !== 0 && (walk.lo & S2AP_WRITE) === 0;
    const granted = stage2Permissions(isClean ? walk.lo | S2AP_WRITE : walk.lo, walk.hi, config.xnx);
    const memAttr = (walk.lo >>> 2) & 0xf;
    const isForbidden = kind !== "IN" && config.protectedWalk && isStage2Device(memAttr, config.fwb);
    if ((granted & need) === 0 || isForbidden) return permissionFault(ipa, need, kind);
    const makesDirty = isClean && (need & WRITE) !== 0;
    if (needsAF || makesDirty) {
      const updated = walk.update(walk.lo | AF | (makesDirty ? S2AP_WRITE : 0), walk.hi);
      if (updated === WALK.CHANGED) return "changed";
      if (updated !== WALK.OK) return this.#walkFault(updated, ipa, kind);
    }
    this.pa = walk.output;
    this.pageBits = walk.leafBits;
    this.permissions = isClean && !makesDirty ? granted & ~WRITE : granted;
    this.attributes = memAttr | (((walk.lo >>> 8) & 3) << 4);
    this.#remember(config, ipa);
    return undefined;
  }

  #remember(config: Stage2Config, ipa: number): void {
    this.#tlb.fill(hi32(ipa), lo32(ipa), config.tag, 0, {
      pa: this.pa - (ipa % 0x1000),
      ipa: ipa - (ipa % 0x1000),
      permissions: this.permissions,
      invalidateBits: this.pageBits,
      pageBits: this.pageBits,
      isGlobal: true,
      attributes: this.attributes,
    });
  }

  #walkFault(result: WalkResult, ipa: number, kind: FaultClass): StageFault {
    if (result === WALK.TRANSLATION) return { type: "F_TRANSLATION", stage: 2, class: kind, ipa };
    if (result === WALK.ADDRESS_SIZE) return { type: "F_ADDR_SIZE", stage: 2, class: kind, ipa };
    return { type: "F_WALK_EABT", stage: 2, class: kind, ipa, fetchAddress: this.#walk.fetchAddress };
  }
}

function permissionFault(ipa: number, need: number, kind: FaultClass): StageFault {
  if (kind !== "TTD") return { type: "F_PERMISSION", stage: 2, class: kind, ipa };
  return { type: "F_PERMISSION", stage: 2, class: kind, ipa, tableRead: need === PERMISSION.PRIVILEGED_READ };
}
