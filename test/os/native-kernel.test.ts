import { closeSync, constants, fstatSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { getHwInfo, ioasAlloc, openIommufd } from "../../src/backends/iommufd/ioctl.ts";
import { openEventfd } from "../../src/os/libc.ts";
import { createNativeKernel, type NativeKernel } from "../../src/os/native-kernel.ts";
import { Poller } from "../../src/os/poller.ts";
import { fifo, memfd, SEAL } from "../support/memfd.ts";

/** ioctl_tty(2): bytes that can be read. */
const FIONREAD = 0x541b;
const O_CLOEXEC = 0o2000000;
const [EBADF, ENOTTY, ENOENT, EACCES] = [9, 25, 2, 13];

function kernel(): NativeKernel {
  const poller = new Poller((error) => {
    throw error;
  });
  const made = createNativeKernel({ poller });
  onTestFinished(async () => {
    await made.shutDown();
    await poller.close();
  });
  return made;
}

/** A pipe by name, open at both ends, that never waits. */
function pipe(): number {
  const folder = mkdtempSync(join(tmpdir(), "native-kernel-"));
  const path = join(folder, "pipe");
  fifo(path);
  const fd = openSync(path, constants.O_RDWR + constants.O_NONBLOCK);
  onTestFinished(() => {
    closeSync(fd);
    rmSync(folder, { recursive: true });
  });
  return fd;
}

function event() {
  const opened = openEventfd();
  if (!opened.ok) throw new Error(opened.errno);
  onTestFinished(() => closeSync(opened.fd));
  return opened.fd;
}

describe.each([
  ["in the pool", (on: NativeKernel) => on.ioctl],
  ["at once", (on: NativeKernel) => on.ioctlNow],
] as const)("an ioctl %s", (_, way) => {
  test("gives back what the kernel wrote, with the bytes beyond as they were", async () => {
    const fd = pipe();
    writeSync(fd, "seven b");
    const bytes = Uint8Array.of(1, 2, 3, 4, 5, 6);
    const answer = await way(kernel())({ fd, request: FIONREAD, bytes });
    expect(answer).toEqual({ result: 0, bytes: Uint8Array.of(7, 0, 0, 0, 5, 6), payload: undefined });
    expect(bytes).toEqual(Uint8Array.of(1, 2, 3, 4, 5, 6));
  });

  test("that fails says why, each its own errno", async () => {
    const [on, fd] = [kernel(), pipe()];
    const call = (at: number, request: number) => way(on)({ fd: at, request, bytes: new Uint8Array(8) });
    const unknown = [call(fd, 0x3b80), call(12_345, FIONREAD), call(event(), FIONREAD)];
    const results = (await Promise.all(unknown)).map(({ result }) => result);
    expect(results).toEqual([-ENOTTY, -EBADF, -ENOTTY]);
  });

  test("puts the address of its payload into the structure, and the payload comes back", async () => {
    const payload = { pointerAt: 8, bytes: Uint8Array.of(9, 8, 7) };
    const answer = await way(kernel())({ fd: 12_345, request: FIONREAD, bytes: new Uint8Array(24), payload });
    const words = new BigUint64Array(answer.bytes.buffer);
    expect([words[0], words[1] !== 0n, words[2], answer.payload]).toEqual([0n, true, 0n, payload.bytes]);
  });
});

describe.each([
  ["in the pool", (on: NativeKernel) => on.ioctl],
  ["at once", (on: NativeKernel) => on.ioctlNow],
] as const)("what the kernel only reads, %s,", (_, way) => {
  const input = { pointerAt: 8, bytes: Uint8Array.of(9, 8, 7), isInput: true };

  test("does not come back", async () => {
    const request = { request: FIONREAD, bytes: new Uint8Array(16), payload: input };
    expect(await way(kernel())({ ...request, fd: pipe() })).toMatchObject({ result: 0, payload: undefined });
  });

  test("comes back where it is the structure of a call that fails, with what the kernel was given", async () => {
    const request = { request: 0x3b80, bytes: new Uint8Array(16), payload: input, isInput: true };
    const { bytes, result } = await way(kernel())({ ...request, fd: pipe() });
    expect(result).toBe(-ENOTTY);
    expect(new BigUint64Array(bytes.buffer)[1]).not.toBe(0n); // the payload's address
  });
});

describe("several ioctls as one", () => {
  test("are refused where one takes of a later one, or has no room for it; the thread lives on", async () => {
    const [on, fd] = [kernel(), pipe()];
    const step = { fd, request: FIONREAD, bytes: new Uint8Array(8) };
    const later = on.ioctls([{ ...step, take: { step: 1, at: 0, into: 0 } }, step]);
    await expect(later).rejects.toThrow("a step takes of a later one");
    const beyond = on.ioctls([step, { ...step, take: { step: 0, at: 0, into: 5 } }]);
    await expect(beyond).rejects.toThrow("has room in it");
    expect((await on.ioctls([step, step])).map(({ result }) => result)).toEqual([0, 0]);
  });

  test("are made in order, a later one with what an earlier one answered, until one fails", async () => {
    const fd = pipe();
    writeSync(fd, "seven b");
    const take = { step: 0, at: 0, into: 4 };
    const payload = { pointerAt: 8, bytes: Uint8Array.of(1) };
    const results = await kernel().ioctls([
      { fd, request: FIONREAD, bytes: new Uint8Array(8) },
      { fd, request: FIONREAD, bytes: Uint8Array.of(9, 9, 9, 9, 9, 9, 9, 9, 9), take },
      { fd, request: 0x3b80, bytes: new Uint8Array(16), payload },
      { fd, request: FIONREAD, bytes: new Uint8Array(4) },
    ]);
    expect(results.map(({ result }) => result)).toEqual([0, 0, -ENOTTY]);
    expect(results.map(({ bytes }) => [...bytes.subarray(0, 8)]).slice(0, 2)).toEqual([
      [7, 0, 0, 0, 0, 0, 0, 0],
      [7, 0, 0, 0, 7, 0, 0, 0],
    ]);
    expect(new BigUint64Array(results[2]!.bytes.buffer)[1]).not.toBe(0n); // the payload's address
  });
});

describe("nodes", () => {
  test("are opened for reading and writing, close-on-exec, and closed", async () => {
    const on = kernel();
    const fd = await on.open("/dev/null");
    expect([fd >= 0, on.writeNow(fd, Uint8Array.of(1))]).toEqual([true, 1]);
    const flags = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "latin1"))?.[1] ?? "";
    expect(Number.parseInt(flags, 8) & (O_CLOEXEC | constants.O_RDWR)).toBe(O_CLOEXEC | constants.O_RDWR);
    await on.close(fd);
    expect(() => fstatSync(fd)).toThrow(/EBADF/);
  });

  test("that are not there, or no file, give the errno", async () => {
    const on = kernel();
    expect(await on.open("/dev/nowhere")).toBe(-ENOENT);
    expect([-EACCES, -21]).toContain(await on.open("/")); // EISDIR for root
  });
});

