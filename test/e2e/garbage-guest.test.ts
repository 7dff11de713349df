// Guests whose memory holds anything: whatever their tables say, each transaction ends in an architected way and in
// bounded time, and no translation ever leads outside what the guest's own VMM mapped. That last one is what a broker of
// IOMMUs is for. A counter-example is printed with its seed.

import { createHash } from "node:crypto";
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type BrokerProcess, startBroker } from "../../examples/support/broker-process.ts";
import {
  AccessKind,
  type BrokerClient,
  type BrokerSession,
  connect,
  type FaultWatch,
  TransactionOutcome,
  type TranslateAccess,
  type Translation,
} from "../../src/client/client.ts";
import { Dice, garbage } from "../support/e2e-garbage.ts";
import { bugLines, RawClient } from "../support/e2e-refusal.ts";

const PAGE = 4096;
/** Devices may read it; no block of stage 2 holds both it and the RAM. */
const READ_ONLY = { base: 0x8000_0000, bytes: 4 * PAGE };
/** Where a guest would like to get: what it may only read, the pages beside that, the host's structures and windows. */
const LURES = [
  ...[0, 1, 2, 3].map((page) => READ_ONLY.base + page * PAGE),
  READ_ONLY.base - PAGE,
  READ_ONLY.base + READ_ONLY.bytes,
  0x4000_0000 - PAGE,
  0x4000_0000 + 64 * PAGE,
  0x0800_0000,
  0x8010_0000,
  64 * 2 ** 30,
  65 * 2 ** 30,
];
const RAM = { base: 0x4000_0000, bytes: 64 * PAGE, lures: LURES };
const FILE_BYTES = 256 * PAGE;
/** FUZZ_RUNS and FUZZ_SEED in the environment: another walk, as long as wanted. */
/** The host's MSI window: what is there is nobody's memory. */
const MSI_WINDOW = { ipa: 0x0800_0000, bytes: 0x10_0000 };
const RUNS = Number(process.env.FUZZ_RUNS ?? 250);
const SEED = Number(process.env.FUZZ_SEED ?? 72);
const BATCH_MAX_MS = 5000;
/** The device, its host IOMMU, and the SubstreamID bits of that one. */
const HOSTS = [
  { device: "devices/0000:01:00.0", iommu: "iommus/smmu0" },
  { device: "devices/0001:01:00.0", iommu: "iommus/smmu1" },
];

/** What a device can be told, and what an event can be. Source: IHI 0070G.b §7.3 (those a nested stage can give). */
const EVENTS = new Set([
  "F_UUT",
  "C_BAD_STE",
  "F_STREAM_DISABLED",
  "F_TRANSL_FORBIDDEN",
  "C_BAD_SUBSTREAMID",
  "F_CD_FETCH",
  "C_BAD_CD",
  "F_WALK_EABT",
  "F_TRANSLATION",
  "F_ADDR_SIZE",
  "F_ACCESS",
  "F_PERMISSION",
]);
const { TRANSACTION_OUTCOME_ABORT, TRANSACTION_OUTCOME_OK, TRANSACTION_OUTCOME_RAZ_WI } = TransactionOutcome;

let broker: BrokerProcess;
let client: BrokerClient;
let raw: RawClient;
let session: BrokerSession;
let path: string;
let victim: string;
let addressSpace: string;
/** [ipa, ipa + bytes) is file[offset, offset + bytes). */
let pieces: readonly { ipa: number; bytes: number; offset: number; writable: boolean }[];

