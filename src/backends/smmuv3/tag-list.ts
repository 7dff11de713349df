// The tags a TLB has been filled under, as long as they are few.
// More than it has room for, and it says nothing until it is cleared: whoever asks has to look everywhere then.

/** Enough for the streams of a small host; each costs every invalidation by address a probe. */
export const TAGS_MAX = 16;

export class TagList {
  readonly #tags: number[] = [];
  #isOverfull = false;

  add(tag: number): void {
    if (this.#isOverfull || this.#tags.includes(tag)) return;
    if (this.#tags.length < TAGS_MAX) this.#tags.push(tag);
    else this.#isOverfull = true;
  }

  /** Every tag added since the last clear; undefined: there were too many. */
  all(): readonly number[] | undefined {
    return this.#isOverfull ? undefined : this.#tags;
  }

  clear(): void {
    this.#tags.length = 0;
    this.#isOverfull = false;
  }
}
