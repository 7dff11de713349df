import { beforeEach, describe, expect, test } from "vitest";
import type { GuestMemoryFile, MemoryView } from "../../../src/backends/guest-memory.ts";
import { FileWindows } from "../../../src/backends/sim/file-windows.ts";
import { Frames } from "../../../src/backends/sim/frames.ts";
import { MemoryMap } from "../../../src/backends/smmuv3/memory.ts";
import { refusal } from "../../support/host.ts";
import { BufferFile } from "../../support/memory-file.ts";

const GIB = 2 ** 30;

let memory: MemoryMap;
let windows: FileWindows;
beforeEach(() => {
  memory = new MemoryMap();
  windows = new FileWindows(memory, 48);
});

const enter = (file: BufferFile): number => windows.enter(file, file.bytes);

describe("windows", () => {
  test("each file has one of its own, aligned to a gigabyte, above host RAM", () => {
    const bases = [new BufferFile("a", 4096), new BufferFile("b", 3 * GIB), new BufferFile("c", 4096)].map((file) => {
      if (file.path === "b") file.data = new Uint8Array(0);
      return enter(file);
    });
    expect(bases).toEqual([64 * GIB, 65 * GIB, 68 * GIB]);
  });

  test("two mappings of one file share it; the file is retained once, and let go with the last", () => {
    const file = new BufferFile("a", 4096);
    expect(enter(file)).toBe(enter(new BufferFile("a", 4096)));
    expect(file.references).toBe(2);
    windows.leave(64 * GIB);
    expect(memory.readBytes(64 * GIB, new Uint8Array(8))).toBe(true);
    windows.leave(64 * GIB);
    expect(file.references).toBe(1);
    expect(memory.readBytes(64 * GIB, new Uint8Array(8))).toBe(false);
  });

  test("a freed place is used again", () => {
    const [a, b] = [enter(new BufferFile("a", 4096)), enter(new BufferFile("b", 4096))];
    windows.leave(a);
    expect(enter(new BufferFile("c", 8192))).toBe(a);
    expect(enter(new BufferFile("d", 4096))).toBe(b + GIB);
  });

  test("a file that has grown gets a window that holds it, and never runs into the next one", () => {
    const growing = new BufferFile("growing", 4096);
    const [first, neighbour] = [enter(growing), enter(new BufferFile("neighbour", 4096))];
    growing.grow(2 * GIB);
    const second = windows.enter(growing, 2 * GIB);
    expect(second).toBe(neighbour + GIB);
    expect(windows.enter(growing, 4096)).toBe(first); // what a window holds already is found there
    expect(windows.at(second).bytes).toBe(2 * GIB);
    windows.leave(first);
    windows.leave(first);
    expect(growing.references).toBe(2);
    windows.leave(second);
    expect(growing.references).toBe(1);
  });

  test("a file with no room below the output size is refused by the limit's name", async () => {
    const small = new FileWindows(new MemoryMap(), 37); // 128 GiB, of which 64 are windows
    const file = new BufferFile("big", 0);
    file.grow(65 * GIB);
    const error = await refusal(() => small.enter(file, 65 * GIB));
    expect(error).toMatchObject({ code: "limit_reached", facts: { limit: "simulated_host_physical_address_space" } });
    expect(file.references).toBe(1);
  });
});

