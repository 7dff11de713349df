import { closeSync, constants, fstatSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { GuestMemoryFile } from "../../src/backends/guest-memory.ts";
import { createMemoryFiles, type OpenMemoryFiles } from "../../src/os/memory-files.ts";
import { openPassed } from "../../src/os/passed-memory.ts";
import { refusal } from "../support/host.ts";
import {
  fifo,
  hugeMemfd,
  mappedAreas,
  memfd,
  openDescriptors,
  punchHole,
  SEAL,
  seal,
  setFlags,
  socketPair,
} from "../support/memfd.ts";

const GIB = 2 ** 30;
const O_PATH = 0o10000000; // open(2), linux/fcntl.h

let directory: string;
let files: OpenMemoryFiles;
let opened: number[];
let before: number;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "passed-memory-"));
  files = createMemoryFiles({ roots: [], ownerUids: [], daemonUid: process.getuid?.() ?? 0, openFilesMax: 2 });
  opened = [];
  before = openDescriptors();
});
afterEach(() => {
  for (const fd of opened.splice(0)) closeSync(fd);
  expect(openDescriptors()).toBe(before);
  rmSync(directory, { recursive: true });
});

/** The test's own descriptor, closed at its end. */
function mine(fd: number): number {
  opened.push(fd);
  return fd;
}

function adopted(fd: number, label = "ram"): GuestMemoryFile {
  return files.adopt(mine(fd), label);
}

function bytes(...values: readonly number[]): Uint8Array {
  return Uint8Array.from(values);
}

function readAt(file: GuestMemoryFile, offset: number): number | undefined {
  const into = new Uint8Array(1);
  return file.read(offset, into) ? into[0] : undefined;
}

describe("what is not memory that can be read is refused with the remedy", () => {
  test.each<readonly [string, () => number, string]>([
    ["a directory", () => openSync("/proc", constants.O_RDONLY), "is no memory"],
    ["a device", () => openSync("/dev/null", constants.O_RDWR), "is no memory"],
    ["a socket", () => socketPairEnd(), "is no memory"],
    ["a FIFO", () => fifoIn(directory), "is no memory"],
    ["a place", () => openSync("/dev/shm", O_PATH), "only a place"],
    ["a file open for writing only", () => onShm(constants.O_WRONLY), "for writing only"],
    ["a file of a kernel's own system", () => openSync("/proc/self/status", constants.O_RDONLY), "is no memory"],
  ])("%s", async (_, open, why) => {
    const fd = mine(open());
    const error = await refusal(() => openPassed(fd));
    expect(error.code).toBe("argument_invalid");
    expect(error.message).toContain(why);
    expect(files.openCount()).toBe(0);
  });

  test("a descriptor that is not open", async () => {
    expect((await refusal(() => openPassed(12_345))).message).toContain("only a place");
  });
});

function socketPairEnd(): number {
  const [one, other] = socketPair();
  mine(one);
  return other;
}

function fifoIn(folder: string): number {
  const path = join(folder, "fifo");
  fifo(path);
  return openSync(path, constants.O_RDWR);
}

function onShm(flags: number): number {
  const path = `/dev/shm/passed-memory-${process.pid}`;
  writeFileSync(path, "x");
  const fd = openSync(path, flags);
  rmSync(path);
  return fd;
}

describe("the broker has an opening of its own", () => {
  test("the sender may close its descriptor", () => {
    const fd = memfd(8192);
    const file = files.adopt(fd, "ram");
    closeSync(fd);
    expect(file.write(4096, bytes(7))).toBe(true);
    expect(readAt(file, 4096)).toBe(7);
    file.release();
  });

  test("flags that the sender sets later do not count: no write is appended", () => {
    const fd = memfd(8192);
    const file = adopted(fd);
    setFlags(fd, constants.O_APPEND);
    expect(file.write(0, bytes(9))).toBe(true);
    expect(readAt(file, 0)).toBe(9);
    expect(fstatSync(fd).size).toBe(8192);
    file.release();
  });

  test("with the rights that came: a read-only descriptor is never written, though the file could be", () => {
    const fd = mine(memfd(8192));
    const readOnly = adopted(openSync(`/proc/self/fd/${fd}`, constants.O_RDONLY));
    expect(readOnly.writeRefusal).toContain("for reading only");
    expect(readOnly.write(0, bytes(1))).toBe(false);
    const both = files.adopt(fd, "ram");
    expect(both).not.toBe(readOnly);
    expect(both.key).not.toBe(readOnly.key);
    expect(both.writeRefusal).toBeUndefined();
    readOnly.release();
    both.release();
  });
});

