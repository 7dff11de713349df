// A VMM that passes its guest's memory as a memfd, and does to it whatever it likes: the daemon lives.

import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, ftruncateSync, readFileSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import {
  BrokerCallError,
  type BrokerClient,
  type BrokerSession,
  connect,
  Stage1Mode,
} from "../../src/client/client.ts";
import { DaemonDirectory, type RunningDaemon } from "../support/e2e-daemon.ts";
import { bugLines } from "../support/e2e-refusal.ts";
import { GUEST_BASE, GuestTables } from "../support/guest-tables.ts";
import { memfd, openDescriptors, punchHole, SEAL, seal } from "../support/memfd.ts";
import { BufferFile } from "../support/memory-file.ts";

const DEVICE = "devices/0000:01:00.0";
const IOVA = 0x12_3456_7000;
const RAM_BYTES = 2 ** 21;
/** The page behind IOVA, behind the tables. */
const DATA = 2 ** 20;
const GIB = 2 ** 30;

let directory: DaemonDirectory;
let daemon: RunningDaemon;
let client: BrokerClient;
beforeEach(async () => {
  directory = new DaemonDirectory();
  daemon = await directory.start();
  client = connected();
});

function connected(): BrokerClient {
  const made = connect(directory.target);
  onTestFinished(() => made.close());
  return made;
}

interface Guest {
  readonly session: BrokerSession;
  readonly addressSpace: string;
  readonly virtualIommu: string;
  readonly fd: number;
}

/** Puts memory of its own and binds a stage 1 with one page in it; `offset`: where in the file the guest's RAM begins. */
async function boundGuest(fd: number, offset = 0): Promise<Guest> {
  onTestFinished(() => closeSync(fd));
  const ram = new BufferFile("ram", RAM_BYTES);
  const tables = new GuestTables(ram);
  const root = tables.root("4K");
  tables.map("4K", root, IOVA, GUEST_BASE + DATA);
  const cd = tables.cd("4K", root);
  writeSync(fd, ram.data, 0, RAM_BYTES, offset);
  const session = await client.openSession({ displayName: "memfd VMM" });
  const { name: addressSpace } = await session.createAddressSpace();
  const { ticket } = await client.putMemory({ fd, label: "guest-ram" });
  const range = { ipa: BigInt(GUEST_BASE), bytes: BigInt(RAM_BYTES), source: 0, offset: BigInt(offset) };
  const mappings = [{ ...range, readable: true, writable: true }];
  await session.mapMemory({ addressSpace, sources: [{ ticket }], mappings });
  const { name: virtualIommu } = await session.createVirtualIommu({ addressSpace, iommus: ["iommus/smmu0"] });
  await session.attachDevice({ device: DEVICE, virtualIommu });
  const fields = { mode: Stage1Mode.STAGE1_MODE_TRANSLATE, s1ContextPtr: BigInt(cd) };
  await session.bindGuestStage({ device: DEVICE, virtualStreamId: 1, fields });
  return { session, addressSpace, virtualIommu, fd };
}

/** A read by the device after the SMMU has forgotten all it cached: its eight bytes, or nothing. */
async function read({ session, virtualIommu }: Guest): Promise<Uint8Array | undefined> {
  await session.invalidateCache(virtualIommu, [{ cfgiCdAll: { virtualStreamId: 1 } }, { tlbiNhAll: {} }]);
  const [result] = await session.simulator.dma(DEVICE, [{ iova: BigInt(IOVA), readBytes: 8 }]);
  return result?.data.length === 8 ? result.data : undefined;
}

async function write({ session }: Guest, data: Uint8Array): Promise<void> {
  await session.simulator.dma(DEVICE, [{ iova: BigInt(IOVA), write: data }]);
}

/** Areas of the daemon's memory that show the guest's. */
function viewsOfDaemon(): number {
  return readFileSync(`/proc/${daemon.process.pid}/maps`, "latin1").split("/memfd:guest-ram").length - 1;
}

async function expectAlive(): Promise<void> {
  expect((await client.getDevice(DEVICE)).name).toBe(DEVICE);
  expect(bugLines(daemon.log)).toEqual([]);
}

