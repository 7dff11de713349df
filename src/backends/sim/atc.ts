// The address translation cache of a simulated device, one for each StreamID, and the page requests it waits for.
// An entry is what one translation completion granted; at most ATC_ENTRIES_MAX are kept, the oldest goes first.
// Source: IHI 0070G.b §3.9.1, §4.5.1, chapter 8.

import type { AtcInvalidation, PageResponseCode, TranslationResponse } from "../smmuv3/smmu.ts";

export const ATC_ENTRIES_MAX = 256;
/** PRGIndex has nine bits. */
const GROUPS_MAX = 512;

/** What an access looks for. */
export interface AtcKey {
  readonly substreamID: number | undefined;
  readonly iova: bigint;
  readonly privileged: boolean;
}

interface Entry {
  readonly substreamID: number | undefined;
  readonly privileged: boolean;
  /** First address of the span. */
  readonly from: bigint;
  readonly bytes: bigint;
  /** Where the span begins. */
  readonly to: number;
  readonly read: boolean;
  readonly write: boolean;
}

export class Atc {
  /** ATS enabled at the device: off, it sends untranslated transactions. */
  #isEnabled = false;
  #entries: Entry[] = [];
  readonly #groups = new Map<number, (response: PageResponseCode) => void>();
  #nextGroup = 0;

  get isEnabled(): boolean {
    return this.#isEnabled;
  }

  set isEnabled(value: boolean) {
    this.#isEnabled = value;
    if (!value) this.reset();
  }

  get size(): number {
    return this.#entries.length;
  }

  /** The translated address, where an entry permits the access. */
  find(key: AtcKey, access: "read" | "write"): number | undefined {
    const found = this.#entries.find((entry) => isFor(entry, key) && entry[access]);
    return found && found.to + Number(key.iova - found.from);
  }

  remember(key: AtcKey, answer: Extract<TranslationResponse, { kind: "success" }>): void {
    const bytes = 2n ** BigInt(answer.sizeLog2);
    const from = key.iova - (key.iova % bytes);
    const to = answer.address - (answer.address % Number(bytes));
    const { substreamID, privileged } = key;
    this.#entries = this.#entries.filter((entry) => !isFor(entry, key));
    if (this.#entries.length >= ATC_ENTRIES_MAX) this.#entries.shift();
    this.#entries.push({ substreamID, privileged, from, bytes, to, read: answer.read, write: answer.write });
  }

  /** Without PASID everything in the range goes, whatever PASID it was requested with; a PASID's own otherwise. */
  invalidate({ substreamID, address, sizeLog2 }: AtcInvalidation): void {
    const end = address + 2n ** BigInt(sizeLog2);
    this.#entries = this.#entries.filter((entry) => {
      const isOther = substreamID !== undefined && entry.substreamID !== substreamID;
      return isOther || entry.from >= end || entry.from + entry.bytes <= address;
    });
  }

  /** Opens a page request group; undefined: as many as PRGIndex can name are open. */
  openGroup(): { readonly prgIndex: number; readonly answered: Promise<PageResponseCode> } | undefined {
    if (this.#groups.size >= GROUPS_MAX) return undefined;
    while (this.#groups.has(this.#nextGroup)) this.#nextGroup = (this.#nextGroup + 1) % GROUPS_MAX;
    const prgIndex = this.#nextGroup;
    this.#nextGroup = (prgIndex + 1) % GROUPS_MAX;
    const answered = new Promise<PageResponseCode>((resolve) => this.#groups.set(prgIndex, resolve));
    return { prgIndex, answered };
  }

  /** A response to a group that is not open is none of ours. */
  answer(prgIndex: number, response: PageResponseCode): void {
    this.#groups.get(prgIndex)?.(response);
    this.#groups.delete(prgIndex);
  }

  /** Nothing cached, no group open: those who wait are told of a failure. */
  reset(): void {
    this.#entries = [];
    for (const prgIndex of this.#groups.keys()) this.answer(prgIndex, "failure");
  }
}

function isFor(entry: Entry, key: AtcKey): boolean {
  const isNear = key.iova >= entry.from && key.iova < entry.from + entry.bytes;
  return isNear && entry.substreamID === key.substreamID && entry.privileged === key.privileged;
}