test("the same memory passed twice under one label is one file; the limit counts files", async () => {
  const fd = memfd(8192);
  const file = adopted(fd);
  expect(files.adopt(fd, "ram")).toBe(file);
  expect(files.openCount()).toBe(1);
  const second = adopted(memfd(4096), "rom");
  const error = await refusal(() => files.adopt(mine(memfd(4096)), "more"));
  expect(error.facts.limit).toBe("open_memory_files_max");
  for (const each of [file, file, second]) each.release();
  expect(files.openCount()).toBe(0);
});

test("its path says that it came by ticket, and under which label", () => {
  const file = adopted(memfd(4096), "guest-ram");
  expect(file.path).toBe("ticket:guest-ram");
  expect(file.label).toBe("guest-ram");
  file.release();
});

describe("memory that is sealed against shrinking is looked at directly", () => {
  test("on both sides of 4 GiB, and what is written shows there", () => {
    const file = adopted(memfd(5 * GIB, SEAL.shrink));
    for (const offset of [4 * GIB - 8, 4 * GIB]) {
      expect(file.write(offset, bytes(1, 2, 3, 4))).toBe(true);
      const view = file.view?.(offset);
      expect(view?.words[(offset - (view?.offset ?? 0)) / 4], `at ${offset}`).toBe(0x0403_0201);
    }
    file.release();
    expect(mappedAreas()).toBe(0);
  });

  test("the client cannot take the seal off, shrink it, or make a hole that faults", () => {
    const fd = memfd(2 ** 21, SEAL.shrink);
    const file = adopted(fd);
    file.write(4096, bytes(5, 0, 0, 0));
    expect(file.view?.(4096)?.words[1024]).toBe(5);
    expect(() => ftruncateSync(fd, 4096)).toThrow("EPERM");
    expect(punchHole(fd, 0, 2 ** 21)).toBe(true);
    expect(file.view?.(4096)?.words[1024]).toBe(0);
    file.release();
  });

  test.each([
    ["F_SEAL_WRITE", SEAL.write],
    ["F_SEAL_FUTURE_WRITE", SEAL.futureWrite],
  ])("memory that is sealed by %s may not be mapped to be written, and may be read", (_, seals) => {
    const file = adopted(memfd(4096, seals));
    expect(file.writeRefusal).toContain("sealed against writing: map it read-only");
    expect(readAt(file, 0)).toBe(0);
    file.release();
  });

  test("the client may seal against writing after that: then writes fail and reads go on", () => {
    const fd = memfd(8192, SEAL.shrink);
    const file = adopted(fd);
    expect(file.view?.(0)?.bytes).toBe(8192);
    expect(seal(fd, SEAL.write)).toBe(true);
    expect(file.write(0, bytes(1))).toBe(false);
    expect(readAt(file, 0)).toBe(0);
    expect(file.view?.(0)?.words[0]).toBe(0);
    file.release();
  });

  test.each([
    ["against writing", SEAL.shrink + SEAL.write],
    ["against writing from now on", SEAL.shrink + SEAL.futureWrite],
  ])("sealed %s it is read, and a write is a bus error", (_, seals) => {
    const file = adopted(memfd(8192, seals));
    expect(readAt(file, 4096)).toBe(0);
    expect(file.view?.(0)?.words[0]).toBe(0);
    expect(file.write(4096, bytes(1))).toBe(false);
    file.release();
  });
});

test("memory that is not sealed is read by pread, and what was cut off is a bus error", () => {
  const fd = memfd(8192);
  const file = adopted(fd);
  expect(file.view?.(0)).toBeUndefined();
  expect(readAt(file, 4096)).toBe(0);
  ftruncateSync(fd, 4096);
  expect(readAt(file, 4096)).toBeUndefined();
  expect(file.write(4096, bytes(1))).toBe(false);
  expect(readAt(file, 0)).toBe(0);
  file.release();
});

test("huge pages, which can run out when they are touched, are never mapped, and cannot be written by pwrite", () => {
  const fd = hugeMemfd(2 ** 21);
  if (fd === undefined) return; // a kernel without hugetlbfs
  const file = adopted(fd);
  expect(file.view?.(0)).toBeUndefined();
  expect([file.writeRefusal, file.pwriteRefusal]).toEqual([undefined, expect.stringContaining("hugetlbfs")]);
  expect(file.write(0, bytes(1))).toBe(false);
  file.release();
});
