import { closeSync, ftruncateSync, readFileSync, writeSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SharedViews } from "../../src/os/shared-view.ts";
import { mappedAreas, memfd, punchHole, SEAL } from "../support/memfd.ts";

const GIB = 2 ** 30;
let fd: number;
let views: SharedViews;
const word = new Uint8Array(4);

beforeEach(() => {
  fd = memfd(5 * GIB, SEAL.shrink);
  views = new SharedViews(fd);
});
afterEach(() => {
  views.close();
  closeSync(fd);
});

function put(offset: number, value: number): void {
  new DataView(word.buffer).setInt32(0, value, true);
  writeSync(fd, word, 0, 4, offset);
}

function seen(offset: number): number | undefined {
  const view = views.at(offset);
  return view?.words[(offset - view.offset) / 4];
}

test("a view shows what is written to the file, before and after, on both sides of 4 GiB", () => {
  for (const offset of [0, GIB - 4, GIB, 4 * GIB - 4, 4 * GIB, 5 * GIB - 4]) {
    put(offset, offset / 4 + 1);
    expect(seen(offset), `at ${offset}`).toBe((offset / 4 + 1) | 0);
    put(offset, -1);
    expect(seen(offset), `again at ${offset}`).toBe(-1);
  }
});

test("each GiB is mapped once, when it is first asked for", () => {
  const before = mappedAreas();
  for (const offset of [0, 8, GIB - 8, 4 * GIB]) views.at(offset);
  expect(mappedAreas()).toBe(before + 2);
  expect(views.at(8)).toBe(views.at(GIB - 8));
});

test("there is no view beyond the end, nor of a last page that is not whole", () => {
  const odd = memfd(8192 + 100, SEAL.shrink);
  const few = new SharedViews(odd);
  expect(few.at(8192)).toBeUndefined();
  expect(few.at(2 ** 40)).toBeUndefined();
  expect(few.at(4096)?.bytes).toBe(8192);
  few.close();
  closeSync(odd);
});

test("a file that has grown is still seen as it was; the rest has no view", () => {
  const small = memfd(4096, SEAL.shrink);
  const few = new SharedViews(small);
  expect(few.at(0)?.bytes).toBe(4096);
  ftruncateSync(small, 8192);
  expect(few.at(0)?.bytes).toBe(4096);
  expect(few.at(4096)).toBeUndefined();
  few.close();
  closeSync(small);
});

test("a hole reads as zeros", () => {
  put(4096, 7);
  expect(seen(4096)).toBe(7);
  expect(punchHole(fd, 0, 2 ** 21)).toBe(true);
  expect(seen(4096)).toBe(0);
});

test("after close a view that somebody kept reads as zeros, and the file is mapped nowhere", () => {
  put(0, 7);
  const before = mappedAreas();
  const kept = views.at(0);
  expect(kept?.words[0]).toBe(7);
  views.close();
  expect(kept?.words[0]).toBe(0);
  expect(kept?.words[GIB / 4 - 1]).toBe(0);
  expect(mappedAreas()).toBe(before);
});

test("views cannot be written through: the file's area is mapped read-only", () => {
  views.at(0);
  const lines = readFileSync("/proc/self/maps", "latin1").split("\n");
  expect(lines.filter((line) => line.includes("/memfd:guest-ram")).map((line) => line.split(" ")[1])).toEqual(["r--s"]);
});

test("a descriptor that cannot be mapped has no views", () => {
  const none = new SharedViews(0);
  expect(none.at(0)).toBeUndefined();
  none.close();
});
