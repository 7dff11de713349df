// One open file of guest memory, shared by everybody who opened the same inode; the last release closes it.
// Positions are checked against the file's length now, not when it was opened: its owner may truncate it at any time,
// and what lies beyond is a bus error, never a longer file.

import { closeSync, fstatSync, readSync, statfsSync, writeSync } from "node:fs";
import type { GuestMemoryFile } from "../backends/guest-memory.ts";
import { assert } from "../spec/assert.ts";

/** linux/magic.h: tmpfs, hugetlbfs. */
const PINNED: ReadonlySet<number> = new Set([0x0102_1994, 0x9584_58f6]);

export class MemoryFile implements GuestMemoryFile {
  readonly key: string;
  readonly path: string;
  readonly #fd: number;
  readonly #onClose: () => void;
  #bytes: number;
  #references = 1;

  /** Takes over `fd`. `onClose` is called once, when the last reference is gone. */
  constructor(opened: { key: string; path: string; fd: number }, onClose: () => void) {
    this.key = opened.key;
    this.path = opened.path;
    this.#fd = opened.fd;
    this.#onClose = onClose;
    this.#bytes = fstatSync(opened.fd).size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get descriptor(): number {
    return this.#fd;
  }

  /** IOMMU_IOAS_MAP_FILE pins what is of tmpfs or hugetlbfs (memfd_pin_folios), and says so only when it has to. */
  get pinRefusal(): string | undefined {
    if (PINNED.has(statfsSync(`/proc/self/fd/${this.#fd}`).type)) return undefined;
    return "is not of tmpfs or hugetlbfs, whose pages alone a kernel pins: put it beneath /dev/shm, or pass a memfd";
  }

  /** For somebody who opens it anew: the file may have grown since. */
  remeasure(): void {
    this.#bytes = fstatSync(this.#fd).size;
  }

  read(offset: number, into: Uint8Array): boolean {
    this.#assertUsable(offset);
    return carriedOut(into.length, (done, left) => readSync(this.#fd, into, done, left, offset + done));
  }

  write(offset: number, from: Uint8Array): boolean {
    this.#assertUsable(offset);
    if (offset + from.length > this.#size()) return false;
    return carriedOut(from.length, (done, left) => writeSync(this.#fd, from, done, left, offset + done));
  }

  retain(): void {
    assert(this.#references > 0, `memory file ${this.key} retained after its last release`);
    this.#references += 1;
  }

  release(): void {
    assert(this.#references > 0, `memory file ${this.key} released more often than retained`);
    this.#references -= 1;
    if (this.#references > 0) return;
    closeSync(this.#fd);
    this.#onClose();
  }

  #assertUsable(offset: number): void {
    assert(this.#references > 0, `memory file ${this.key} used after its last release`);
    assert(Number.isSafeInteger(offset) && offset >= 0, `memory file offset ${offset} is not a position`);
  }

  /** The length now; -1 when even that cannot be told any more. */
  #size(): number {
    try {
      return fstatSync(this.#fd).size;
    } catch {
      return -1;
    }
  }
}

/**
 * Repeats `step` until `bytes` are through. What the kernel refuses (an I/O error, a file that went away on a network
 * file system) is to the model what a missing byte is: a bus error, so false.
 */
function carriedOut(bytes: number, step: (done: number, left: number) => number): boolean {
  let done = 0;
  try {
    while (done < bytes) {
      const moved = step(done, bytes - done);
      if (moved === 0) return false;
      done += moved;
    }
    return true;
  } catch {
    return false;
  }
}
