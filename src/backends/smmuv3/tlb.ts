// A direct-mapped cache of translations, or of the tables that hold their leaves, in one typed array.
// A TLB's entry covers one 4 KiB piece of a page or block, a walk cache's 2 MiB below one leaf table: one probe finds any
// size. The size it came from is kept, because invalidation by address kills all of that.
// Tags: address[55:12], VMID and ASID, a small key. What tags and sizes there are is noted, for invalidation to look there.
// Source: IHI 0070G.b §3.17 (tagging).

import { assert } from "../../spec/assert.ts";
import { TagList } from "./tag-list.ts";

/** What to remember. One object, filled anew each time: the hot path allocates nothing. */
export class TlbFill {
  /** Translated address of the piece, or physical address of 4 KiB of the leaf table. */
  paHi = 0;
  paLo = 0;
  /** Stage 2 input of the piece, -1 when stage 2 took no part; or those 4 KiB of the leaf table as its parent counts. */
  ipaHi = -1;
  ipaLo = 0;
  /** Six PERMISSION bits; in a walk cache TABLE_LIMIT bits. */
  permissions = 0;
  /** log2 of the page, block or table span that invalidation by address must match. */
  invalidateBits = 12;
  /** log2 of the size to report. */
  pageBits = 12;
  isGlobal = false;
  /** Memory attributes, ten bits, opaque here. */
  attributes = 0;
}

/** log2 of what an entry covers. */
export const TLB_UNIT_BITS = 12;
export const WALK_CACHE_UNIT_BITS = 21;

/** Bits of an entry's first word below the address: VALID, GLOBAL, and the key from KEY_SHIFT on. */
export const TLB_MARK = { VALID: 1, GLOBAL: 2, KEY_SHIFT: 2 } as const;
/** Words of an entry; INFO: permissions [5:0], pageBits [11:6], invalidateBits [17:12], attributes [27:18]. */
export const TLB_WORD = { LO: 0, HI: 1, TAG: 2, INFO: 3, PA_HI: 4, PA_LO: 5, IPA_HI: 6, IPA_LO: 7 } as const;
/** What address[55:32] is multiplied by on its way into the choice of a slot. */
export const TLB_HI_FACTOR = 0x9e37;

const { VALID, GLOBAL, KEY_SHIFT } = TLB_MARK;
const { LO, HI, TAG, INFO, PA_HI, PA_LO, IPA_HI, IPA_LO } = TLB_WORD;
const KEY_MAX = 0x3ff;
const STRIDE_BITS = 3;
/** A probe, which has to find its slot, costs about as much as two steps of a scan. */
const PROBE_COST = 2;

/** Whose entries an invalidation is for; undefined: those of any tag. */
export interface TlbOwner {
  readonly tag: number;
  /** Global entries count whatever their tag. */
  readonly andGlobal: boolean;
}

/** Entries are found by (address, tag, key). What they hold is read by the slot that find() gave. */
export class Tlb {
  readonly entries: number;
  readonly #unitBits: number;
  readonly #addressMask: number;
  /** Slots are numbered by their first word; without entries there is one slot, which stays empty. */
  readonly slotMask: number;
  readonly words: Int32Array;
  /** What entries may be here, never less than there are. */
  readonly #tags = new TagList();
  readonly #globalTags = new TagList();
  #largestBits = 0;
  /** What was noted last; while #largestBits is 0, nothing. */
  #notedTag = 0;
  #notedGlobal = false;
  readonly #view = new TlbEntryView();

  /** @param entries a power of two, or 0 for a cache that keeps nothing */
  constructor(entries: number, unitBits: number = TLB_UNIT_BITS) {
    assert((entries & (entries - 1)) === 0, `a TLB of ${entries} entries is not a power of two`);
    this.entries = entries;
    this.#unitBits = unitBits;
    this.#addressMask = -1 << unitBits;
    this.slotMask = Math.max(entries, 1) - 1;
    this.words = new Int32Array(Math.max(entries, 1) << STRIDE_BITS);
  }