describe.each([
  ["sealed against shrinking", SEAL.shrink],
  ["not sealed", 0],
])("a guest in memory that is %s", (_, seals) => {
  test("has its DMA go through both stages, and all is given back at its end", async () => {
    await client.ready(); // its connection is one of them
    const before = openDescriptors(daemon.process.pid);
    const vmm = await boundGuest(memfd(RAM_BYTES, seals));
    writeSync(vmm.fd, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), 0, 8, DATA);
    expect([...((await read(vmm)) ?? [])]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    await write(vmm, Uint8Array.of(9, 9, 9, 9, 9, 9, 9, 9));
    const into = new Uint8Array(8);
    readSync(vmm.fd, into, 0, 8, DATA);
    expect([...into]).toEqual(Array(8).fill(9));
    expect(viewsOfDaemon()).toBe(seals === 0 ? 0 : 1);
    await vmm.session.close();
    expect(viewsOfDaemon()).toBe(0);
    expect(openDescriptors(daemon.process.pid)).toBe(before);
  });

  test("sees what the guest writes into its tables by itself", async () => {
    const vmm = await boundGuest(memfd(RAM_BYTES, seals));
    expect(await read(vmm)).toBeDefined();
    punchHole(vmm.fd, 0, DATA); // the tables are zeros now: nothing is valid
    expect(await read(vmm)).toBeUndefined();
    await expectAlive();
  });
});

test("tables and data on both sides of 4 GiB of one file are found", async () => {
  // GuestTables begins at 0x1_0000 with three levels: two tables lie below 4 GiB, the last one and the CD above.
  const offset = 4 * GIB - 0x1_2000;
  const vmm = await boundGuest(memfd(5 * GIB, SEAL.shrink), offset);
  writeSync(vmm.fd, Uint8Array.of(7, 7, 7, 7, 7, 7, 7, 7), 0, 8, offset + DATA);
  expect([...((await read(vmm)) ?? [])]).toEqual(Array(8).fill(7));
  expect(viewsOfDaemon()).toBe(2);
});

describe("whatever the VMM does to its memory, the daemon lives", () => {
  test("it is truncated: a bus error, and it may come back", async () => {
    const vmm = await boundGuest(memfd(RAM_BYTES));
    ftruncateSync(vmm.fd, 0);
    expect(await read(vmm)).toBeUndefined();
    await expectAlive();
  });

  test("it is truncated, or grows, between put and MapMemory: its length is what it is when it is mapped", async () => {
    const session = await client.openSession({ displayName: "memfd VMM" });
    const { name: addressSpace } = await session.createAddressSpace();
    const fd = memfd(4096);
    onTestFinished(() => closeSync(fd));
    const map = async (bytes: bigint): Promise<unknown> => {
      const mapping = { ipa: BigInt(GUEST_BASE), bytes, source: 0, offset: 0n, readable: true, writable: true };
      const request = { addressSpace, sources: [{ ticket }], mappings: [mapping] };
      return await session.mapMemory(request).catch((error: unknown) => error);
    };
    const { ticket } = await client.putMemory({ fd, label: "guest-ram" });
    ftruncateSync(fd, 0);
    expect(await map(4096n)).toMatchObject({ reason: "ARGUMENT_INVALID", message: expect.stringContaining("has 0") });
    ftruncateSync(fd, 8192);
    expect(await map(8192n)).toMatchObject({ mappedBytes: 8192n });
    await expectAlive();
  });

  test("it shrinks and grows without end while a device reads and writes: data or a bus error, each time", async () => {
    const vmm = await boundGuest(memfd(RAM_BYTES));
    const isOver = new Int32Array(new SharedArrayBuffer(4));
    const code = `
      const { parentPort, workerData: { fd, bytes, isOver } } = require("node:worker_threads");
      const { ftruncateSync } = require("node:fs");
      let rounds = 0;
      while (Atomics.load(isOver, 0) === 0) { ftruncateSync(fd, 0); ftruncateSync(fd, bytes); rounds += 1; }
      parentPort.postMessage(rounds);`;
    const worker = new Worker(code, { eval: true, workerData: { fd: vmm.fd, bytes: RAM_BYTES, isOver } });
    const rounds = once(worker, "message");
    for (let index = 0; index < 200; index += 1) {
      await write(vmm, new Uint8Array(8).fill(index));
      await read(vmm);
    }
    Atomics.store(isOver, 0, 1);
    expect((await rounds)[0]).toBeGreaterThan(10);
    await expectAlive();
  });

  test("it cannot be truncated once it is sealed", async () => {
    const vmm = await boundGuest(memfd(RAM_BYTES, SEAL.shrink));
    expect(() => ftruncateSync(vmm.fd, 0)).toThrow("EPERM");
    expect(await read(vmm)).toBeDefined();
  });

  test("it is sealed against writing: what the device writes does not arrive", async () => {
    const vmm = await boundGuest(memfd(RAM_BYTES, SEAL.shrink));
    expect(seal(vmm.fd, SEAL.write)).toBe(true);
    await write(vmm, new Uint8Array(8).fill(5));
    expect([...((await read(vmm)) ?? [])]).toEqual(Array(8).fill(0));
    await expectAlive();
  });
});

