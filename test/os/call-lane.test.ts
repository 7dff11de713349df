// Who waits for whom in the pool: numbers of ioctls from include/uapi/linux/iommufd.h and vfio.h (Linux 7.2).

import { expect, onTestFinished, test } from "vitest";
import { REQUEST } from "../../src/backends/iommufd/ioctl-call.ts";
import { LANED, laneOf } from "../../src/os/call-lane.ts";
import type { KernelJob } from "../../src/os/call-slot.ts";
import { KernelPool, type KernelPoolOptions } from "../../src/os/kernel-pool.ts";

const [HWPT_ALLOC, DESTROY, MAP, MAP_FILE, UNMAP] = [0x3b89, 0x3b80, 0x3b85, 0x3b8f, 0x3b86];
const [ATTACH, DETACH, BIND] = [0x3b77, 0x3b78, 0x3b76];

/** On a descriptor that is not open: what is tried is the way there. */
function ioctl(request: number, payload?: { pointerAt: number; bytes: Uint8Array }): KernelJob {
  const plain = { fd: 12_345, request, bytes: new Uint8Array(8) };
  return { kind: "ioctls", steps: [payload === undefined ? plain : { ...plain, payload }] };
}

function pool(options: KernelPoolOptions): KernelPool {
  const made = new KernelPool(options);
  onTestFinished(() => made.close());
  return made;
}

test("the numbers are those that the backend calls by", () => {
  expect(REQUEST).toMatchObject(LANED);
});

test("maps pin, and so does an HWPT on the IOAS itself, but not one for a guest's table", () => {
  expect([MAP, MAP_FILE, HWPT_ALLOC].map((request) => laneOf(ioctl(request)))).toEqual(["pins", "pins", "pins"]);
  expect(laneOf(ioctl(HWPT_ALLOC, { pointerAt: 0, bytes: new Uint8Array(16) }))).toBe("other");
  expect(laneOf(ioctl(BIND))).toBe("other");
});

test("whatever ends DMA or gives back is of one lane", () => {
  const calls: KernelJob[] = [ATTACH, DETACH, DESTROY, UNMAP].map((request) => ioctl(request));
  const others: KernelJob[] = [
    { kind: "close", fd: 12_345 },
    { kind: "unmap", address: 0n, bytes: 4096 },
  ];
  expect([...calls, ...others].map(laneOf)).toEqual(Array(6).fill("ends"));
});

test("a chain pins when a step of it does, and ends when all do", () => {
  const chain = (...requests: number[]): KernelJob => ({
    kind: "ioctls",
    steps: requests.map((request) => ({ fd: 12_345, request, bytes: new Uint8Array(8) })),
  });
  expect(laneOf(chain(DETACH, DESTROY))).toBe("ends");
  expect(laneOf(chain(BIND, ATTACH))).toBe("other");
  expect(laneOf(chain(ATTACH, MAP))).toBe("pins");
});

test("guests that map leave one thread, which a detach takes past all that wait", async () => {
  const on = pool({ threadsMax: 3 });
  const maps = Array.from({ length: 8 }, (_, n) => on.run(ioctl(MAP), `guest ${n}`));
  expect(on.load).toEqual({ running: 2, waiting: 6 });
  const detached = on.run(ioctl(DETACH), "guest 0");
  expect(on.load).toEqual({ running: 3, waiting: 6 });
  expect((await detached).results[0]?.result).toBe(-9); // EBADF
  await Promise.all(maps);
  expect(on.load).toEqual({ running: 0, waiting: 0 });
});

test("one guest that maps leaves a thread to others that map, which need not wait for any of its calls", async () => {
  const on = pool({ threadsMax: 4 });
  const maps = Array.from({ length: 8 }, () => on.run(ioctl(MAP), "greedy"));
  expect(on.load).toEqual({ running: 2, waiting: 6 });
  const other = on.run(ioctl(MAP), "other");
  expect(on.load).toEqual({ running: 3, waiting: 6 });
  expect((await other).results[0]?.result).toBe(-9);
  await Promise.all(maps);
});

test("maps are refused at the end of the line though a thread is free, and what ends DMA never", async () => {
  const on = pool({ threadsMax: 2, waitingMax: 1 });
  const maps = [on.run(ioctl(MAP)), on.run(ioctl(MAP))];
  await expect(on.run(ioctl(MAP))).rejects.toMatchObject({ facts: { limit: "kernel_calls_waiting" } });
  const ends = [on.run(ioctl(DETACH)), on.run(ioctl(ATTACH)), on.run(ioctl(DESTROY))];
  expect((await Promise.all([...maps, ...ends])).map(({ results }) => results[0]?.result)).toEqual(Array(5).fill(-9));
});

test("where there is one thread, it pins too", async () => {
  const on = pool({ threadsMax: 1 });
  expect((await on.run(ioctl(MAP_FILE))).results[0]?.result).toBe(-9);
});