describe("accesses", () => {
  const BASE = 64 * GIB;

  test("doublewords are little-endian, bytes as they are, at their offset in the file", () => {
    const file = new BufferFile("a", 4096);
    enter(file);
    file.data.set([1, 2, 3, 4, 5, 6, 7, 8], 16);
    expect(memory.read64(BASE + 16)).toBe(true);
    expect([memory.lo, memory.hi]).toEqual([0x0403_0201, 0x0807_0605]);
    expect(memory.write64(BASE + 24, 0x0d0c_0b0a, 0x1110_0f0e)).toBe(true);
    expect([...file.data.subarray(24, 32)]).toEqual([10, 11, 12, 13, 14, 15, 16, 17]);
    expect(memory.writeBytes(BASE + 4094, Uint8Array.of(7, 7))).toBe(true);
  });

  test("what the file no longer holds is a bus error in every kind of access", () => {
    const file = new BufferFile("a", 8192);
    enter(file);
    file.truncate(4096);
    expect(memory.read64(BASE + 4096)).toBe(false);
    expect(memory.write64(BASE + 4096, 0, 0)).toBe(false);
    expect(memory.readBytes(BASE + 4090, new Uint8Array(8))).toBe(false);
    expect(memory.writeBytes(BASE + 4090, new Uint8Array(8))).toBe(false);
    expect(memory.compareAndSwap64(BASE + 4096, 0, 0, 1, 1)).toBe("abort");
    expect(memory.read64(BASE + 4088)).toBe(true);
  });

  test("compare and swap writes only over what was expected", () => {
    const file = new BufferFile("a", 4096);
    enter(file);
    expect(memory.compareAndSwap64(BASE, 0, 0, 0xffff_ffff, 2)).toBe("ok");
    expect(memory.compareAndSwap64(BASE, 0, 0, 3, 3)).toBe("changed");
    expect(memory.compareAndSwap64(BASE, 0xffff_ffff, 2, 3, 3)).toBe("ok");
    expect([...file.data.subarray(0, 8)]).toEqual([3, 0, 0, 0, 3, 0, 0, 0]);
  });
});

describe("host frames", () => {
  test("a frame that was used and given back is zero when it is taken again", () => {
    const frames = new Frames(memory);
    const frame = frames.take();
    memory.writeBytes(frame, new Uint8Array(4096).fill(0xff));
    frames.give(frame);
    expect(frames.take()).toBe(frame);
    const bytes = new Uint8Array(4096);
    memory.readBytes(frame, bytes);
    expect(bytes.every((byte) => byte === 0)).toBe(true);
  });

  test("contiguous blocks are aligned to their size, and there is an end to them", async () => {
    const frames = new Frames(memory);
    frames.take();
    expect(frames.takeContiguous(2 ** 20) % 2 ** 20).toBe(0);
    expect((await refusal(() => frames.takeContiguous(16 * GIB))).facts).toMatchObject({
      limit: "simulated_host_ram_bytes",
    });
  });
});

describe("a file that shows views of itself", () => {
  function sparse(path: string, bytes: number): BufferFile {
    const file = new BufferFile(path, 4096);
    file.grow(bytes);
    return file;
  }

  /** Words count up from the view's number, a GiB each; only the first eight of a view are there to be looked at. */
  function viewed(path: string, bytes: number): GuestMemoryFile {
    const views = new Map<number, MemoryView>();
    return Object.assign(sparse(path, bytes), {
      view: (offset: number): MemoryView => {
        const start = Math.floor(offset / GIB) * GIB;
        const words = Int32Array.from({ length: 8 }, (_, index) => (start / GIB) * 16 + index);
        const view = views.get(start) ?? { offset: start, bytes: 32, words };
        views.set(start, view);
        return view;
      },
    });
  }

  test("has a window for each, at the address of its place in the file", () => {
    const base = windows.enter(viewed("a", 5 * GIB), 5 * GIB);
    const window = memory.window(base + 4 * GIB + 8);
    // 64 GiB + 4 GiB is 0x11_0000_0000.
    expect([window?.hi, window?.lo, window?.bytes, window?.words[2]]).toEqual([0x11, 0, 32, 66]);
    expect(memory.window(base + 4 * GIB)).toBe(window);
    expect(memory.window(base)?.words[0]).toBe(0);
  });

  test("has no window left that shows a byte once its last mapping is gone", () => {
    const base = windows.enter(viewed("a", 4096), 4096);
    const window = memory.window(base);
    expect(window?.bytes).toBe(32);
    windows.leave(base);
    expect(window?.bytes).toBe(0);
    expect(memory.window(base)).toBeUndefined();
  });

  test("and one that shows none has no window", () => {
    expect(memory.window(enter(new BufferFile("a", 4096)))).toBeUndefined();
  });
});
