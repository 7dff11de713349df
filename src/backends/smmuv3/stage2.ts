// Stage 2: from an IPA to a physical address, for the transaction itself and for what stage 1 fetches.
// Translations are cached by VMID and IPA; a refused access always walks again, so that the fault is exact.
// Results are fields, valid until the next call.
// Source: IHI 0070G.b §3.4, §3.13, §5.2 (S2*), §7.3.13 to §7.3.16; DDI 0487 D8.4, D8.5.

import { S2_LEAF } from "../../spec/descriptor.ts";
import { fitsIn, joinNumber } from "../../spec/u64.ts";
import type { SmmuCounters } from "./counters.ts";
import type { FaultClass, StageFault } from "./fault.ts";
import type { Features } from "./id-registers.ts";
import type { PhysicalMemory } from "./memory.ts";
import { stage2AttributeIndex, stage2AttributeTable } from "./memory-type.ts";
import { isStage2Device, PERMISSION, stage2PermissionIndex, stage2PermissionTable, WRITE } from "./permissions.ts";
import { type DecodedSTE, effectiveS2DS, translatesStage1 } from "./ste.ts";
import { stage2Format, type TableFormat } from "./table-format.ts";
import { type Tlb, TlbFill, tlbTag } from "./tlb.ts";
import { TableWalk, WALK, type WalkResult } from "./walk.ts";

/** Stage 2 of one STE, decoded once. */
export interface Stage2Config {
  readonly format: TableFormat;
  readonly tag: number;
  readonly affd: boolean;
  readonly ha: boolean;
  readonly hd: boolean;
  /** PERMISSION bits by stage2PermissionIndex(). */
  readonly granted: Uint8Array;
  /** What stage 2 says of memory, by stage2AttributeIndex(). */
  readonly attributes: Uint8Array;
  readonly fwb: boolean;
  /** S2PTW of a nested stream. Without it PTWNNC gives tables in Device memory another type, which nothing here sees. */
  readonly protectedWalk: boolean;
  readonly record: boolean;
  readonly stall: boolean;
}

/** Takes what stage 2 needs from a legal STE with Config=0b11x. */
export function stage2Config(ste: DecodedSTE, vmid: number, features: Features): Stage2Config {
  const format = stage2Format(ste, features);
  const ha = features.httu >= 1 && ste.S2HA === 1;
  const fwb = features.fwb && ste.S2FWB === 1;
  const fixedSH = effectiveS2DS(ste, features) ? ste.S2SH0 : undefined;
  return Object.freeze({
    format,
    tag: tlbTag(vmid, 0),
    affd: ste.S2AFFD === 1,
    ha,
    hd: features.httu >= 2 && ha && ste.S2HD === 1, // S2HD without S2HA behaves as neither
    granted: stage2PermissionTable(features.xnx),
    attributes: stage2AttributeTable({ fwb, mtePerm: features.mtePerm, fixedSH }),
    fwb,
    protectedWalk: translatesStage1(ste) && ste.S2PTW === 1,
    record: ste.S2R === 1,
    stall: ste.S2S === 1,
  });
}

const AF = 1 << S2_LEAF.AF.lsb;
const S2AP_WRITE = 1 << S2_LEAF.S2AP.msb;
const DBM_HI = 1 << (S2_LEAF.DBM.lsb - 32);
const RETRIES_MAX = 8;

/** What became of a leaf that a walk found. */
const SETTLED = { OK: 0, NOT_WALKED: 1, ACCESS: 2, PERMISSION: 3, NOT_UPDATED: 4 } as const;
type Settled = (typeof SETTLED)[keyof typeof SETTLED];

export class Stage2 {
  paHi = 0;
  paLo = 0;
  /** log2 of the page or block. */
  pageBits = 0;
  /** PERMISSION bits that a cached copy of this translation may grant. */
  permissions = 0;
  /** What the leaf says of memory: MemAttr in [3:0], SH in [5:4], without reserved values. */
  attributes = 0;
  /** True when the last translation came from the TLB. */
  isHit = false;
  readonly #tlb: Tlb;
  readonly #tables: Tlb;
  readonly walk: TableWalk;
  readonly #fill = new TlbFill();
  /** Why the last update failed. */
  #updated: WalkResult = WALK.OK;

  /** @param tables  the walk cache: leaf tables by IPA[51:21] */
  constructor(memory: PhysicalMemory, counters: SmmuCounters, tlb: Tlb, tables: Tlb) {
    this.#tlb = tlb;
    this.#tables = tables;
    this.walk = new TableWalk(memory, counters);
  }

