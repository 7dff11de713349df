// Parts of a file as plain memory to read: mmap(2), read-only and shared, one view for each GiB of the file that is asked
// for. Only for files that are sealed against shrinking: elsewhere a read beyond the end would be a SIGBUS.
// A view is never unmapped while somebody could still read it. When its file is done, anonymous zeros take its place, so
// the file's pages are free at once and a late read finds 0; the addresses themselves are given back only when the
// engine has collected the ArrayBuffer, after which nobody can name them.

import { fstatSync } from "node:fs";
import koffi from "koffi";
import type { MemoryView } from "../backends/guest-memory.ts";

/** Views begin at multiples of this; a window of the simulated host then never crosses 4 GiB. */
const VIEW_BYTES = 2 ** 30;
/** Of all files together: the kernel allows a process about 65,530 areas (vm.max_map_count), and the engine needs some. */
const VIEWS_MAX = 4096;
const PAGE_BYTES = 4096;
const PROT_READ = 1;
const MAP_SHARED = 0x1;
const MAP_PRIVATE = 0x2;
const MAP_FIXED = 0x10;
const MAP_ANONYMOUS = 0x20;
const MAP_NORESERVE = 0x4000;
const MAP_FAILED = 2n ** BigInt(8 * koffi.sizeof("size_t")) - 1n;

const libc = koffi.load(null);
const mmap = libc.func("mmap", "void *", ["void *", "size_t", "int", "int", "int", "int64_t"]);
const munmap = libc.func("munmap", "int", ["void *", "size_t"]);

interface Area {
  readonly address: bigint;
  readonly bytes: number;
}

interface Held extends MemoryView {
  readonly area: Area;
}

/** Areas of which a view may still be in use, mapped or already zeros. */
let areas = 0;
const collected = new FinalizationRegistry<Area>(({ address, bytes }) => {
  munmap(address, bytes);
  areas -= 1;
});

export class SharedViews {
  readonly #fd: number;
  readonly #views = new Map<number, Held>();

  /** @param fd  open for reading, of a file that cannot shrink; it stays the caller's and open until close() */
  constructor(fd: number) {
    this.#fd = fd;
  }

  /** The view around `offset`, with whole pages that the file has; undefined where there are none, or none to be had. */
  at(offset: number): MemoryView | undefined {
    const start = Math.floor(offset / VIEW_BYTES) * VIEW_BYTES;
    const known = this.#views.get(start);
    if (known === undefined) return this.#map(start, offset);
    return offset < start + known.bytes ? known : undefined; // it has grown since: the new part is read by pread
  }

  /** From now on every view reads as zeros. */
  close(): void {
    for (const { area } of this.#views.values()) replaceByZeros(area);
    this.#views.clear();
  }

  #map(start: number, offset: number): MemoryView | undefined {
    const end = Math.floor(fstatSync(this.#fd).size / PAGE_BYTES) * PAGE_BYTES;
    const bytes = Math.min(VIEW_BYTES, end - start);
    if (offset >= start + bytes || areas >= VIEWS_MAX) return undefined;
    const address = BigInt(mmap(null, bytes, PROT_READ, MAP_SHARED, this.#fd, start));
    if (address === MAP_FAILED) return undefined;
    areas += 1;
    const buffer = koffi.view(address, bytes);
    const area = { address, bytes };
    collected.register(buffer, area);
    const view = { offset: start, bytes, words: new Int32Array(buffer), area };
    this.#views.set(start, view);
    return view;
  }
}

/** MAP_FIXED over the view's own area: at no moment is it free. Where even that fails the view stays as it is. */
function replaceByZeros({ address, bytes }: Area): void {
  mmap(address, bytes, PROT_READ, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}