beforeAll(async () => {
  broker = await startBroker();
  client = connect(broker.target);
  raw = new RawClient(broker.target);
  path = join(broker.memoryRoot, "garbage");
  victim = join(broker.memoryRoot, "victim");
  writeFileSync(path, Buffer.alloc(FILE_BYTES, 0x5a), { mode: 0o600 });
  writeFileSync(victim, Buffer.alloc(FILE_BYTES, 0xa5), { mode: 0o600 });
  await neighbour();
  session = await client.openSession({ displayName: "garbage" });
  ({ name: addressSpace } = await session.createAddressSpace());
  // Every other page of the file, backwards: what lies between is not the guest's.
  const ram = Array.from({ length: RAM.bytes / PAGE }, (_, page) => ({
    ipa: RAM.base + page * PAGE,
    bytes: PAGE,
    offset: (FILE_BYTES / PAGE - 2 - 2 * page) * PAGE,
    writable: true,
  }));
  pieces = [...ram, { ipa: READ_ONLY.base, bytes: READ_ONLY.bytes, offset: 0, writable: false }];
  await session.mapMemory({
    addressSpace,
    sources: [{ path }],
    mappings: pieces.map(({ bytes, ipa, offset, writable }) => ({
      ipa: BigInt(ipa),
      bytes: BigInt(bytes),
      source: 0,
      offset: BigInt(offset),
      readable: true,
      writable,
    })),
  });
  for (const { device, iommu } of HOSTS) {
    const virtual = await session.createVirtualIommu({ addressSpace, iommus: [iommu] });
    await session.attachDevice({ device, virtualIommu: virtual.name });
  }
});

afterAll(async () => {
  raw.close();
  client.close();
  expect(bugLines(broker.log)).toEqual([]);
  expect(await broker.stop()).toBe(0);
});

/** Another guest with the same addresses, attached and open to its own device. */
async function neighbour(): Promise<void> {
  const other = await client.openSession({ displayName: "victim" });
  const space = await other.createAddressSpace();
  const mapping = { source: 0, offset: 0n, bytes: BigInt(FILE_BYTES), readable: true, writable: true };
  await other.mapMemory({
    addressSpace: space.name,
    sources: [{ path: victim }],
    mappings: [{ ...mapping, ipa: BigInt(RAM.base) }],
  });
  for (const [device, iommu] of [
    ["devices/0000:00:01.0", "iommus/smmu0"],
    ["devices/0001:00:01.0", "iommus/smmu1"],
  ] as const) {
    const virtual = await other.createVirtualIommu({ addressSpace: space.name, iommus: [iommu] });
    await other.attachDevice({ device, virtualIommu: virtual.name, initialMode: 2 });
  }
}

interface Run {
  readonly seed: number;
  readonly host: (typeof HOSTS)[number];
  readonly dword0: bigint;
  readonly dword1: bigint;
  readonly accesses: readonly TranslateAccess[];
}

const attributes = fc.record({
  cacheability: fc.nat(63), // S1STALLD=1 is C_BAD_STE where nothing stalls: one guest in eight is enough of those.
  stalld: fc.nat(7).map((roll) => (roll === 0 ? 1 : 0)),
  eats: fc.nat(1),
});

/** Shapes of CD tables that lead somewhere: page 0 of the RAM holds 64 CDs, page 1 a first level. */
const sane = fc.oneof(
  fc.nat(63).map((cd) => ({ pointer: BigInt(RAM.base + 64 * cd), fmt: 0, cdMax: 0, dss: 0 })),
  fc.record({
    pointer: fc.constant(BigInt(RAM.base)),
    fmt: fc.constant(0),
    cdMax: fc.integer({ min: 1, max: 8 }),
    dss: fc.nat(2),
  }),
  fc.record({
    pointer: fc.constant(BigInt(RAM.base + PAGE)),
    fmt: fc.constantFrom(1, 2),
    cdMax: fc.integer({ min: 1, max: 16 }),
    dss: fc.nat(2),
  }),
);

/** Anything that may be bound, also where the architecture calls it illegal. */
const wild = fc.record({
  pointer: fc.oneof(
    fc.nat(RAM.bytes / 64 - 1).map((index) => BigInt(RAM.base + index * 64)),
    fc.constantFrom(...LURES).map(BigInt),
    fc.bigInt(0n, 2n ** 46n - 1n).map((index) => index * 64n),
  ),
  fmt: fc.nat(3),
  cdMax: fc.oneof(fc.nat(20), fc.nat(31)),
  dss: fc.nat(3),
});

