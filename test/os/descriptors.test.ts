import { closeSync, constants, fstatSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { accessModeOf, receiveMessage, SEALS, sealsOf, sendMessage } from "../../src/os/descriptors.ts";
import { closeAll, memfd, openDescriptors, SEAL, seal, socketPair } from "../support/memfd.ts";

let one: number;
let other: number;
beforeEach(() => {
  [one, other] = socketPair();
});
afterEach(() => {
  closeAll([one, other]);
});

const PING = new TextEncoder().encode("ping");

function message(bytesMax = 64) {
  const received = receiveMessage(other, bytesMax);
  if (received.kind !== "message") throw new Error(`expected a message, not ${received.kind}`);
  return received;
}

test("a descriptor arrives with the bytes it was sent with, and stands for the same file", () => {
  const fd = memfd(4096);
  expect(sendMessage(one, PING, [fd])).toBe(true);
  const { bytes, descriptors, isTruncated } = message();
  expect(new TextDecoder().decode(bytes)).toBe("ping");
  expect(descriptors).toHaveLength(1);
  expect(descriptors[0]).not.toBe(fd);
  expect(fstatSync(descriptors[0]!).ino).toBe(fstatSync(fd).ino);
  expect(isTruncated).toBe(false);
  closeAll([fd, ...descriptors]);
});

test("a received descriptor is not for programs that are started later", () => {
  sendMessage(one, PING, [0]);
  const { descriptors } = message();
  const flags = /^flags:\s+(\d+)/m.exec(readFdinfo(descriptors[0]!))?.[1] ?? "0";
  expect(Number.parseInt(flags, 8) & 0o2000000).toBe(0o2000000); // O_CLOEXEC, open(2)
  closeAll(descriptors);
});

test("more descriptors than there is room for are closed by the kernel and told, and none leaks", () => {
  const before = openDescriptors();
  sendMessage(one, PING, [0, 0, 0, 0, 0, 0]);
  const { descriptors, isTruncated } = message();
  expect(descriptors).toHaveLength(4);
  expect(isTruncated).toBe(true);
  closeAll(descriptors);
  expect(openDescriptors()).toBe(before);
});

test("an idle socket has nothing, and asking does not wait", () => {
  expect(receiveMessage(other, 64)).toEqual({ kind: "nothing" });
});

test("bytes beyond what was asked for stay for the next time; descriptors come with the first of them", () => {
  sendMessage(one, PING, [0]);
  const first = message(1);
  expect(first.descriptors).toHaveLength(1);
  expect(message(64)).toMatchObject({ bytes: PING.subarray(1), descriptors: [] });
  closeAll(first.descriptors);
});

test("a peer that is gone, and a descriptor that is no socket, have ended", () => {
  const [near, far] = socketPair();
  closeSync(near);
  expect(receiveMessage(far, 64)).toEqual({ kind: "ended" });
  expect(sendMessage(far, PING, [])).toBe(false);
  closeSync(far);
  const fd = memfd(4096);
  expect(receiveMessage(fd, 64)).toEqual({ kind: "ended" });
  closeSync(fd);
});

test("a descriptor that is not open cannot be sent", () => {
  expect(sendMessage(one, PING, [12_345])).toBe(false);
});

test("the access mode is that of the opening; a place has none", () => {
  const directory = mkdtempSync(join(tmpdir(), "descriptors-"));
  const path = join(directory, "file");
  writeFileSync(path, "");
  const O_PATH = 0o10000000; // open(2), linux/fcntl.h
  const modes = [constants.O_RDONLY, constants.O_WRONLY, constants.O_RDWR, O_PATH].map((flags) => {
    const fd = openSync(path, flags);
    const mode = accessModeOf(fd);
    closeSync(fd);
    return mode;
  });
  expect(modes).toEqual(["read", "write", "both", "none"]);
  expect(accessModeOf(12_345)).toBe("none");
  rmSync(directory, { recursive: true });
});

test("seals are those of the file; what is not memory has none", () => {
  const fd = memfd(4096);
  expect(sealsOf(fd)).toBe(0);
  seal(fd, SEAL.shrink + SEAL.grow);
  expect(sealsOf(fd)).toBe(SEALS.shrink + SEALS.grow);
  const file = openSync("/proc/self/status", constants.O_RDONLY);
  expect([one, file, 12_345].map(sealsOf)).toEqual([undefined, undefined, undefined]);
  closeSync(file);
  closeSync(fd);
});

function readFdinfo(fd: number): string {
  return readFileSync(`/proc/self/fdinfo/${fd}`, "latin1");
}
