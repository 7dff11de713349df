// Guest memory that came as a descriptor: what may be taken, and the file it becomes.
// The sender keeps a copy of the same open file and may change its flags at any time (O_APPEND would send every pwrite to
// the end), so the file is opened anew through /proc, with the rights of the descriptor that came and no more.
// Only memory is taken (memfd, tmpfs, hugetlbfs): a file of a disk or of FUSE can make a read wait for its owner.
// Source: memfd_create(2), fcntl(2) "File Sealing", open(2) O_PATH, mmap(2).

import { closeSync, constants, fstatSync, openSync, readFileSync, statfsSync } from "node:fs";
import { BrokerError } from "../backends/errors.ts";
import type { GuestMemoryFile, MemoryView } from "../backends/guest-memory.ts";
import { accessModeOf, SEALS, sealsOf } from "./descriptors.ts";
import { errnoOf } from "./errno.ts";
import { MemoryFile } from "./memory-file.ts";
import { SharedViews } from "./shared-view.ts";

/** linux/magic.h; what is memory and not this is tmpfs. */
const HUGETLBFS_MAGIC = 0x9584_58f6;

/** A descriptor that may be guest memory, opened anew. */
export interface PassedMemory {
  /** Of our own opening; whoever holds this closes it. */
  readonly fd: number;
  /** The same file with the same rights has the same key. */
  readonly key: string;
  readonly isWritable: boolean;
  readonly isHuge: boolean;
  /** Nobody can make it shorter. */
  readonly isSealed: boolean;
}

/**
 * Opens anew what a descriptor stands for. `passed` stays the caller's to close.
 * @throws BrokerError argument_invalid or policy_denied with what is wrong with it and what to pass instead
 */
export function openPassed(passed: number): PassedMemory {
  const mode = accessModeOf(passed);
  if (mode === "none") throw refused("is only a place (O_PATH)", "open it for reading and writing");
  if (mode === "write") throw refused("is open for writing only", "open it for reading and writing");
  const seals = sealsOf(passed);
  if (seals === undefined) throw refused("is no memory: neither tmpfs nor hugetlbfs has it as a file", "pass a memfd");
  const path = `/proc/self/fd/${passed}`;
  const isWritable = mode === "both";
  const fd = reopen(path, isWritable);
  const stat = fstatSync(fd, { bigint: true });
  return {
    fd,
    key: `passed:${stat.dev}:${stat.ino}:${isWritable ? "rw" : "r"}`,
    isWritable,
    isHuge: statfsSync(path).type === HUGETLBFS_MAGIC,
    isSealed: (seals & SEALS.shrink) !== 0,
  };
}

function reopen(path: string, isWritable: boolean): number {
  try {
    return openSync(path, isWritable ? constants.O_RDWR : constants.O_RDONLY);
  } catch (error) {
    const why = `cannot be opened by the daemon (${errnoOf(error)})`;
    throw new BrokerError("policy_denied", `the descriptor ${why}: pass a memfd, or let the daemon open the file`);
  }
}

/** A file of passed memory: like any other, and its parts are memory to look at where nothing can take them away. */
export class PassedMemoryFile implements GuestMemoryFile {
  readonly key: string;
  readonly label: string;
  readonly isSealed: boolean;
  readonly #isWritable: boolean;
  readonly #isHuge: boolean;
  readonly #fd: number;
  readonly #file: MemoryFile;
  readonly #views: SharedViews | undefined;

  /** Takes over `passed.fd`. `onClose` is called once, when the last reference is gone. */
  constructor(passed: PassedMemory, label: string, onClose: () => void) {
    this.key = passed.key;
    this.label = label;
    this.isSealed = passed.isSealed;
    this.#isWritable = passed.isWritable;
    this.#isHuge = passed.isHuge;
    this.#fd = passed.fd;
    const viewed = mayBeViewed(passed) ? openSync(`/proc/self/fd/${passed.fd}`, constants.O_RDONLY) : undefined;
    this.#views = viewed === undefined ? undefined : new SharedViews(viewed);
    this.#file = new MemoryFile({ key: passed.key, path: `ticket:${label}`, fd: passed.fd }, () => {
      this.#views?.close();
      if (viewed !== undefined) closeSync(viewed);
      onClose();
    });
  }

  get path(): string {
    return this.#file.path;
  }

  get bytes(): number {
    return this.#file.bytes;
  }

  get descriptor(): number {
    return this.#file.descriptor;
  }

  get writeRefusal(): string | undefined {
    if (!this.#isWritable) return "was passed open for reading only: open it for reading and writing";
    const seals = sealsOf(this.#fd) ?? 0;
    return (seals & (SEALS.write | SEALS.futureWrite)) === 0
      ? undefined
      : "is sealed against writing: map it read-only, or pass memory that is not";
  }

  get pwriteRefusal(): string | undefined {
    if (!this.#isHuge) return undefined;
    return "is of hugetlbfs, which has no pwrite: map it read-only, or pass a memfd of ordinary pages";
  }

  remeasure(): void {
    this.#file.remeasure();
  }

  read(offset: number, into: Uint8Array): boolean {
    return this.#file.read(offset, into);
  }

  write(offset: number, from: Uint8Array): boolean {
    return this.#file.write(offset, from);
  }

  view(offset: number): MemoryView | undefined {
    return this.#views?.at(offset);
  }

  retain(): void {
    this.#file.retain();
  }

  release(): void {
    this.#file.release();
  }
}

/**
 * A page that is touched first by us has to be found then. Huge pages may run out, and where memory is never overcommitted
 * ordinary ones may too; the kernel's answer to a touch is SIGBUS, to a pread it is an error.
 */
function mayBeViewed({ isSealed, isHuge }: PassedMemory): boolean {
  return isSealed && !isHuge && !isNeverOvercommitted();
}

function isNeverOvercommitted(): boolean {
  try {
    return readFileSync("/proc/sys/vm/overcommit_memory", "latin1").trim() === "2";
  } catch {
    return true; // a kernel without sysctl does not tell: a pread is right on both
  }
}

function refused(what: string, remedy: string): BrokerError {
  return new BrokerError("argument_invalid", `the descriptor ${what}: ${remedy}`);
}
