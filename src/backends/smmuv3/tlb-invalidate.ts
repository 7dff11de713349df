// CMD_TLBI_*: which cached translations die.
// Two TLBs: whole translations that began in stage 1, and stage 2 translations by IPA. CMD_TLBI_S2_IPA reaches only the
// second, so a combined entry outlives it until a stage 1 command of its VMID, as the architecture warns.
// TTL and TG only narrow what must die; they are not used to spare entries.
// Source: IHI 0070G.b §4.4, §3.17.

import { TLBI_TG_PAGE_BITS } from "../../spec/encodings.ts";
import { pow2 } from "../../spec/u64.ts";
import { WORLD_KEY, WORLD_KEY_MASK } from "./context.ts";
import type { Tlb, TlbEntryView } from "./tlb.ts";

/** The address part of a command. */
export interface TlbiRange {
  /** address[63:12]. */
  readonly page: number;
  readonly tg: number;
  readonly num: number;
  readonly scale: number;
}

const PAGES_OF_TAG = 2 ** 44; // entries are tagged with address[55:12]
const SCALE_MAX = 39;

export class TlbInvalidator {
  /** VMID bits that CR0.VMW leaves out of the comparison, as a power of two. */
  vmidGroup = 1;
  readonly #main: Tlb;
  readonly #stage2: Tlb;

  constructor(main: Tlb, stage2: Tlb) {
    this.#main = main;
    this.#stage2 = stage2;
  }

  /** CMD_TLBI_NH_ALL: stage 1 and combined entries of one VMID. */
  nonHypAll(vmid: number): void {
    this.#main.invalidate((entry) => isEL1(entry) && this.#isOf(entry, vmid));
  }

  /** CMD_TLBI_NH_ASID. */
  nonHypASID(vmid: number, asid: number): void {
    this.#main.invalidate((entry) => isEL1(entry) && this.#isOf(entry, vmid) && hasASID(entry, asid));
  }

  /** CMD_TLBI_NH_VA; without ASID CMD_TLBI_NH_VAA. */
  nonHypVA(vmid: number, asid: number | undefined, range: TlbiRange): void {
    const [from, to] = pagesOf(range);
    this.#main.invalidate(
      (entry) => isEL1(entry) && this.#isOf(entry, vmid) && isOfASID(entry, asid) && entry.touches(from, to),
    );
  }

  /** CMD_TLBI_EL2_ALL. */
  hypAll(): void {
    this.#main.invalidate((entry) => !isEL1(entry));
  }

  /** CMD_TLBI_EL2_ASID: only EL2-E2H has ASIDs. */
  hypASID(asid: number): void {
    this.#main.invalidate((entry) => isE2H(entry) && hasASID(entry, asid));
  }

  /** CMD_TLBI_EL2_VA; without ASID CMD_TLBI_EL2_VAA. Entries of EL2 without E2H are global. */
  hypVA(asid: number | undefined, range: TlbiRange): void {
    const [from, to] = pagesOf(range);
    this.#main.invalidate((entry) => !isEL1(entry) && isOfASID(entry, asid) && entry.touches(from, to));
  }

  /** CMD_TLBI_S12_VMALL: everything of one VMID. */
  stage12All(vmid: number): void {
    this.nonHypAll(vmid);
    this.#stage2.invalidate((entry) => this.#isOf(entry, vmid));
  }

  /** CMD_TLBI_S2_IPA: stage 2 entries only. */
  stage2IPA(vmid: number, range: TlbiRange): void {
    const [from, to] = pagesOf(range);
    this.#stage2.invalidate((entry) => this.#isOf(entry, vmid) && entry.touches(from, to));
  }

  /** CMD_TLBI_NSNH_ALL: everything but the hypervisor's own. */
  nonHypEverything(): void {
    this.#main.invalidate(isEL1);
    this.#stage2.clear();
  }

  #isOf(entry: TlbEntryView, vmid: number): boolean {
    return Math.floor(entry.vmid / this.vmidGroup) === Math.floor(vmid / this.vmidGroup);
  }
}

function isEL1(entry: TlbEntryView): boolean {
  return entry.key % (WORLD_KEY_MASK + 1) === WORLD_KEY.EL1;
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