  /**
   * Translates the IPA hi:lo.
   *
   * @param need  the one PERMISSION bit the access needs
   * @param kind  IN for the transaction's own address, TTD or CD for what stage 1 fetches
   * @returns the fault, or undefined with the results in the fields
   */
  translate(config: Stage2Config, hi: number, lo: number, need: number, kind: FaultClass): StageFault | undefined {
    this.isHit = false;
    if (!fitsIn(hi, lo, config.format.inputBits)) return translationFault(joinNumber(hi, lo), kind);
    const slot = this.#tlb.find(hi, lo, config.tag, 0);
    if (slot >= 0 && (this.#tlb.permissions(slot) & need) !== 0 && !this.#isForbidden(config, slot, kind)) {
      this.isHit = true;
      this.paHi = this.#tlb.paHi(slot);
      this.paLo = this.#tlb.paLo(slot) | (lo & 0xfff);
      this.pageBits = this.#tlb.pageBits(slot);
      this.permissions = this.#tlb.permissions(slot);
      this.attributes = this.#tlb.attributes(slot);
      return undefined;
    }
    const table = this.#tables.find(hi, lo, config.tag, 0);
    if (table >= 0 && this.#byTable(config, table, hi, lo, need, kind)) return undefined;
    return this.#byWalk(config, hi, lo, need, kind);
  }

  #isForbidden(config: Stage2Config, slot: number, kind: FaultClass): boolean {
    return kind !== "IN" && config.protectedWalk && isStage2Device(this.#tlb.attributes(slot) & 0xf, config.fwb);
  }

  /** By the leaf table of the walk cache; false: whatever is in the way, a whole walk says it exactly. */
  #byTable(config: Stage2Config, slot: number, hi: number, lo: number, need: number, kind: FaultClass): boolean {
    const found = this.walk.runCached(config.format, this.#tables, slot, hi, lo);
    if (found !== WALK.OK || this.#settle(config, need, kind) !== SETTLED.OK) return false;
    this.#remember(config, hi, lo);
    return true;
  }

  #byWalk(config: Stage2Config, hi: number, lo: number, need: number, kind: FaultClass): StageFault | undefined {
    const ipa = joinNumber(hi, lo);
    for (let attempt = 0; attempt < RETRIES_MAX; attempt++) {
      const found = this.walk.runDirect(config.format, hi, lo);
      const settled = found === WALK.OK ? this.#settle(config, need, kind) : SETTLED.NOT_WALKED;
      if (settled === SETTLED.OK) {
        if (this.#tables.entries > 0 && this.walk.leafTable(config.format, this.#fill))
          this.#rememberTable(config, hi, lo);
        this.#remember(config, hi, lo);
        return undefined;
      }
      if (settled === SETTLED.ACCESS) return { type: "F_ACCESS", stage: 2, class: kind, ipa };
      if (settled === SETTLED.PERMISSION) return permissionFault(ipa, need, kind);
      const result = settled === SETTLED.NOT_WALKED ? found : this.#updated;
      if (result !== WALK.CHANGED) return this.#walkFault(result, ipa, kind);
    }
    // memory that never settles counts as an update that failed (§5.2, S2IR0)
    return { type: "F_WALK_EABT", stage: 2, class: kind, ipa, fetchAddress: this.walk.fetchAddress };
  }

  /** Judges the leaf, and updates its Access flag and dirty state where hardware does that. */
  #settle(config: Stage2Config, need: number, kind: FaultClass): Settled {
    const walk = this.walk;
    const needsAF = (walk.lo & AF) === 0 && !(config.affd && !config.ha);
    if (needsAF && !config.ha) return SETTLED.ACCESS;
    const isClean = config.hd && (walk.hi & DBM_HI) !== 0 && (walk.lo & S2AP_WRITE) === 0;
    const granted = config.granted[stage2PermissionIndex(isClean ? walk.lo | S2AP_WRITE : walk.lo, walk.hi)]!;
    const attributes = config.attributes[stage2AttributeIndex(walk.lo)]!;
    const isForbidden = kind !== "IN" && config.protectedWalk && isStage2Device(attributes & 0xf, config.fwb);
    if ((granted & need) === 0 || isForbidden) return SETTLED.PERMISSION;
    const makesDirty = isClean && (need & WRITE) !== 0;
    if (needsAF || makesDirty) {
      this.#updated = walk.update(walk.lo | AF | (makesDirty ? S2AP_WRITE : 0), walk.hi);
      if (this.#updated !== WALK.OK) return SETTLED.NOT_UPDATED;
    }
    this.paHi = walk.outHi;
    this.paLo = walk.outLo;
    this.pageBits = walk.leafBits;
    this.permissions = isClean && !makesDirty ? granted & ~WRITE : granted;
    this.attributes = attributes;
    return SETTLED.OK;
  }

  #rememberTable(config: Stage2Config, hi: number, lo: number): void {
    const fill = this.#fill;
    fill.isGlobal = true;
    fill.attributes = 0;
    this.#tables.fill(hi, lo, config.tag, 0, fill);
  }

  #remember(config: Stage2Config, hi: number, lo: number): void {
    if (this.#tlb.entries === 0) return;
    const fill = this.#fill;
    fill.paHi = this.paHi;
    fill.paLo = this.paLo & -0x1000;
    fill.ipaHi = hi;
    fill.ipaLo = lo & -0x1000;
    fill.permissions = this.permissions;
    fill.invalidateBits = this.pageBits;
    fill.pageBits = this.pageBits;
    fill.isGlobal = true;
    fill.attributes = this.attributes;
    this.#tlb.fill(hi, lo, config.tag, 0, fill);
  }

  #walkFault(result: WalkResult, ipa: number, kind: FaultClass): StageFault {
    if (result === WALK.TRANSLATION) return translationFault(ipa, kind);
    if (result === WALK.ADDRESS_SIZE) return { type: "F_ADDR_SIZE", stage: 2, class: kind, ipa };
    return { type: "F_WALK_EABT", stage: 2, class: kind, ipa, fetchAddress: this.walk.fetchAddress };
  }
}

function translationFault(ipa: number, kind: FaultClass): StageFault {
  return { type: "F_TRANSLATION", stage: 2, class: kind, ipa };
}

function permissionFault(ipa: number, need: number, kind: FaultClass): StageFault {
  if (kind !== "TTD") return { type: "F_PERMISSION", stage: 2, class: kind, ipa };
  return { type: "F_PERMISSION", stage: 2, class: kind, ipa, tableRead: need === PERMISSION.PRIVILEGED_READ };
}