const vste = fc
  .tuple(fc.oneof({ weight: 4, arbitrary: sane }, { weight: 1, arbitrary: wild }), attributes)
  .map(([{ cdMax, dss, fmt, pointer }, { cacheability, eats, stalld }]) => ({
    dword0: 1n | (0b101n << 1n) | (BigInt(fmt) << 4n) | pointer | (BigInt(cdMax) << 59n),
    dword1: BigInt(dss) | (BigInt(cacheability) << 2n) | (BigInt(stalld) << 27n) | (BigInt(eats) << 28n),
  }));

const iova = fc.oneof(
  fc.bigInt(0n, 2n ** 64n - 9n),
  fc.bigInt(0n, 2n ** 48n - 1n),
  { weight: 5, arbitrary: fc.bigInt(0n, 2n ** 30n) },
  fc.nat(0xffff).map((low) => 2n ** 64n - 0x1_0000n + BigInt(low) - 8n),
  fc.nat(RAM.bytes - 8).map((offset) => BigInt(RAM.base + offset)),
  fc.constantFrom(...LURES).map(BigInt),
);

const access: fc.Arbitrary<TranslateAccess> = fc.record({
  iova,
  substreamId: fc.oneof(fc.constant(undefined), fc.constantFrom(0, 1, 2, 3, 63, 64), fc.nat(2 ** 20 - 1)),
  access: fc.constantFrom(AccessKind.ACCESS_KIND_READ, AccessKind.ACCESS_KIND_WRITE, AccessKind.ACCESS_KIND_EXECUTE),
  privileged: fc.boolean(),
});

const run: fc.Arbitrary<Run> = fc
  .record({
    seed: fc.nat(2 ** 31),
    host: fc.constantFrom(...HOSTS),
    vste,
    accesses: fc.array(access, { minLength: 16, maxLength: 128, size: "max" }),
  })
  .map(({ vste: { dword0, dword1 }, ...rest }) => ({ ...rest, dword0, dword1 }));

test("a guest full of garbage gets architected answers, and never reaches what is not its own", async () => {
  let translated = 0;
  const kinds = new Set<string>();
  const watch = session.watchFaults();
  await watch.ready;
  const watched = typesOf(watch);
  await fc.assert(
    fc.asyncProperty(run, async (one) => {
      const { doorbell, windows } = await prepare(one);
      const began = performance.now();
      const answers = await session.simulator.translate(one.host.device, one.accesses);
      const moved = await session.simulator.dma(
        one.host.device,
        one.accesses.map((each) => dmaOf(each)),
      );
      expect(performance.now() - began).toBeLessThan(BATCH_MAX_MS);
      expect(answers).toHaveLength(one.accesses.length);
      expect(moved).toHaveLength(one.accesses.length);
      answers.forEach((answer, index) => {
        const wrong =
          whyNotArchitected(answer) ?? whyNotOwn(answer, { doorbell, windows }, one.accesses[index]?.access);
        expect(wrong, `access ${index}: ${wrong}`).toBe(undefined);
        if (answer.outcome === TRANSACTION_OUTCOME_OK && answer.ipa !== one.accesses[index]?.iova) translated += 1;
        kinds.add(answer.faultType);
      });
      expect(foreignBytes()).toEqual(FOREIGN);
      expect(await raw.health()).toBe("SERVING");
    }),
    { numRuns: RUNS, seed: SEED, endOnFailure: true },
  );
  watch.close();
  expect([...(await watched)].filter((type) => !EVENTS.has(type))).toEqual([]);
  // The generator is worth something only if some of its guests get through both stages, and the others fail in many ways.
  expect(translated).toBeGreaterThan(20);
  expect(kinds.size).toBeGreaterThan(8);
});

/** The types of all events until the watch is closed; rejects when the broker ends it. */
async function typesOf(watch: FaultWatch): Promise<ReadonlySet<string>> {
  const types = new Set<string>();
  for await (const { events } of watch) for (const { type } of events) types.add(type);
  return types;
}

