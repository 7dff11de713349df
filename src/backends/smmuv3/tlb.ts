// A direct-mapped TLB in typed arrays.
// An entry covers one 4 KiB piece of a page or block, so that one probe finds any size; the size of the page it came
// from is kept, because invalidation by address kills everything that came from the page.
// Tags: an address[55:12], VMID and ASID, and a small key (StreamWorld, whether stage 2 took part).
// Source: IHI 0070G.b §3.17 (tagging).

import { assert } from "../../spec/assert.ts";

/** What to remember of a translation. */
export interface TlbFill {
  /** Translated address of the 4 KiB piece. */
  readonly pa: number;
  /** Stage 2 input of the 4 KiB piece; -1 when stage 2 took no part. */
  readonly ipa: number;
  /** Six PERMISSION bits. */
  readonly permissions: number;
  /** log2 of the page or block that invalidation by address must match. */
  readonly invalidateBits: number;
  /** log2 of the size to report. */
  readonly pageBits: number;
  readonly isGlobal: boolean;
  /** Stage 2's memory attributes, opaque here; 0 in entries that begin in stage 1. */
  readonly attributes: number;
}

const VALID = 1;
const GLOBAL = 2;
const KEY_SHIFT = 2;
const KEY_MAX = 0x3ff;

/** Entries are found by (address, tag, key). `slot` fields are read by index after a hit. */
export class Tlb {
  readonly entries: number;
  readonly #mask: number;
  readonly #lo: Int32Array; // address[31:12], key and flags below
  readonly #hi: Int32Array; // address[55:32]
  readonly #tag: Int32Array;
  readonly #pa: Float64Array;
  readonly #ipa: Float64Array;
  readonly #info: Int32Array; // permissions [5:0], pageBits [11:6], invalidateBits [17:12]
  readonly #attributes: Int32Array;

  /** @param entries a power of two, or 0 for a cache that keeps nothing */
  constructor(entries: number) {
    assert((entries & (entries - 1)) === 0, `a TLB of ${entries} entries is not a power of two`);
    this.entries = entries;
    this.#mask = entries - 1;
    this.#lo = new Int32Array(entries);
    this.#hi = new Int32Array(entries);
    this.#tag = new Int32Array(entries);
    this.#pa = new Float64Array(entries);
    this.#ipa = new Float64Array(entries);
    this.#info = new Int32Array(entries);
    this.#attributes = new Int32Array(entries);
  }

  /** @returns the slot that holds the address, or -1 */
  find(hi: number, lo: number, tag: number, key: number): number {
    if (this.entries === 0) return -1;
    const slot = this.#slotOf(hi, lo, tag);
    const wanted = (lo & ~0xfff) | (key << KEY_SHIFT) | VALID;
    const matches =
      (this.#lo[slot]! & ~GLOBAL) === wanted && this.#hi[slot] === (hi & 0xff_ffff) && this.#tag[slot] === tag;
    return matches ? slot : -1;
  }

  fill(hi: number, lo: number, tag: number, key: number, value: TlbFill): void {
    assert(key <= KEY_MAX, `TLB key ${key} is too wide`);
    if (this.entries === 0) return;
    const slot = this.#slotOf(hi, lo, tag);
    this.#lo[slot] = (lo & ~0xfff) | (key << KEY_SHIFT) | (value.isGlobal ? GLOBAL : 0) | VALID;
    this.#hi[slot] = hi & 0xff_ffff;
    this.#tag[slot] = tag;
    this.#pa[slot] = value.pa;
    this.#ipa[slot] = value.ipa;
    this.#info[slot] = value.permissions | (value.pageBits << 6) | (value.invalidateBits << 12);
    this.#attributes[slot] = value.attributes;
  }

  permissions(slot: number): number {
    return this.#info[slot]! & 0x3f;
  }

  pageBits(slot: number): number {
    return (this.#info[slot]! >>> 6) & 0x3f;
  }

  pa(slot: number): number {
    return this.#pa[slot]!;
  }

  ipa(slot: number): number {
    return this.#ipa[slot]!;
  }

  attributes(slot: number): number {
    return this.#attributes[slot]!;
  }

  /** Drops every entry that `dies` names; one call per valid entry. */
  invalidate(dies: (entry: TlbEntryView) => boolean): void {
    const view = new TlbEntryView();
    for (let slot = 0; slot < this.entries; slot++) {
      const lo = this.#lo[slot]!;
      if ((lo & VALID) === 0) continue;
      view.key = (lo & 0xfff) >>> KEY_SHIFT;
      view.isGlobal = (lo & GLOBAL) !== 0;
      view.vmid = this.#tag[slot]! & 0xffff;
      view.asid = this.#tag[slot]! >>> 16;
      view.page = this.#hi[slot]! * 0x10_0000 + (lo >>> 12);
      view.sizeBits = this.#info[slot]! >>> 12;
      if (dies(view)) this.#lo[slot] = 0;
    }
  }

  clear(): void {
    this.#lo.fill(0);
  }

  #slotOf(hi: number, lo: number, tag: number): number {
    const mixed = (lo >>> 12) ^ (lo >>> 24) ^ Math.imul(hi & 0xff_ffff, 0x9e37) ^ Math.imul(tag, 0x85eb);
    return mixed & this.#mask;
  }
}

/** One entry as invalidation sees it. Reused between calls. */
export class TlbEntryView {
  key = 0;
  vmid = 0;
  asid = 0;
  isGlobal = false;
  /** address[55:12]. */
  page = 0;
  /** log2 of the page or block the entry came from. */
  sizeBits = 0;

  /** True when the page or block shares an address with [from, to), in 4 KiB pages. */
  touches(from: number, to: number): boolean {
    const pages = 2 ** (this.sizeBits - 12);
    const first = this.page - (this.page % pages);
    return first < to && from < first + pages;
  }
}

/** The VMID and ASID of an entry as one 32-bit tag. */
export function tlbTag(vmid: number, asid: number): number {
  return vmid | (asid << 16);
}
