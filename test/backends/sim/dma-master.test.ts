import { beforeEach, describe, expect, test } from "vitest";
import type { SimulatedDma } from "../../../src/backends/simulator-control.ts";
import { checkVSTE } from "../../../src/backends/vste.ts";
import { GuestTables } from "../../support/guest-tables.ts";
import {
  attach,
  bind,
  type Guest,
  guest,
  NIC,
  NVME,
  refusal,
  type TestHost,
  TWO_SMMUS,
  testHost,
} from "../../support/host.ts";
import { contextDescriptor, LEAF, OPEN } from "../../support/smmuv3-tables.ts";

const BASE = 0x4000_0000n; // 2 MiB
const HOLE = 0x5000_0000n;
const WHERE = { substreamID: undefined, privileged: false, streamIndex: 0 } as const;
const read = (iova: bigint, bytes: number): SimulatedDma => ({ ...WHERE, kind: "read", iova, bytes });
const write = (iova: bigint, data: Uint8Array): SimulatedDma => ({ ...WHERE, kind: "write", iova, data });

let host: TestHost;
let vmm: Guest;
beforeEach(async () => {
  host = testHost();
  vmm = await guest(host);
  await attach(host, vmm, NVME, "bypass");
});

test("a translation says what goes out: memory is Write-Back and shared, the MSI window Device", async () => {
  const at = (iova: bigint) => ({ ...WHERE, iova, access: "write" as const });
  const answers = await host.backend.translate(NVME, [at(BASE), at(0x0800_0000n), at(HOLE)]);
  expect(answers).toMatchObject([
    { end: "ok", attributes: { memoryType: "Normal-iWB-oWB", shareability: "ISH" } },
    { end: "ok", attributes: { memoryType: "Device-nGnRE", shareability: "OSH" } },
    { end: "abort", attributes: undefined },
  ]);
});

describe("an access", () => {
  test("crosses pages, each of them its own transaction", async () => {
    vmm.file.data.forEach((_, index, data) => {
      data[index] = index % 251;
    });
    const before = host.backend.counters().iommus[0]!.transactions!;
    const [outcome] = await host.backend.dma(NVME, [read(BASE + 0xff0n, 0x1020)]);
    expect(outcome).toMatchObject({ end: "ok", bytesDone: 0x1020 });
    expect([...outcome!.data]).toEqual([...vmm.file.data.subarray(0xff0, 0x2010)]);
    expect(host.backend.counters().iommus[0]!.transactions! - before).toBe(3);
  });

  test("stops at the first page that faults, with what was done before it", async () => {
    const { addressSpace, session, file } = vmm;
    const mapping = { ipa: HOLE, bytes: 4096n, source: 0, offset: 0n, readable: true, writable: true };
    await host.core.addressSpaces.map(session, {
      addressSpace,
      sources: [file.path],
      mappings: [mapping],
    });
    const [first, second] = await host.backend.dma(NVME, [
      write(HOLE + 0xff0n, new Uint8Array(64).fill(7)),
      read(HOLE, 8192),
    ]);
    expect(first).toMatchObject({ end: "abort", bytesDone: 16 });
    expect(second!.end).toBe("abort");
    expect(second!.data).toHaveLength(4096);
    expect([...file.data.subarray(0xff0, 0x1000)]).toEqual(new Array(16).fill(7));
  });

  test("of no byte at all is done, and touches nothing", async () => {
    const before = host.backend.counters().iommus[0]!.transactions!;
    const [outcome] = await host.backend.dma(NVME, [read(HOLE, 0)]);
    expect(outcome).toMatchObject({ end: "ok", bytesDone: 0 });
    expect(host.backend.counters().iommus[0]!.transactions).toBe(before);
  });

  test("may end at the last byte of 64 bits and not beyond", async () => {
    const [outcome] = await host.backend.dma(NVME, [read(2n ** 64n - 8n, 8)]);
    expect(outcome!.end).toBe("abort");
    const error = await refusal(() => host.backend.dma(NVME, [read(2n ** 64n - 8n, 9)]));
    expect(error).toMatchObject({ code: "argument_invalid", facts: { bytes: 9 } });
  });

  test("to a truncated file is a bus error, and later accesses go on", async () => {
    vmm.file.truncate(0x1800);
    const outcomes = await host.backend.dma(NVME, [
      read(BASE + 0x1000n, 0x800),
      read(BASE + 0x1000n, 0x801),
      write(BASE + 0x17ffn, Uint8Array.of(1, 2)),
      read(BASE, 8),
    ]);
    expect(outcomes.map(({ end }) => end)).toEqual(["ok", "bus-error", "bus-error", "ok"]);
  });
});

