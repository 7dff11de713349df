// Guest memory as both backends get it: a file that somebody opened and checked, and the ranges that map it.
// Reads and writes are pread and pwrite; a short one is a bus error. Nothing here is ever mmapped (HOUSE rule 7).

/** A file behind guest memory. Whoever retains it may use it until the matching release; the last release closes it. */
export interface GuestMemoryFile {
  /** Identity of the file itself, so that two paths of one file are one: "dev:inode". */
  readonly key: string;
  /** The path it was opened by, for messages. */
  readonly path: string;
  /** Length in bytes when it was opened; it may have been truncated since. */
  readonly bytes: number;
  /** Reads exactly into.length bytes at offset; false when fewer are there (bus error). */
  read(offset: number, into: Uint8Array): boolean;
  /** Writes exactly from.length bytes at offset; false when the file does not reach that far (bus error). */
  write(offset: number, from: Uint8Array): boolean;
  retain(): void;
  release(): void;
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
