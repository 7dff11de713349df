// Guest memory for tests: a buffer that can be truncated and grown, with the reference counts a real file has.

import type { GuestMemoryFile } from "../../src/backends/guest-memory.ts";

export class BufferFile implements GuestMemoryFile {
  readonly key: string;
  readonly path: string;
  /** Set before it is mapped: it came by ticket. */
  label?: string;
  writeRefusal?: string;
  pwriteRefusal?: string;
  pinRefusal?: string;
  data: Uint8Array;
  references = 1;
  #bytes: number;
  #grownTo = 0;
  /** What was written beyond `data`, as in a sparse file, by offset. */
  readonly #beyond = new Map<number, number>();

  constructor(path: string, bytes: number) {
    this.key = path;
    this.path = path;
    this.#bytes = bytes;
    this.data = new Uint8Array(bytes);
  }

  get bytes(): number {
    return this.#bytes;
  }

  read(offset: number, into: Uint8Array): boolean {
    if (offset + into.length > this.#end()) return false;
    if (offset + into.length <= this.data.length) {
      into.set(this.data.subarray(offset, offset + into.length));
      return true;
    }
    for (let index = 0; index < into.length; index += 1) {
      into[index] = this.data[offset + index] ?? this.#beyond.get(offset + index) ?? 0;
    }
    return true;
  }

  write(offset: number, from: Uint8Array): boolean {
    if (offset + from.length > this.#end()) return false;
    if (offset + from.length <= this.data.length) this.data.set(from, offset);
    else this.sparse(offset, from);
    return true;
  }

  retain(): void {
    this.references += 1;
  }

  release(): void {
    this.references -= 1;
  }

  /** What is beyond `bytes` is a bus error from now on; the broker still believes the old length. */
  truncate(bytes: number): void {
    this.data = this.data.slice(0, bytes);
  }

  /** The file is longer now and says so, as one that is opened again does; the new part is a hole. */
  grow(bytes: number): void {
    this.#bytes = bytes;
    this.#grownTo = bytes;
  }

  /** Writes beyond the buffer without making it longer. */
  sparse(offset: number, from: Uint8Array): void {
    from.forEach((byte, index) => {
      this.#beyond.set(offset + index, byte);
    });
  }

  #end(): number {
    return Math.max(this.data.length, this.#grownTo);
  }
}
