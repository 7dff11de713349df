// Closes descriptors that others chose. close(2) of a file of FUSE or NFS waits for whoever serves it, perhaps for ever, so
// it is done beside the event loop, one after the other: at most one of Node's threads can be held up.
// What waits is counted, so that nobody takes in more while one is stuck.

import { close } from "node:fs";

export class SlowClose {
  readonly #waiting: number[] = [];
  #isBusy = false;

  /** Descriptors that are not closed yet. */
  get waiting(): number {
    return this.#waiting.length + (this.#isBusy ? 1 : 0);
  }

  close(fd: number): void {
    this.#waiting.push(fd);
    this.#next();
  }

  #next(): void {
    if (this.#isBusy) return;
    const fd = this.#waiting.shift();
    if (fd === undefined) return;
    this.#isBusy = true;
    // An error of close(2) tells of what was written; the descriptor is gone all the same.
    close(fd, () => {
      this.#isBusy = false;
      this.#next();
    });
  }
}