describe("a ticket", () => {
  const map = `
    import { connect } from ${JSON.stringify(join(import.meta.dirname, "../../src/client/client.ts"))};
    const [target, ticket] = process.argv.slice(1);
    const client = connect(target);
    const session = await client.openSession({ displayName: "thief" });
    const { name } = await session.createAddressSpace();
    const mapping = { ipa: 0x40000000n, bytes: 4096n, source: 0, offset: 0n, readable: true, writable: true };
    const outcome = await session.mapMemory({ addressSpace: name, sources: [{ ticket }], mappings: [mapping] }).then(
      () => "mapped", (error) => error.codeName + " " + error.message);
    console.log(outcome);
    await session.close();
    client.close();
  `;

  test("is of no use to another process of the same user, and stays good for its own", async () => {
    const fd = memfd(RAM_BYTES);
    onTestFinished(() => closeSync(fd));
    const { ticket } = await client.putMemory({ fd, label: "guest-ram" });
    const args = ["--input-type=module", "-e", map, "--", directory.target, ticket];
    const { stdout } = spawnSync(process.execPath, args, { encoding: "utf8" });
    expect(stdout).toContain("PERMISSION_DENIED");
    expect(stdout).toContain(`the ticket is of pid ${process.pid}`);
    expect(stdout + daemon.log.join()).not.toContain(ticket);
    expect(await mapped(ticket)).toBe("mapped");
    expect(await mapped(ticket)).toBe("INVALID_ARGUMENT");
  });

  async function mapped(ticket: string): Promise<string> {
    const session = await client.openSession({ displayName: "owner" });
    const { name } = await session.createAddressSpace();
    const mapping = { ipa: 0x4000_0000n, bytes: 4096n, source: 0, offset: 0n, readable: true, writable: true };
    try {
      await session.mapMemory({ addressSpace: name, sources: [{ ticket }], mappings: [mapping] });
      return "mapped";
    } catch (error) {
      return error instanceof BrokerCallError ? error.codeName : String(error);
    } finally {
      await session.close();
    }
  }
});

test("examples/pass-memory.ts puts and maps", () => {
  const { stdout, status } = spawnSync(process.execPath, ["examples/pass-memory.ts", directory.target], {
    encoding: "utf8",
  });
  expect(status).toBe(0);
  expect(stdout).toBe("put, and given a ticket for 10000 ms\nmapped 2097152 bytes at IPA 0x4000_0000\n");
});

test("a descriptor that nobody maps is closed, and the log says whose it was", async () => {
  const short = new DaemonDirectory({ timing: { ticket_ttl_ms: 100, reap_interval_ms: 20 } });
  const other = await short.start();
  const impatient = connect(short.target);
  onTestFinished(() => impatient.close());
  const before = openDescriptors(other.process.pid);
  const fd = memfd(4096);
  expect((await impatient.putMemory({ fd, label: "forgotten" })).expiresMs).toBe(100);
  closeSync(fd);
  await expect.poll(() => other.log.join("\n"), { timeout: 5000 }).toContain('"label":"forgotten"');
  await expect.poll(() => openDescriptors(other.process.pid)).toBe(before);
});

test("after kill -9 all is as it was, and the memory is there once it is presented again", async () => {
  const vmm = await boundGuest(memfd(RAM_BYTES, SEAL.shrink));
  writeSync(vmm.fd, Uint8Array.of(3, 3, 3, 3, 3, 3, 3, 3), 0, 8, DATA);
  expect(await read(vmm)).toBeDefined();
  const before = await client.getDevice(DEVICE);
  daemon.process.kill("SIGKILL");
  await daemon.exited;
  daemon = await directory.start();
  await client.ready();
  expect(await client.getDevice(DEVICE)).toEqual(before);
  expect(await read(vmm)).toBeUndefined();
  const { ticket } = await client.putMemory({ fd: vmm.fd, label: "again" });
  const { addressSpace, session } = vmm;
  const space = await session.presentMemory({ addressSpace, label: "guest-ram", ticket });
  expect(space.missingMemory).toEqual([]);
  expect([...((await read(vmm)) ?? [])]).toEqual(Array(8).fill(3));
  expect(await client.getDevice(DEVICE)).toEqual(before);
  await session.close();
  expect(bugLines(daemon.log)).toEqual([]);
});