describe("what can be read", () => {
  test("is told of again and again until it is read, and not after the stop", async () => {
    const [on, fd] = [kernel(), pipe()];
    const into = new Uint8Array(4);
    expect(on.readNow(fd, into)).toBe(0);
    const got: string[] = [];
    const done = Promise.withResolvers<void>();
    const stop = on.onReadable(fd, () => {
      const count = on.readNow(fd, into);
      got.push(Buffer.from(into.subarray(0, count)).toString());
      if (got.length === 3) done.resolve();
    });
    on.writeNow(fd, Buffer.from("abcdefghij"));
    expect(got).toEqual([]);
    await done.promise;
    expect(got).toEqual(["abcd", "efgh", "ij"]);
    stop();
    on.writeNow(fd, Buffer.from("late"));
    const other = event();
    const heard = Promise.withResolvers<void>();
    const stopOther = on.onReadable(other, heard.resolve);
    writeSync(other, new BigUint64Array([1n]));
    await heard.promise; // the wait came back, and told only of this one
    stopOther();
    expect(got).toHaveLength(3);
  });

  test("and what cannot: the errno", () => {
    const on = kernel();
    expect(on.readNow(12_345, new Uint8Array(4))).toBe(-EBADF);
    expect(on.writeNow(12_345, new Uint8Array(4))).toBe(-EBADF);
  });
});

describe("on a machine without iommufd", () => {
  test("no node, or a node that is something else, is told with what to do", async () => {
    const on = kernel();
    await expect(openIommufd(on, "/dev/nowhere")).rejects.toMatchObject({
      code: "backend_unavailable",
      message: expect.stringContaining("CONFIG_IOMMUFD"),
      facts: { errno: "ENOENT", path: "/dev/nowhere" },
    });
    const file = { kernel: on, fd: await openIommufd(on, "/dev/null") };
    await expect(ioasAlloc(file)).rejects.toMatchObject({ code: "backend_unsupported", facts: { errno: "ENOTTY" } });
    expect(() => getHwInfo(file, 1)).toThrow(/IOMMU_GET_HW_INFO fails \(ENOTTY\).*Linux 6\.6/);
    await on.close(file.fd);
    await expect(ioasAlloc(file)).rejects.toMatchObject({ code: "backend_failed", facts: { errno: "EBADF" } });
  });
});

test("a part of a sealed file gets an address and gives it back; what is no file does not", async () => {
  const on = kernel();
  const fd = memfd(8192, SEAL.shrink);
  onTestFinished(() => closeSync(fd));
  const address = await on.mapFile({ fd, offset: 4096, bytes: 4096, writable: true });
  expect([address > 0n, address % 4096n]).toEqual([true, 0n]);
  await on.unmapFile(address, 4096);
  expect(await on.mapFile({ fd: 12_345, offset: 0, bytes: 4096, writable: true })).toBe(-9n);
});
