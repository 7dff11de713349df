// Guest memory as both backends get it: a file that somebody opened and checked, and the ranges that map it.
// Reads and writes are pread and pwrite; a short one is a bus error. What a view shows is mmapped, but only of memory that
// nobody can make shorter (HOUSE rule 7).

/** A part of a file as memory to read without a call, in words of a little-endian machine. */
export interface MemoryView {
  /** Where in the file it begins, a multiple of 2^30. */
  readonly offset: number;
  /** At most 2^30. */
  readonly bytes: number;
  /** Reads as 0 after the file's last release; what keeps it asks nothing of it then. */
  readonly words: Int32Array;
}

/** A file behind guest memory. Whoever retains it may use it until the matching release; the last release closes it. */
export interface GuestMemoryFile {
  /** Identity of the file itself, so that two paths of one file are one: "dev:inode". */
  readonly key: string;
  /** The path it was opened by, for messages; "ticket:" and its label for one that was passed as a descriptor. */
  readonly path: string;
  /** Present: it was passed as a descriptor under this label, and no path leads to it. */
  readonly label?: string;
  /** True: only its owner can put it here (again), and has not yet; every access is a bus error until then. */
  readonly isMissing?: boolean;
  /** Present: nobody may write it through the broker; why, and what to do. */
  readonly writeRefusal?: string | undefined;
  /** Present: write() never succeeds, though hardware may write there; why, and what to do. */
  readonly pwriteRefusal?: string | undefined;
  /** Present: no kernel pins its pages for devices; why, and what to do. */
  readonly pinRefusal?: string | undefined;
  /** Length in bytes when it was opened, or measured last; it may have been truncated since. */
  readonly bytes: number;
  /** Looks at the length anew, for who names the file now. Absent: it cannot have changed. */
  remeasure?(): void;
  /**
   * Open for what devices may do, for a kernel that is given the file itself; good until the last release. Undefined:
   * there is none.
   */
  readonly descriptor?: number | undefined;
  /** Nobody can make it shorter. */
  readonly isSealed?: boolean | undefined;
  /** Reads exactly into.length bytes at offset; false when fewer are there (bus error). */
  read(offset: number, into: Uint8Array): boolean;
  /** Writes exactly from.length bytes at offset; false when the file does not reach that far (bus error). */
  write(offset: number, from: Uint8Array): boolean;
  /** The memory around `offset` to read without a call; absent or undefined: there is none. */
  view?(offset: number): MemoryView | undefined;
  retain(): void;
  release(): void;
}

/** Why devices may not write it. @param byCall  what they write is written by write(), not by hardware */
export function writeRefusalOf(file: GuestMemoryFile, byCall: boolean): string | undefined {
  return file.writeRefusal ?? (byCall ? file.pwriteRefusal : undefined);
}

/** One range of guest memory: [ipa, ipa + bytes) is file[offset, offset + bytes). All multiples of 4096. */
export interface GuestMapping {
  /** First IPA, below 2^52. */
  readonly ipa: number;
  /** Length in bytes, at least 4096. */
  readonly bytes: number;
  readonly file: GuestMemoryFile;
  readonly offset: number;
  readonly readable: boolean;
  readonly writable: boolean;
}

/** A range of IPAs; bytes is never 0. */
export interface IpaRange {
  readonly ipa: number;
  readonly bytes: number;
}

/** The smallest page stage 2 is built of. */
export const PAGE_BYTES = 4096;
