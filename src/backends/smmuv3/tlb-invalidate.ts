// CMD_TLBI_*: which cached translations die.
// Two TLBs: whole translations that began in stage 1, and stage 2 translations by IPA. CMD_TLBI_S2_IPA reaches only the
// second, so a combined entry outlives it until a stage 1 command of its VMID, as the architecture warns.
// Beside each its walk cache: a table there belongs to its ASID alone and dies by any address below it, unless the command
// is for leaves only (Leaf=1). TTL and TG only narrow what must die; they are not used to spare entries.
// Source: IHI 0070G.b §4.4, §3.17.

import { TLBI_TG_PAGE_BITS } from "../../spec/encodings.ts";
import { pow2 } from "../../spec/u64.ts";
import { WORLD_KEY, WORLD_KEY_MASK } from "./context.ts";
import { type Tlb, type TlbEntryView, type TlbOwner, tlbTag } from "./tlb.ts";

/** The address part of a command. */
export interface TlbiRange {
  /** address[63:12]. */
  readonly page: number;
  /** Leaf=1: the tables above the leaves have not changed. */
  readonly leaf: boolean;
  readonly tg: number;
  readonly num: number;
  readonly scale: number;
}

const PAGES_OF_TAG = 2 ** 44; // entries are tagged with address[55:12]
const SCALE_MAX = 39;

/** What translations leave behind. */
export interface TranslationCaches {
  /** Whole translations that began in stage 1, and stage 1's leaf tables. */
  readonly main: Tlb;
  readonly tables: Tlb;
  /** Translations of stage 2, and its leaf tables. */
  readonly stage2: Tlb;
  readonly stage2Tables: Tlb;
}

export class TlbInvalidator {
  /** VMID bits that CR0.VMW leaves out of the comparison, as a power of two. */
  vmidGroup = 1;
  /** CR2.E2H: which of the two hypervisor worlds CMD_TLBI_EL2_VA and VAA are for. */
  e2h = false;
  readonly #caches: TranslationCaches;

  constructor(caches: TranslationCaches) {
    this.#caches = caches;
  }

  /** CMD_TLBI_NH_ALL: stage 1 and combined entries of one VMID. */
  nonHypAll(vmid: number): void {
    this.#stage1((entry) => isEL1(entry) && this.#isOf(entry, vmid));
  }

  /** CMD_TLBI_NH_ASID. */
  nonHypASID(vmid: number, asid: number): void {
    this.#stage1((entry) => isEL1(entry) && this.#isOf(entry, vmid) && hasASID(entry, asid));
  }

  /** CMD_TLBI_NH_VA; without ASID CMD_TLBI_NH_VAA. */
  nonHypVA(vmid: number, asid: number | undefined, range: TlbiRange): void {
    const [from, to] = pagesOf(range);
    const isOne = asid !== undefined && this.vmidGroup === 1;
    const owner = isOne ? { tag: tlbTag(vmid, asid), andGlobal: true } : undefined;
    this.#stage1Range(
      range,
      owner,
      (entry) => isEL1(entry) && this.#isOf(entry, vmid) && isOfASID(entry, asid) && entry.touches(from, to),
    );
  }

  /** CMD_TLBI_EL2_ALL. */
  hypAll(): void {
    this.#stage1((entry) => !isEL1(entry));
  }

  /** CMD_TLBI_EL2_ASID: only EL2-E2H has ASIDs. */
  hypASID(asid: number): void {
    this.#stage1((entry) => isE2H(entry) && hasASID(entry, asid));
  }

  /** CMD_TLBI_EL2_VA; without ASID CMD_TLBI_EL2_VAA. Entries of EL2 without E2H are global. Source: §4.4.2.8. */
  hypVA(asid: number | undefined, range: TlbiRange): void {
    const [from, to] = pagesOf(range);
    const isOfWorld = this.e2h ? isE2H : isEL2;
    const dies = (entry: TlbEntryView): boolean => isOfWorld(entry) && isOfASID(entry, asid) && entry.touches(from, to);
    if (!this.e2h) this.#stage1Range(range, { tag: tlbTag(0, 0), andGlobal: false }, dies);
    else this.#stage1Range(range, asid === undefined ? undefined : { tag: tlbTag(0, asid), andGlobal: true }, dies);
  }

  /** CMD_TLBI_S12_VMALL: everything of one VMID. */
  stage12All(vmid: number): void {
    this.nonHypAll(vmid);
    this.#stage2((entry) => this.#isOf(entry, vmid));
  }

  /** CMD_TLBI_S2_IPA: stage 2 entries only. */
  stage2IPA(vmid: number, range: TlbiRange): void {
    const [from, to] = pagesOf(range);
    const dies = (entry: TlbEntryView): boolean => this.#isOf(entry, vmid) && entry.touches(from, to);
    const owner = this.vmidGroup === 1 ? { tag: tlbTag(vmid, 0), andGlobal: false } : undefined;
    this.#caches.stage2.invalidateRange(from, to, owner, dies);
    if (!range.leaf) this.#caches.stage2Tables.invalidateRange(from, to, owner, dies);
  }

  /** CMD_TLBI_NSNH_ALL: everything but the hypervisor's own. */
  nonHypEverything(): void {
    this.#stage1(isEL1);
    this.#caches.stage2.clear();
    this.#caches.stage2Tables.clear();
  }

  #stage1(dies: (entry: TlbEntryView) => boolean): void {
    this.#caches.main.invalidate(dies);
    this.#caches.tables.invalidate(dies);
  }

  #stage1Range(range: TlbiRange, owner: TlbOwner | undefined, dies: (entry: TlbEntryView) => boolean): void {
    const [from, to] = pagesOf(range);
    this.#caches.main.invalidateRange(from, to, owner, dies);
    if (!range.leaf) this.#caches.tables.invalidateRange(from, to, owner, dies);
  }

  #stage2(dies: (entry: TlbEntryView) => boolean): void {
    this.#caches.stage2.invalidate(dies);
    this.#caches.stage2Tables.invalidate(dies);
  }

  #isOf(entry: TlbEntryView, vmid: number): boolean {
    return Math.floor(entry.vmid / this.vmidGroup) === Math.floor(vmid / this.vmidGroup);
  }
}

function isEL1(entry: TlbEntryView): boolean {
  return entry.key % (WORLD_KEY_MASK + 1) === WORLD_KEY.EL1;
}

function isEL2(entry: TlbEntryView): boolean {
  return entry.key % (WORLD_KEY_MASK + 1) === WORLD_KEY.EL2;
}

function isE2H(entry: TlbEntryView): boolean {
  return entry.key % (WORLD_KEY_MASK + 1) === WORLD_KEY["EL2-E2H"];
}

function hasASID(entry: TlbEntryView, asid: number): boolean {
  return !entry.isGlobal && entry.asid === asid;
}

function isOfASID(entry: TlbEntryView, asid: number | undefined): boolean {
  return asid === undefined || entry.isGlobal || entry.asid === asid;
}

/** [from, to) in 4 KiB pages of address[55:12]; a range does not wrap. Source: §4.4.1.1. */
function pagesOf(range: TlbiRange): [number, number] {
  const page = range.page % PAGES_OF_TAG;
  if (range.tg === 0) return [page, page + 1];
  const granulePages = pow2(TLBI_TG_PAGE_BITS[range.tg]! - 12);
  const from = page - (page % granulePages);
  return [from, from + (range.num + 1) * pow2(Math.min(range.scale, SCALE_MAX)) * granulePages];
}
