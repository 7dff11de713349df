// Notices of the native backend, kept until somebody listens: it has some to tell before it is there.

import type { Notice } from "../faults.ts";

const EARLY_NOTICES_MAX = 64;

export class EarlyNotices {
  #listener: ((notice: Notice) => void) | undefined;
  /** Of before anybody listened. */
  readonly #early: Notice[] = [];

  tell(notice: Notice): void {
    if (this.#listener !== undefined) this.#listener(notice);
    else if (this.#early.length < EARLY_NOTICES_MAX) this.#early.push(notice);
  }

  onNotice(listener: (notice: Notice) => void): void {
    this.#listener = listener;
    for (const notice of this.#early.splice(0)) listener(notice);
  }
}