describe("where terminated transactions read as zero (CD.A=0, TERM_MODEL 0)", () => {
  test("the end says so and nothing is delivered", async () => {
    const registers = { idr0: 0x094c_101b, idr1: 0x0273_0510, idr3: 0x1414, idr5: 0x75, aidr: 1 }; // TERM_MODEL (bit 26) 0
    const config = {
      iommus: [{ id: "smmu0", registers }],
      devices: [{ id: NVME, iommu: "smmu0", group: 0, streamIDs: [8] }],
    };
    host = testHost({ config });
    vmm = await guest(host);
    await attach(host, vmm, NVME);
    const tables = new GuestTables(vmm.file);
    const cd = tables.allocate(64);
    tables.writeCD(contextDescriptor(tables.root("4K"), { abort: false }), cd);
    await bind(host, vmm, NVME, checkVSTE(0xbn | BigInt(cd), 0xd4n), 0x30);
    const [seen, written] = await host.backend.dma(NVME, [read(0n, 8), write(0n, Uint8Array.of(1))]);
    expect([seen!.end, written!.end]).toEqual(["raz-wi", "raz-wi"]);
    expect(seen!.data.every((byte) => byte === 0)).toBe(true);
  });
});

describe("a long batch", () => {
  test("gives the event loop its turns", async () => {
    let turns = 0;
    let isRunning = true;
    const tick = (): void => {
      turns += 1;
      if (isRunning) setImmediate(tick);
    };
    setImmediate(tick);
    await host.backend.dma(NVME, new Array(1280).fill(read(BASE, 8)));
    isRunning = false;
    expect(turns).toBeGreaterThanOrEqual(9); // one in 128 transactions
  });

  test("of faults loses no event: it waits for the queue to be drained", async () => {
    await attach(host, vmm, NIC, "bypass");
    const faults = new Array(3000).fill(read(HOLE, 8));
    await Promise.all([host.backend.dma(NVME, faults), host.backend.dma(NIC, faults)]);
    expect(host.backend.counters().iommus[0]).toMatchObject({ eventsRecorded: 6000, eventsDropped: 0 });
  });
});

describe("translations in one call", () => {
  const ask = (iova: bigint, access: "read" | "write" | "execute" = "read") => ({ ...WHERE, iova, access });

  test("answer as each alone does, though hits and faults, kinds and substreams alternate", async () => {
    await attach(host, vmm, NIC, "abort");
    const tables = new GuestTables(vmm.file);
    const root = tables.root("4K");
    tables.map("4K", root, 0x1000, 0x4010_0000);
    tables.map("4K", root, 0x2000, 0x4011_0000, OPEN | LEAF.READ_ONLY);
    await bind(host, vmm, NIC, checkVSTE(0xbn | BigInt(tables.cd("4K", root)), 0xd4n), 0x30);
    const accesses = [
      ask(0x1008n),
      ask(0x2008n, "write"),
      ask(0x2010n),
      { ...ask(0x1018n), privileged: true },
      { ...ask(0x1020n), substreamID: 1 },
      ask(0x3000n),
      ask(0x1028n, "write"),
      ask(2n ** 64n - 1n),
    ];
    const together = await host.backend.translate(NIC, accesses);
    const alone = await Promise.all(accesses.map(async (access) => (await host.backend.translate(NIC, [access]))[0]));
    expect(together).toEqual(alone);
    expect(together.map(({ end, fault, ipa }) => fault?.type ?? `${end} ${ipa?.toString(16)}`)).toEqual([
      "ok 40100008",
      "F_PERMISSION", // AP[2] = 1
      "ok 40110010",
      "ok 40100018",
      "C_BAD_SUBSTREAMID", // S1CDMax = 0
      "F_TRANSLATION",
      "ok 40100028",
      "F_TRANSLATION",
    ]);
  });

  test("go on in turns: one in 128, whether they hit the TLB or fault", async () => {
    const turnsOf = async (iova: bigint, count: number): Promise<number> => {
      let turns = 0;
      let isRunning = true;
      const tick = (): void => {
        turns += 1;
        if (isRunning) setImmediate(tick);
      };
      setImmediate(tick);
      await host.backend.translate(NVME, new Array(count).fill(ask(iova)));
      isRunning = false;
      return turns;
    };
    expect(await turnsOf(BASE, 4096)).toBeGreaterThanOrEqual(31);
    expect(await turnsOf(HOLE, 1280)).toBeGreaterThanOrEqual(9);
  });

  test("lose no event, whoever faults beside them", async () => {
    await attach(host, vmm, NIC, "bypass");
    const mixed = Array.from({ length: 4096 }, (_, index) => ask(index % 3 === 0 ? BASE : HOLE));
    await Promise.all([host.backend.translate(NVME, mixed), host.backend.translate(NIC, mixed)]);
    expect(host.backend.counters().iommus[0]).toMatchObject({ eventsRecorded: 2 * 2730, eventsDropped: 0 });
  });

  test("end with an abort once the device is reset, and are counted nowhere", async () => {
    const answers = host.backend.translate(NVME, new Array(4096).fill(ask(BASE)));
    const transactions = host.backend.counters().iommus[0]!.transactions!;
    expect(transactions).toBeGreaterThan(0);
    expect(transactions).toBeLessThan(4096);
    await host.backend.detach(host.core.devices.get(NVME).group);
    const ends = (await answers).map(({ end }) => end);
    expect(ends.filter((end) => end === "ok")).toHaveLength(transactions);
    expect(ends.slice(transactions).every((end) => end === "abort")).toBe(true);
    expect(host.backend.counters().iommus[0]!.transactions).toBe(transactions);
  });
});

