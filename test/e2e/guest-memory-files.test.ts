// Which files may be guest memory, and what becomes of one that changes while a device uses it. The daemon reads and
// writes by pread and pwrite: what was truncated away is a bus error of the model, never a signal.

import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { Metadata } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { type BrokerProcess, startBroker } from "../../examples/support/broker-process.ts";
import {
  BrokerCallError,
  type BrokerClient,
  type BrokerSession,
  connect,
  type FaultEvent,
  Stage1Mode,
  TransactionOutcome,
} from "../../src/client/client.ts";
import { GUEST_FILE_BYTES, GUEST_RAM, IOVA, LAYOUT, PAGE, writeGuestTables } from "../support/e2e-guest-tables.ts";
import { bugLines, isServiceError, RawClient, type Refusal, refusalOf } from "../support/e2e-refusal.ts";

const DEVICE = "devices/0000:01:00.0";
const { TRANSACTION_OUTCOME_ABORT, TRANSACTION_OUTCOME_BUS_ERROR, TRANSACTION_OUTCOME_OK } = TransactionOutcome;
const OPEN_MAX_MS = 3000;

let broker: BrokerProcess;
let client: BrokerClient;
let raw: RawClient;
let root: string;
let session: BrokerSession;
let addressSpace: string;

beforeAll(async () => {
  broker = await startBroker({ limits: { open_memory_files_max: 8 } });
  client = connect(broker.target);
  raw = new RawClient(broker.target);
  root = broker.memoryRoot;
  session = await client.openSession({ displayName: "files" });
  addressSpace = (await session.createAddressSpace()).name;
});

afterAll(async () => {
  expect(await raw.health()).toBe("SERVING");
  raw.close();
  client.close();
  expect(bugLines(broker.log)).toEqual([]);
  expect(await broker.stop()).toBe(0);
});

/** A file of zeroes beneath the root; gone when the test ends. */
function file(name: string, bytes = 2 * PAGE): string {
  const path = join(root, name);
  writeFileSync(path, "", { mode: 0o600 });
  truncateSync(path, bytes);
  onTestFinished(() => rmSync(path, { force: true }));
  return path;
}

