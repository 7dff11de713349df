// Guest memory files in the simulated host's physical address space: each file gets a window, 1 GiB aligned, so that
// stage 2 can use blocks of every size where IPA and file offset agree. Mappings of one file share a window that reaches
// far enough; a file that has grown gets another, so no window ever runs into the next.
// Accesses are pread and pwrite; what the file no longer holds is a bus error. Where a file shows parts of itself as plain
// memory, table walks read them through windows.

import { assert } from "../../spec/assert.ts";
import { hex, hi32, low32 } from "../../spec/u64.ts";
import { limitReached } from "../errors.ts";
import { type GuestMemoryFile, PAGE_BYTES } from "../guest-memory.ts";
import type { MemoryMap, MemoryRegion, MemoryWindow, SwapResult } from "../smmuv3/memory.ts";

/** Windows begin above the host's own RAM. */
const WINDOWS_BASE = 64 * 2 ** 30;
const WINDOW_ALIGN = 2 ** 30;
/** A file that says it is longer than this gets a window only as far as it is mapped: sparse files are cheap. */
const WHOLE_FILE_BYTES_MAX = 256 * 2 ** 30;

interface Window {
  readonly base: number;
  readonly bytes: number;
  readonly file: GuestMemoryFile;
  users: number;
}

export class FileWindows {
  readonly #memory: MemoryMap;
  readonly #end: number;
  readonly #windows = new Map<number, Window>();

  /** @param outputBits  the smallest output address size of the host's SMMUs: no window reaches beyond it */
  constructor(memory: MemoryMap, outputBits: number) {
    this.#memory = memory;
    this.#end = 2 ** outputBits;
  }

  /**
   * Physical address of the file's first byte. The window stays until the matching leave.
   *
   * @param reach  the window holds at least this many bytes of the file
   */
  enter(file: GuestMemoryFile, reach: number): number {
    for (const known of this.#windows.values()) {
      if (known.file.key !== file.key || known.bytes < reach) continue;
      known.users += 1;
      return known.base;
    }
    const wanted = Math.max(reach, Math.min(file.bytes, WHOLE_FILE_BYTES_MAX));
    const bytes = Math.ceil(wanted / PAGE_BYTES) * PAGE_BYTES;
    const base = this.#place(bytes);
    file.retain();
    this.#windows.set(base, { base, bytes, file, users: 1 });
    this.#memory.add(new FileRegion(base, bytes, file));
    return base;
  }

  /** @param base  what enter gave */
  leave(base: number): void {
    const window = this.#windows.get(base);
    assert(window !== undefined, `no window begins at ${hex(base)}`);
    window.users -= 1;
    if (window.users > 0) return;
    this.#windows.delete(base);
    this.#memory.remove(base);
    window.file.release();
  }

  /** The file and the length of the window that begins at `base`. */
  at(base: number): { readonly file: GuestMemoryFile; readonly bytes: number } {
    const window = this.#windows.get(base);
    assert(window !== undefined, `no window begins at ${hex(base)}`);
    return window;
  }

  /** First fit between the windows there are. */
  #place(bytes: number): number {
    let base = WINDOWS_BASE;
    for (const window of [...this.#windows.values()].sort((a, b) => a.base - b.base)) {
      if (base + bytes <= window.base) break;
      base = Math.ceil((window.base + window.bytes) / WINDOW_ALIGN) * WINDOW_ALIGN;
    }
    if (base + bytes > this.#end) {
      throw limitReached("simulated_host_physical_address_space", this.#end, "unmap a file, or use smaller ones");
    }
    return base;
  }
}

class ViewWindow implements MemoryWindow {
  readonly words: Int32Array;
  readonly hi: number;
  readonly lo: number;
  bytes: number;

  constructor(base: number, { words, bytes }: { readonly words: Int32Array; readonly bytes: number }) {
    this.words = words;
    this.hi = hi32(base);
    this.lo = low32(base);
    this.bytes = bytes;
  }
}

class FileRegion implements MemoryRegion {
  readonly base: number;
  readonly bytes: number;
  readonly #file: GuestMemoryFile;
  /** By where in the file they begin. */
  readonly #windows = new Map<number, ViewWindow>();
  readonly #doubleword = new Uint8Array(8);
  readonly #words = new DataView(this.#doubleword.buffer);

  constructor(base: number, bytes: number, file: GuestMemoryFile) {
    this.base = base;
    this.bytes = bytes;
    this.#file = file;
  }

  read64(offset: number, out: Uint32Array): boolean {
    if (!this.#file.read(offset, this.#doubleword)) return false;
    out[0] = this.#words.getUint32(0, true);
    out[1] = this.#words.getUint32(4, true);
    return true;
  }

  write64(offset: number, lo: number, hi: number): boolean {
    this.#words.setUint32(0, lo, true);
    this.#words.setUint32(4, hi, true);
    return this.#file.write(offset, this.#doubleword);
  }

  /** pread and pwrite are two steps: a guest that writes in between is lost. HTTU is not offered to guests for it. */
  compareAndSwap64(offset: number, expectLo: number, expectHi: number, newLo: number, newHi: number): SwapResult {
    if (!this.#file.read(offset, this.#doubleword)) return "abort";
    const same = this.#words.getUint32(0, true) === expectLo >>> 0 && this.#words.getUint32(4, true) === expectHi >>> 0;
    if (!same) return "changed";
    return this.write64(offset, newLo, newHi) ? "ok" : "abort";
  }

  readBytes(offset: number, into: Uint8Array): boolean {
    return this.#file.read(offset, into);
  }

  writeBytes(offset: number, from: Uint8Array): boolean {
    return this.#file.write(offset, from);
  }

  window(offset: number): MemoryWindow | undefined {
    const view = this.#file.view?.(offset);
    if (view === undefined) return undefined;
    const known = this.#windows.get(view.offset);
    if (known?.words === view.words) return known;
    const bytes = Math.min(view.bytes, this.bytes - view.offset);
    const window = new ViewWindow(this.base + view.offset, { words: view.words, bytes });
    this.#windows.set(view.offset, window);
    return window;
  }

  /** Before the file is released: nothing reads a view of it after that. */
  close(): void {
    for (const window of this.#windows.values()) window.bytes = 0;
    this.#windows.clear();
  }
}