  /** @returns the slot that holds the address, or -1 */
  find(hi: number, lo: number, tag: number, key: number): number {
    const words = this.words;
    const slot = this.#slotOf(hi, lo, tag);
    const wanted = (lo & this.#addressMask) | (key << KEY_SHIFT) | VALID;
    const matches =
      (words[slot]! & ~GLOBAL) === wanted && words[slot + HI] === (hi & 0xff_ffff) && words[slot + TAG] === tag;
    return matches ? slot : -1;
  }

  fill(hi: number, lo: number, tag: number, key: number, value: TlbFill): void {
    if (this.entries === 0) return;
    assert(key <= KEY_MAX, "a TLB key is too wide");
    const words = this.words;
    const slot = this.#slotOf(hi, lo, tag);
    words[slot + LO] = (lo & this.#addressMask) | (key << KEY_SHIFT) | (value.isGlobal ? GLOBAL : 0) | VALID;
    words[slot + HI] = hi & 0xff_ffff;
    words[slot + TAG] = tag;
    words[slot + INFO] =
      value.permissions | (value.pageBits << 6) | (value.invalidateBits << 12) | (value.attributes << 18);
    words[slot + PA_HI] = value.paHi;
    words[slot + PA_LO] = value.paLo;
    words[slot + IPA_HI] = value.ipaHi;
    words[slot + IPA_LO] = value.ipaLo;
    const { isGlobal, invalidateBits } = value;
    const isNoted = tag === this.#notedTag && isGlobal === this.#notedGlobal && invalidateBits <= this.#largestBits;
    if (!isNoted) this.#note(tag, isGlobal, invalidateBits);
  }

  permissions(slot: number): number {
    return this.words[slot + INFO]! & 0x3f;
  }

  pageBits(slot: number): number {
    return (this.words[slot + INFO]! >>> 6) & 0x3f;
  }

  attributes(slot: number): number {
    return this.words[slot + INFO]! >>> 18;
  }

  paHi(slot: number): number {
    return this.words[slot + PA_HI]!;
  }

  paLo(slot: number): number {
    return this.words[slot + PA_LO]!;
  }

  ipaHi(slot: number): number {
    return this.words[slot + IPA_HI]!;
  }

  ipaLo(slot: number): number {
    return this.words[slot + IPA_LO]!;
  }

  /** Drops every entry that `dies` names; one call per valid entry. */
  invalidate(dies: (entry: TlbEntryView) => boolean): void {
    if (this.#isEmpty()) return;
    this.#forgetNotes();
    const { words } = this;
    for (let slot = 0; slot < words.length; slot += 1 << STRIDE_BITS) {
      if (!this.#dropIf(slot, dies)) continue;
      const isGlobal = (words[slot + LO]! & GLOBAL) !== 0;
      this.#note(words[slot + TAG]!, isGlobal, (words[slot + INFO]! >>> 12) & 0x3f);
    }
  }

  /**
   * The same for a `dies` that names nothing but entries of `owner` which touch [from, to), in 4 KiB pages.
   *
   * Each piece of a page or block has an entry of its own, which the address of the piece and the tag place in one slot:
   * with the range rounded out to the largest block there is, those slots are all there are to look at.
   */
  invalidateRange(from: number, to: number, owner: TlbOwner | undefined, dies: (entry: TlbEntryView) => boolean): void {
    const largest = 2 ** (Math.max(this.#largestBits, this.#unitBits) - TLB_UNIT_BITS);
    const unit = 2 ** (this.#unitBits - TLB_UNIT_BITS);
    const first = from - (from % largest);
    const end = Math.ceil(to / largest) * largest;
    const tags = this.#tagsOf(owner);
    if (tags === undefined || ((end - first) / unit) * tags.length * PROBE_COST > this.slotMask) {
      this.invalidate(dies);
      return;
    }
    for (const tag of tags) {
      for (let page = first; page < end; page += unit) {
        this.#dropIf(this.#slotOf(Math.floor(page / 2 ** 20), (page % 2 ** 20) << TLB_UNIT_BITS, tag), dies);
      }
    }
  }

  clear(): void {
    if (this.#isEmpty()) return; // zeros written to memory that nobody has touched are where it begins to cost
    this.words.fill(0);
    this.#forgetNotes();
  }

  /** The tags that entries of `owner` may have; undefined: too many to tell. */
  #tagsOf(owner: TlbOwner | undefined): readonly number[] | undefined {
    if (owner === undefined) return this.#tags.all();
    if (!owner.andGlobal) return [owner.tag];
    const global = this.#globalTags.all();
    return global && [owner.tag, ...global];
  }

  #note(tag: number, isGlobal: boolean, bits: number): void {
    this.#notedTag = tag;
    this.#notedGlobal = isGlobal;
    this.#tags.add(tag);
    if (isGlobal) this.#globalTags.add(tag);
    if (bits > this.#largestBits) this.#largestBits = bits;
  }

  /** Every entry is at least a page, so there is none while no size is noted. */
  #isEmpty(): boolean {
    return this.#largestBits === 0;
  }

  #forgetNotes(): void {
    this.#tags.clear();
    this.#globalTags.clear();
    this.#largestBits = 0;
  }

  /** @returns true when there is an entry still */
  #dropIf(slot: number, dies: (entry: TlbEntryView) => boolean): boolean {
    const { words } = this;
    const view = this.#view;
    const lo = words[slot + LO]!;
    if ((lo & VALID) === 0) return false;
    view.key = (lo & 0xfff) >>> KEY_SHIFT;
    view.isGlobal = (lo & GLOBAL) !== 0;
    view.vmid = words[slot + TAG]! & 0xffff;
    view.asid = words[slot + TAG]! >>> 16;
    view.page = words[slot + HI]! * 0x10_0000 + (lo >>> 12);
    view.sizeBits = (words[slot + INFO]! >>> 12) & 0x3f;
    if (!dies(view)) return true;
    words[slot + LO] = 0;
    return false;
  }

  #slotOf(hi: number, lo: number, tag: number): number {
    const bits = this.#unitBits;
    const mixed = (lo >>> bits) ^ (lo >>> (bits + 10)) ^ Math.imul(hi & 0xff_ffff, TLB_HI_FACTOR) ^ tlbHash(tag);
    return (mixed & this.slotMask) << STRIDE_BITS;
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

/** A tag's part in the choice of a slot: VMID and ASID both reach the low bits, which alone count. */
export function tlbHash(tag: number): number {
  return Math.imul(tag, 0x85eb) ^ Math.imul(tag >>> 16, 0x6a4d);
}

/** The VMID and ASID of an entry as one 32-bit tag. */
export function tlbTag(vmid: number, asid: number): number {
  return vmid | (asid << 16);
}