function inRoot(name: string, make: (path: string) => void): string {
  const path = join(root, name);
  make(path);
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function map(path: string, range: { bytes?: number; offset?: number } = {}): Promise<void> {
  const { bytes = PAGE, offset = 0 } = range;
  await session.mapMemory(
    {
      addressSpace,
      sources: [{ path }],
      mappings: [
        {
          ipa: BigInt(GUEST_RAM),
          bytes: BigInt(bytes),
          source: 0,
          offset: BigInt(offset),
          readable: true,
          writable: true,
        },
      ],
    },
    { deadlineMs: OPEN_MAX_MS },
  );
}

/** Refuses to be mapped, and leaves no descriptor and no mapping behind. */
async function refused(path: string, range?: { bytes?: number; offset?: number }): Promise<Refusal> {
  const before = await openFiles();
  try {
    await map(path, range);
  } catch (error) {
    if (!(error instanceof BrokerCallError) || !isServiceError(error.cause)) throw error;
    expect(await openFiles()).toBe(before);
    return refusalOf(error.cause);
  }
  throw new Error(`${path} was mapped and should not have been`);
}

async function openFiles(): Promise<string> {
  return /^iommu_broker_open_memory_files (\d+)/m.exec(await broker.metrics())?.[1] ?? "not in the metrics";
}

function outcome(refusal: Refusal): object {
  const { code, infos, paths } = refusal;
  return { code, reasons: infos.map(({ domain, reason }) => `${domain} ${reason}`), paths };
}

const DENIED = {
  code: "PERMISSION_DENIED",
  reasons: ["iommubroker.v1 POLICY_DENIED"],
  paths: ["sources[0].path"],
};
const INVALID = {
  code: "INVALID_ARGUMENT",
  reasons: ["iommubroker.v1 ARGUMENT_INVALID"],
  paths: ["sources[0].path"],
};

const BAD_PATHS: readonly (readonly [string, () => string, object])[] = [
  ["is outside the roots", () => "/etc/passwd", DENIED],
  ["is a prefix of a root's name and more", () => `${root}-other/ram`, DENIED],
  ["is a root itself", () => root, DENIED],
  ["is a root with a slash", () => `${root}/`, INVALID],
  ["climbs out with ..", () => `${root}/../broker.yaml`, INVALID],
  ["climbs and comes back", () => `${root}/../memory/ram`, INVALID],
  ["has . in it", () => `${root}/./ram`, INVALID],
  ["has // in it", () => `${root}//ram`, INVALID],
  ["is relative", () => "memory/ram", INVALID],
  ["is empty", () => "", INVALID],
  ["has NUL in it", () => `${root}/ram\u0000.img`, INVALID],
  ["is 4096 bytes long", () => `${root}/${"d/".repeat(2048)}`.slice(0, 4096), INVALID],
  ["has a component of 256 bytes", () => `${root}/${"n".repeat(256)}`, INVALID],
  ["is not there", () => `${root}/no-such-file`, INVALID],
  ["goes through a file", () => `${file("plain")}/ram`, INVALID],
  ["is the daemon's own memory", () => "/proc/self/mem", DENIED],
  ["is a descriptor of the daemon", () => "/proc/self/fd/0", DENIED],
];

describe("a path is refused that", () => {
  test.each(BAD_PATHS)("%s", async (_what, path, expected) => {
    expect(outcome(await refused(path()))).toEqual(expected);
  });

  test("is a symbolic link, wherever it leads", async () => {
    const target = file("target");
    const link = inRoot("link", (path) => symlinkSync(target, path));
    expect(outcome(await refused(link))).toEqual(DENIED);
    const out = inRoot("out", (path) => symlinkSync("/etc/passwd", path));
    expect(outcome(await refused(out))).toEqual(DENIED);
    const dangling = inRoot("dangling", (path) => symlinkSync(join(root, "nothing"), path));
    expect(outcome(await refused(dangling))).toEqual(DENIED);
  });

  test("goes through a symbolic link on its way, out of the root or back into it", async () => {
    mkdirSync(join(broker.directory, "outside"));
    writeFileSync(join(broker.directory, "outside", "ram"), Buffer.alloc(2 * PAGE));
    const out = inRoot("way-out", (path) => symlinkSync(join(broker.directory, "outside"), path));
    expect(outcome(await refused(`${out}/ram`))).toEqual(DENIED);
    file("inside");
    const back = inRoot("way-back", (path) => symlinkSync(root, path));
    expect(outcome(await refused(`${back}/inside`))).toEqual(DENIED);
  });
});

describe("a file is refused that", () => {
  test("is a directory", async () => {
    expect(outcome(await refused(inRoot("directory", (path) => mkdirSync(path))))).toEqual(DENIED);
  });

  test("is a FIFO, without waiting for its other end", async () => {
    const fifo = inRoot("fifo", (path) => execFileSync("mkfifo", [path]));
    const began = performance.now();
    expect(outcome(await refused(fifo))).toEqual(DENIED);
    expect(performance.now() - began).toBeLessThan(OPEN_MAX_MS);
  });

  test("is a socket", async () => {
    const server = createServer();
    const path = join(root, "socket");
    await new Promise<void>((resolve) => server.listen(path, resolve));
    onTestFinished(() => void server.close());
    expect(outcome(await refused(path))).toEqual(DENIED);
  });

  test.runIf(process.getuid?.() === 0)("is a character device", async () => {
    const zero = inRoot("zero", (path) => execFileSync("mknod", [path, "c", "1", "5"]));
    expect(outcome(await refused(zero))).toEqual(DENIED);
  });

  test.runIf(process.getuid?.() === 0)("belongs to another uid", async () => {
    const path = file("foreign");
    chownSync(path, 12_345, 12_345);
    const refusal = await refused(path);
    expect(outcome(refusal)).toEqual(DENIED);
    expect(refusal.message).toContain("uid 12345");
    chownSync(path, 0, 0);
    await map(path);
    await unmap();
  });

  test.runIf(process.getuid?.() !== 0)("cannot be read and written by the daemon", async () => {
    const path = file("unreadable");
    chmodSync(path, 0o000);
    expect(outcome(await refused(path))).toEqual(DENIED);
  });

  const TOO_SHORT = { ...INVALID, paths: ["mappings[0].offset"] };
  test.each([
    ["is empty", 0, {}],
    ["is a byte shorter than the range", 2 * PAGE - 1, { bytes: 2 * PAGE }],
    ["ends before the range does", 4 * PAGE, { offset: 3 * PAGE, bytes: 2 * PAGE }],
    ["ends before the range begins", PAGE, { offset: 8 * PAGE }],
  ] as const)("%s", async (_what, bytes, range) => {
    expect(outcome(await refused(file("short", bytes), range))).toEqual(TOO_SHORT);
  });

  test("is one more than may be open", async () => {
    const files = Array.from({ length: 9 }, (_, index) => file(`many-${index}`));
    const sources = files.slice(0, 8).map((path) => ({ path }));
    const mapping = { ipa: BigInt(GUEST_RAM), bytes: BigInt(PAGE), offset: 0n, readable: true, writable: true };
    const mappings = sources.map((_, source) => ({ ...mapping, source, ipa: mapping.ipa + BigInt(source * PAGE) }));
    await session.mapMemory({ addressSpace, sources, mappings });
    const refusal = await refused(files[8] ?? "");
    expect(outcome(refusal)).toMatchObject({ code: "RESOURCE_EXHAUSTED" });
    expect(refusal.infos[0]?.metadata).toMatchObject({ limit: "open_memory_files_max" });
    await session.unmapMemory({ addressSpace, ranges: [{ ipa: mapping.ipa, bytes: BigInt(8 * PAGE) }] });
    expect(await openFiles()).toBe("0");
  });
});

async function unmap(bytes = PAGE): Promise<void> {
  await session.unmapMemory({ addressSpace, ranges: [{ ipa: BigInt(GUEST_RAM), bytes: BigInt(bytes) }] });
}

test("a file whose length is no multiple of a page is taken as far as its whole pages go", async () => {
  const path = file("odd", 2 * PAGE + 5);
  await map(path, { bytes: 2 * PAGE });
  await unmap(2 * PAGE);
  expect(outcome(await refused(path, { bytes: 3 * PAGE }))).toMatchObject({ paths: ["mappings[0].offset"] });
});

test("a path that is not UTF-8 is refused where the message is read", async () => {
  // MapMemoryRequest { sources: [{ path: "/\xff" }] }
  const bytes = Buffer.from([0x12, 0x04, 0x0a, 0x02, 0x2f, 0xff]);
  const metadata = new Metadata();
  metadata.set("iommubroker-session-token", session.token);
  const refusal = await raw.refused("/iommubroker.v1.IommuBroker/MapMemory", bytes, metadata);
  expect(outcome(refusal)).toMatchObject({ code: "INVALID_ARGUMENT", reasons: ["iommubroker.v1 ARGUMENT_INVALID"] });
});

// Under a bound device ----------------------------------------------------------------------------------------------

interface BoundGuest {
  readonly session: BrokerSession;
  readonly addressSpace: string;
  readonly path: string;
  readonly events: () => Promise<readonly FaultEvent[]>;
}

/** A guest of its own with tables in a file, bound to the device; gone when the test ends. */
async function boundGuest(options: { writable?: boolean } = {}): Promise<BoundGuest> {
  const path = file(`guest-${Math.floor(performance.now() * 1000)}`, GUEST_FILE_BYTES);
  writeGuestTables(path);
  const own = await client.openSession({ displayName: "bound" });
  onTestFinished(() => own.close());
  const { name } = await own.createAddressSpace();
  const whole = { source: 0, offset: 0n, readable: true, writable: true };
  const tables = { ...whole, ipa: BigInt(GUEST_RAM), bytes: BigInt(LAYOUT.data) };
  const data = {
    ...whole,
    ipa: BigInt(GUEST_RAM + LAYOUT.data),
    bytes: BigInt(GUEST_FILE_BYTES - LAYOUT.data),
    offset: BigInt(LAYOUT.data),
    writable: options.writable ?? true,
  };
  await own.mapMemory({ addressSpace: name, sources: [{ path }], mappings: [tables, data] });
  const virtual = await own.createVirtualIommu({ addressSpace: name, iommus: ["iommus/smmu0"] });
  await own.attachDevice({ device: DEVICE, virtualIommu: virtual.name });
  const watch = own.watchFaults();
  await watch.ready;
  const batches = watch[Symbol.asyncIterator]();
  const fields = { mode: Stage1Mode.STAGE1_MODE_TRANSLATE, s1ContextPtr: BigInt(GUEST_RAM + LAYOUT.cd) };
  await own.bindGuestStage({ device: DEVICE, virtualStreamId: 1, fields });
  return {
    session: own,
    addressSpace: name,
    path,
    events: async () => {
      const { value } = await batches.next();
      return value?.events ?? [];
    },
  };
}

/** Forgets all that the SMMU has cached of the guest. */
async function forget({ session: own }: BoundGuest): Promise<void> {
  const { virtualIommu } = await client.getDevice(DEVICE);
  await own.invalidateCache(virtualIommu, [{ cfgiCdAll: { virtualStreamId: 1 } }, { tlbiNhAll: {} }]);
}

async function read({ session: own }: BoundGuest, iova = IOVA) {
  const [result] = await own.simulator.dma(DEVICE, [{ iova, readBytes: 8 }]);
  return result;
}

async function write({ session: own }: BoundGuest, iova = IOVA) {
  const [result] = await own.simulator.dma(DEVICE, [{ iova, write: new Uint8Array(8).fill(7) }]);
  return result;
}

describe("a file that is truncated under a bound device", () => {
  test.each([
    ["the CD", LAYOUT.cd, "F_CD_FETCH"],
    ["the level 0 table", LAYOUT.level0, "F_WALK_EABT"],
    ["the level 2 table", LAYOUT.level2, "F_WALK_EABT"],
    ["the level 3 table", LAYOUT.level3, "F_WALK_EABT"],
  ] as const)(
    "has lost %s: the architected event; and all is well once it is extended again",
    async (_what, bytes, type) => {
      const guest = await boundGuest();
      expect(await read(guest)).toMatchObject({ outcome: TRANSACTION_OUTCOME_OK });
      truncateSync(guest.path, bytes);
      await forget(guest);
      expect(await read(guest)).toMatchObject({ outcome: TRANSACTION_OUTCOME_ABORT, bytesDone: 0 });
      const [event] = await guest.events();
      expect(event).toMatchObject({ type, virtualStreamId: 1 });
      const offset = Number(event?.fetchAddress ?? 0n) - GUEST_RAM; // told in the guest's addresses
      expect([offset >= bytes, offset < bytes + PAGE]).toEqual([true, true]);
      expect(await raw.health()).toBe("SERVING");

      truncateSync(guest.path, GUEST_FILE_BYTES);
      writeGuestTables(guest.path);
      await forget(guest);
      expect(await read(guest)).toMatchObject({ outcome: TRANSACTION_OUTCOME_OK });
    },
  );

  test("has lost the data: a bus error of the device's own, and no event; writing does not make the file longer", async () => {
    const guest = await boundGuest();
    truncateSync(guest.path, LAYOUT.data);
    expect(await read(guest)).toMatchObject({ outcome: TRANSACTION_OUTCOME_BUS_ERROR, bytesDone: 0 });
    expect(await write(guest)).toMatchObject({ outcome: TRANSACTION_OUTCOME_BUS_ERROR, bytesDone: 0 });
    expect(statSync(guest.path).size).toBe(LAYOUT.data);
    // Had the above recorded anything, it would come before this one.
    expect(await read(guest, 0x8000n)).toMatchObject({ outcome: TRANSACTION_OUTCOME_ABORT });
    expect(await guest.events()).toMatchObject([{ type: "F_TRANSLATION", inputAddress: 0x8000n }]);
    truncateSync(guest.path, GUEST_FILE_BYTES);
    expect(await write(guest)).toMatchObject({ outcome: TRANSACTION_OUTCOME_OK, bytesDone: 8 });
  });

  test("in the middle of an access: what was there is done, the rest is a bus error", async () => {
    const guest = await boundGuest();
    truncateSync(guest.path, LAYOUT.data + PAGE);
    const [result] = await guest.session.simulator.dma(DEVICE, [{ iova: IOVA + BigInt(PAGE - 16), readBytes: 32 }]);
    expect(result).toMatchObject({ outcome: TRANSACTION_OUTCOME_BUS_ERROR, bytesDone: 16 });
  });

  test("is refused to those who read guest memory, and to no one else", async () => {
    const guest = await boundGuest();
    truncateSync(guest.path, 0);
    const ipa = BigInt(GUEST_RAM);
    await expect(guest.session.simulator.readMemory(guest.addressSpace, ipa, 8)).rejects.toThrow(/shorter than when/);
    const data = new Uint8Array(8);
    await expect(guest.session.simulator.writeMemory(guest.addressSpace, ipa, data)).rejects.toThrow(
      /shorter than when/,
    );
    expect(await guest.session.simulator.readStructures({ device: DEVICE })).toMatchObject({ cd: [] });
  });
});

describe("a file that is", () => {
  test("grown after it was mapped can be mapped further", async () => {
    const guest = await boundGuest();
    truncateSync(guest.path, 2 * GUEST_FILE_BYTES);
    const mapping = {
      source: 0,
      offset: BigInt(GUEST_FILE_BYTES),
      bytes: BigInt(PAGE),
      readable: true,
      writable: true,
    };
    await guest.session.mapMemory({
      addressSpace: guest.addressSpace,
      sources: [{ path: guest.path }],
      mappings: [{ ...mapping, ipa: BigInt(GUEST_RAM + GUEST_FILE_BYTES) }],
    });
    expect(await read(guest)).toMatchObject({ outcome: TRANSACTION_OUTCOME_OK });
  });

  test("replaced under its name stays the one that was mapped", async () => {
    const guest = await boundGuest();
    const kept = openSync(guest.path, "r");
    onTestFinished(() => closeSync(kept));
    rmSync(guest.path);
    writeFileSync(guest.path, Buffer.alloc(GUEST_FILE_BYTES, 0xee));
    await forget(guest);
    expect(await write(guest)).toMatchObject({ outcome: TRANSACTION_OUTCOME_OK });
    const there = Buffer.alloc(8);
    readSync(kept, there, 0, 8, LAYOUT.data);
    expect(there).toEqual(Buffer.alloc(8, 7));
    expect(await guest.session.simulator.readMemory(guest.addressSpace, BigInt(GUEST_RAM + LAYOUT.data), 8)).toEqual(
      there,
    );
    const newcomer = openSync(guest.path, "r");
    readSync(newcomer, there, 0, 8, LAYOUT.data);
    closeSync(newcomer);
    expect(there).toEqual(Buffer.alloc(8, 0xee));
  });

  test("deleted, or moved out of the roots, stays mapped", async () => {
    const guest = await boundGuest();
    renameSync(guest.path, join(broker.directory, "moved"));
    expect(existsSync(guest.path)).toBe(false);
    await forget(guest);
    expect(await read(guest)).toMatchObject({ outcome: TRANSACTION_OUTCOME_OK });
    rmSync(join(broker.directory, "moved"));
    await forget(guest);
    expect(await read(guest)).toMatchObject({ outcome: TRANSACTION_OUTCOME_OK });
  });

  test("mapped twice is one memory", async () => {
    const guest = await boundGuest();
    const second = BigInt(GUEST_RAM) + 0x1000_0000n;
    await guest.session.mapMemory({
      addressSpace: guest.addressSpace,
      sources: [{ path: guest.path }, { path: guest.path }],
      mappings: [0, 1].map((source) => ({
        ipa: second + BigInt(source * PAGE),
        bytes: BigInt(PAGE),
        source,
        offset: BigInt(LAYOUT.data),
        readable: true,
        writable: false,
      })),
    });
    expect(await write(guest)).toMatchObject({ outcome: TRANSACTION_OUTCOME_OK });
    for (const ipa of [second, second + BigInt(PAGE)]) {
      expect(await guest.session.simulator.readMemory(guest.addressSpace, ipa, 8)).toEqual(Buffer.alloc(8, 7));
    }
    expect((await guest.session.simulator.readStructures({ device: DEVICE })).windows).toHaveLength(1);
  });

  test("mapped for reading only is not written by DMA: F_PERMISSION of stage 2", async () => {
    const guest = await boundGuest({ writable: false });
    expect(await read(guest)).toMatchObject({ outcome: TRANSACTION_OUTCOME_OK });
    expect(await write(guest)).toMatchObject({ outcome: TRANSACTION_OUTCOME_ABORT, bytesDone: 0 });
    expect(await guest.events()).toMatchObject([
      { type: "F_PERMISSION", stage: 2, inputAddress: IOVA, ipa: BigInt(GUEST_RAM + LAYOUT.data), read: false },
    ]);
    expect(await guest.session.simulator.readMemory(guest.addressSpace, BigInt(GUEST_RAM + LAYOUT.data), 8)).toEqual(
      Buffer.alloc(8),
    );
  });
});