async function prepare({ dword0, dword1, host, seed }: Run): Promise<Own> {
  const ram = garbage(new Dice(seed), RAM);
  const file = openSync(path, "r+");
  for (const { bytes, ipa, offset, writable } of pieces) {
    if (writable) writeSync(file, ram, ipa - RAM.base, bytes, offset);
  }
  closeSync(file);
  const { virtualIommu } = await client.getDevice(host.device);
  await session.bindGuestStage({
    device: host.device,
    virtualStreamId: 1,
    raw: { doubleword0: dword0, doubleword1: dword1 },
  });
  await session.invalidateCache(virtualIommu, [{ cfgiCdAll: { virtualStreamId: 1 } }, { tlbiNhAll: {} }]);
  const { windows } = await session.simulator.readStructures({ device: host.device });
  expect(windows.map((window) => window.path)).toEqual([path]);
  const { doorbell } = await session.simulator.listMsis(host.device);
  return { windows: windows.map(({ pa }) => pa), doorbell: doorbell?.pa };
}

function dmaOf({ access: kind, ...rest }: TranslateAccess) {
  return kind === AccessKind.ACCESS_KIND_WRITE
    ? { ...rest, write: new Uint8Array(8).fill(0xff) }
    : { ...rest, readBytes: 8 };
}

function whyNotArchitected(answer: Translation): string | undefined {
  const { faultStage, faultType, outcome, recorded } = answer;
  if (outcome === TRANSACTION_OUTCOME_OK) return faultType === "" ? undefined : `OK with ${faultType}`;
  if (outcome !== TRANSACTION_OUTCOME_ABORT && outcome !== TRANSACTION_OUTCOME_RAZ_WI) return `outcome ${outcome}`;
  if (faultType === "") return recorded ? "recorded without a fault" : undefined;
  if (!EVENTS.has(faultType)) return `fault ${faultType}`;
  return faultStage <= 2 ? undefined : `stage ${faultStage}`;
}

/** Where a guest's own bytes and the host's MSI doorbell stand in the simulated host. */
interface Own {
  readonly windows: readonly bigint[];
  readonly doorbell: bigint | undefined;
}

/**
 * The answer's physical address must be that of a byte which the VMM mapped, at the IPA it was mapped at, or the host's
 * doorbell at the place of the MSI window that the IPA says.
 */
function whyNotOwn(answer: Translation, { doorbell, windows }: Own, kind: number | undefined): string | undefined {
  if (answer.outcome !== TRANSACTION_OUTCOME_OK) return undefined;
  if (answer.ipa === undefined) return "translated without stage 2";
  const ipa = Number(answer.ipa);
  const inWindow = ipa - MSI_WINDOW.ipa;
  if (inWindow >= 0 && inWindow < MSI_WINDOW.bytes) {
    const isDoorbell = doorbell !== undefined && answer.pa === doorbell + BigInt(inWindow);
    return isDoorbell ? undefined : `PA 0x${answer.pa.toString(16)} for the MSI window`;
  }
  const piece = pieces.find((one) => ipa >= one.ipa && ipa < one.ipa + one.bytes);
  if (!piece) return `IPA 0x${ipa.toString(16)} is not mapped`;
  if (kind === AccessKind.ACCESS_KIND_WRITE && !piece.writable) return "a write to what is mapped for reading";
  const offset = BigInt(piece.offset + ipa - piece.ipa);
  return windows.some((base) => answer.pa === base + offset) ? undefined : `PA 0x${answer.pa.toString(16)}`;
}

/** A digest of every byte that the guest may not write: the neighbour's, and its own file outside the mappings. */
function foreignBytes(): { victim: string; between: string } {
  const own = readFileSync(path);
  for (const { bytes, offset, writable } of pieces) if (writable) own.fill(0, offset, offset + bytes);
  return { victim: digest(readFileSync(victim)), between: digest(own) };
}

function untouched(): { victim: string; between: string } {
  const own = Buffer.alloc(FILE_BYTES, 0x5a);
  for (let page = 0; page < RAM.bytes / PAGE; page += 1) {
    own.fill(0, (FILE_BYTES / PAGE - 2 - 2 * page) * PAGE, (FILE_BYTES / PAGE - 1 - 2 * page) * PAGE);
  }
  return { victim: digest(Buffer.alloc(FILE_BYTES, 0xa5)), between: digest(own) };
}

function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

const FOREIGN = untouched();
