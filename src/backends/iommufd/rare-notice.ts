// A notice that a guest can bring about at will: told at most once a minute, with how many were left out.

import type { Notice } from "../faults.ts";
import type { OnNotice } from "./undo.ts";

export const QUIET_MS = 60_000;

export class RareNotice {
  readonly #nowMs: () => number;
  readonly #onNotice: OnNotice;
  #toldMs: number | undefined;
  #left = 0;

  /** @param nowMs  milliseconds that never go back */
  constructor(nowMs: () => number, onNotice: OnNotice) {
    this.#nowMs = nowMs;
    this.#onNotice = onNotice;
  }

  tell(notice: Notice): void {
    const nowMs = this.#nowMs();
    if (this.#toldMs !== undefined && nowMs - this.#toldMs < QUIET_MS) {
      this.#left += 1;
      return;
    }
    const left = this.#left === 0 ? {} : { left: this.#left };
    this.#toldMs = nowMs;
    this.#left = 0;
    this.#onNotice({ ...notice, facts: { ...notice.facts, ...left } });
  }
}
