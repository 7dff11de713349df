// What has been done so far of something that shall be done whole or not at all: taken back in reverse when a later step
// fails. A step that cannot be taken back is told, and the others are still tried.

import type { Notice } from "../faults.ts";

export type OnNotice = (notice: Notice) => void;

export class Undo {
  readonly #onNotice: OnNotice;
  readonly #steps: (() => Promise<void> | void)[] = [];

  constructor(onNotice: OnNotice) {
    this.#onNotice = onNotice;
  }

  /** How to take back what was just done. */
  add(step: () => Promise<void> | void): void {
    this.#steps.push(step);
  }

  /** Runs `act`; what it has added is taken back if it throws. */
  async around<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      await this.takeBack();
      throw error;
    }
  }

  /** Everything that was added, the latest first. */
  async takeBack(): Promise<void> {
    for (const step of this.#steps.splice(0).reverse()) {
      try {
        await step();
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        this.#onNotice({ level: "error", message: "a step that failed could not be taken back", facts: { reason } });
      }
    }
  }
}