describe("where the configuration lets SMMUs merge events", () => {
  const faultsOf = async (mergeEvents: boolean) => {
    host = testHost({ config: { ...TWO_SMMUS, mergeEvents } });
    vmm = await guest(host);
    await attach(host, vmm, NVME);
    const tables = new GuestTables(vmm.file);
    const cd = tables.cd("4K", tables.root("4K"));
    await bind(host, vmm, NVME, checkVSTE(0xbn | BigInt(cd), 0xd4n), 0x30);
    const seen: (bigint | undefined)[] = [];
    host.backend.onFault((notice) => {
      if (notice.kind === "fault") seen.push(notice.fault.inputAddress);
    });
    await host.backend.dma(NVME, [read(0x5008n, 8), read(0x5ff0n, 8), read(0x6000n, 8)]);
    while (seen.at(-1) !== 0x6000n) await new Promise((resolve) => setImmediate(resolve));
    return { seen, merged: host.backend.counters().iommus[0]!.eventsMerged };
  };

  test("faults of a nested stream on one page are one event; every one counts as a fault", async () => {
    expect(await faultsOf(true)).toEqual({ seen: [0x5008n, 0x6000n], merged: 1 });
    expect(host.backend.counters().devices[0]!.faults).toEqual([
      { type: "F_TRANSLATION", stage: 1, class: "IN", count: 3 },
    ]);
  });

  test("and where it does not, each fault is its own", async () => {
    expect(await faultsOf(false)).toEqual({ seen: [0x5008n, 0x5ff0n, 0x6000n], merged: 0 });
  });
});

describe("a device that goes back to the host with events in the queue", () => {
  test("leaves none for the next owner, however many there were", async () => {
    await attach(host, vmm, NIC, "bypass");
    const seen: string[] = [];
    host.backend.onFault((notice) => {
      if (notice.kind === "fault") seen.push(notice.fault.device);
    });
    // 120 each from eight masters in one turn: more than the driver takes in one of its own.
    const masters = Array.from({ length: 8 }, (_, index) =>
      host.backend.dma(index % 2 === 0 ? NVME : NIC, new Array(120).fill(read(HOLE, 8))),
    );
    await Promise.all(masters);
    const before = seen.length;
    await host.backend.detach(host.core.devices.get(NVME).group);
    expect(seen.length - before).toBeGreaterThan(256);
    expect(seen.filter((device) => device === NVME)).toHaveLength(480);
    seen.length = 0;
    for (let count = 0; count < 6; count += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(seen).toEqual([]);
  });
});
