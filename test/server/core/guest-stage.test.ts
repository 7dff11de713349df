import { beforeEach, describe, expect, test } from "vitest";
import { checkVSTE, type VSTE } from "../../../src/backends/vste.ts";
import type { FaultSubscription, SequencedFault } from "../../../src/server/core/fault-verbs.ts";
import { entriesOf } from "../../support/faults.ts";
import { GRANULES, type Granule, GUEST_BASE, GuestTables } from "../../support/guest-tables.ts";
import {
  attach,
  bind,
  FAR,
  type Guest,
  guest,
  NVME,
  SMMU0,
  SMMU1,
  type TestHost,
  testHost,
} from "../../support/host.ts";
import { at, contextDescriptor, LEAF, OPEN } from "../../support/smmuv3-tables.ts";

const DATA = GUEST_BASE + 0x18_0000; // 64 KiB aligned, beyond what GuestTables allocates
const PAGE = 2 ** 16; // one page of the largest granule

let host: TestHost;
let vmm: Guest;
let tables: GuestTables;
let subscription: FaultSubscription;
beforeEach(async () => {
  host = testHost();
  vmm = await guest(host, { iommus: [SMMU0, SMMU1] });
  tables = new GuestTables(vmm.file);
  await attach(host, vmm, NVME);
  subscription = host.core.faults.subscribe(vmm.session, { devices: [], resumeAfter: new Map() });
});

interface Table {
  readonly fmt?: number;
  readonly max?: number;
  readonly dss?: number;
}

/** A guest STE (§5.2): V, Config 0b101, S1Fmt [5:4], S1ContextPtr, S1CDMax [63:59]; S1DSS, S1CIR=S1COR=1, S1CSH=3. */
function translate(pointer: number, { fmt = 0, max = 0, dss = 0 }: Table = {}): VSTE {
  return checkVSTE(0b1011n | at(fmt, 4) | BigInt(pointer) | at(max, 59), 0xd4n | BigInt(dss));
}

type Access = "read" | "write" | "execute";
interface How {
  readonly ssid?: number;
  readonly access?: Access;
  readonly privileged?: boolean;
}

/** Where an access ends: its IPA, "type stage", or "abort". */
async function go(
  iova: number | bigint,
  { ssid, access = "read", privileged = false }: How = {},
): Promise<number | string> {
  const where = { iova: BigInt(iova), substreamID: ssid, privileged, streamIndex: 0, access };
  const [outcome] = await host.core.simulator!.translate(vmm.session, NVME, [where]);
  const { end, fault, ipa } = outcome!;
  if (end === "ok") return ipa!;
  return fault ? [fault.type, fault.stage].filter((part) => part !== undefined).join(" ") : end;
}

async function nextFault(): Promise<SequencedFault["fault"]> {
  const batch = await subscription.next();
  expect(batch!.gaps).toEqual([]);
  const [event, ...more] = entriesOf(batch);
  expect(more).toEqual([]);
  if (event?.kind !== "event") throw new Error(`a ${event?.kind} is no event`);
  return event.fault;
}

describe.each(["4K", "16K", "64K"] as const)("stage 1 with %s pages", (granule: Granule) => {
  const bytes = 2 ** GRANULES[granule].pageBits;

  test("translates through both stages to the page, and data goes there", async () => {
    const root = tables.root(granule);
    tables.map(granule, root, 0x20 * bytes, DATA);
    await bind(host, vmm, NVME, translate(tables.cd(granule, root)), 0x30);
    expect(await go(0x20 * bytes + 0x123)).toBe(DATA + 0x123);
    expect(await go(0x21 * bytes - 1)).toBe(DATA + bytes - 1);
    const access = { iova: BigInt(0x20 * bytes + 4), substreamID: undefined, privileged: false, streamIndex: 0 };
    await host.core.simulator!.dma(vmm.session, NVME, [{ ...access, kind: "write", data: Uint8Array.of(1, 2, 3) }]);
    expect([...vmm.file.data.subarray(DATA - GUEST_BASE + 4, DATA - GUEST_BASE + 7)]).toEqual([1, 2, 3]);
  });

  test("faults beside the page, in stage 1, and the owner hears it under the virtual StreamID", async () => {
    const root = tables.root(granule);
    tables.map(granule, root, 0, DATA);
    await bind(host, vmm, NVME, translate(tables.cd(granule, root)), 0x30);
    expect(await go(bytes)).toBe("F_TRANSLATION 1");
    expect(await nextFault()).toMatchObject({
      device: NVME,
      virtualStreamID: 0x30,
      type: "F_TRANSLATION",
      stage: 1,
      class: "IN",
      inputAddress: BigInt(bytes),
      read: true,
    });
    expect(await go(2 ** (64 - GRANULES[granule].t0sz))).toBe("F_TRANSLATION 1");
  });
});

describe("the shape of the guest's CD table", () => {
  /** CDs whose page 0 leads to DATA plus one page for each SubstreamID. */
  function cdFor(ssid: number, address?: number): number {
    const root = tables.root("4K");
    tables.map("4K", root, 0, DATA + (ssid % 8) * 4096);
    return tables.cd("4K", root, { asid: 100 + ssid, ...(address === undefined ? {} : { address }) });
  }

  test("S1Fmt 0: linear, by SubstreamID", async () => {
    const table = tables.allocate(8 * 64);
    for (const ssid of [0, 5]) cdFor(ssid, table + ssid * 64);
    await bind(host, vmm, NVME, translate(table, { max: 3, dss: 2 }), 0x30);
    expect(await go(0, { ssid: 5 })).toBe(DATA + 5 * 4096);
    expect(await go(0)).toBe(DATA); // S1DSS 2: CD 0
    expect(await go(0, { ssid: 4 })).toBe("C_BAD_CD"); // V=0 there
    expect(await nextFault()).toMatchObject({ type: "C_BAD_CD", substreamID: 4, inputAddress: undefined });
  });

  test.each([
    [1, 64, 4096],
    [2, 1024, 65536],
  ])("S1Fmt %d: two levels, leaves of %d CDs", async (fmt, leafCDs, leafBytes) => {
    const l1 = tables.allocate(4096);
    const leaf = tables.allocate(leafBytes);
    const ssid = leafCDs + 3; // the second leaf's fourth
    tables.poke(l1 + 8, BigInt(leaf) | 1n); // L1CD: V, L2Ptr (§5.3)
    cdFor(ssid, leaf + 3 * 64);
    await bind(host, vmm, NVME, translate(l1, { fmt, max: 12 }), 0x30);
    expect(await go(0, { ssid })).toBe(DATA + (ssid % 8) * 4096);
    expect(await go(0, { ssid: 1 })).toBe("C_BAD_SUBSTREAMID"); // L1CD.V is 0
    expect(await nextFault()).toMatchObject({ type: "C_BAD_SUBSTREAMID", substreamID: 1, virtualStreamID: 0x30 });
  });

  test("S1CDMax: the first SubstreamID beyond it is refused, and with 0 there are none", async () => {
    const table = tables.allocate(4 * 64);
    for (const ssid of [0, 3]) cdFor(ssid, table + ssid * 64);
    await bind(host, vmm, NVME, translate(table, { max: 2, dss: 2 }), 0x30);
    expect(await go(0, { ssid: 3 })).toBe(DATA + 3 * 4096);
    expect(await go(0, { ssid: 4 })).toBe("C_BAD_SUBSTREAMID");
    await bind(host, vmm, NVME, translate(table));
    expect(await go(0)).toBe(DATA);
    expect(await go(0, { ssid: 0 })).toBe("C_BAD_SUBSTREAMID");
  });

  test("S1DSS: without SubstreamID 0 is refused, 1 bypasses stage 1, 2 uses CD 0", async () => {
    const table = tables.allocate(2 * 64);
    cdFor(0, table);
    cdFor(1, table + 64);
    await bind(host, vmm, NVME, translate(table, { max: 1, dss: 0 }), 0x30);
    expect(await go(0)).toBe("F_STREAM_DISABLED");
    expect((await nextFault()).type).toBe("F_STREAM_DISABLED");
    await bind(host, vmm, NVME, translate(table, { max: 1, dss: 1 }));
    expect(await go(DATA + 8)).toBe(DATA + 8);
    expect(await go(0)).toBe("F_TRANSLATION 2"); // IPA 0 is not mapped
    expect(await go(0, { ssid: 1 })).toBe(DATA + 4096);
    await bind(host, vmm, NVME, translate(table, { max: 1, dss: 2 }));
    expect(await go(0)).toBe(DATA);
  });

  test("an S1CDMax that is legal for one host and not for the other faults on that one alone", async () => {
    const config = translate(tables.allocate(64), { max: 9 });
    await attach(host, vmm, FAR);
    await bind(host, vmm, FAR, config, 0x31); // SSIDSIZE is 8 there
    const where = { iova: 0n, substreamID: undefined, privileged: false, streamIndex: 0, access: "read" } as const;
    const [far] = await host.core.simulator!.translate(vmm.session, FAR, [where]);
    expect(far!.fault?.type).toBe("C_BAD_STE");
    await bind(host, vmm, NVME, config, 0x30);
    expect(await go(0)).toBe("F_STREAM_DISABLED"); // legal here; S1DSS 0
  });
});

describe("permissions are those of both stages", () => {
  beforeEach(async () => {
    const { addressSpace, session, file } = vmm;
    const page = { bytes: 4096n, source: 0 };
    await host.core.addressSpaces.map(session, {
      addressSpace,
      sources: [file.path],
      mappings: [
        { ...page, ipa: 0x8000_0000n, offset: 0n, readable: true, writable: false },
        { ...page, ipa: 0x8000_1000n, offset: 0n, readable: false, writable: true },
      ],
    });
    const root = tables.root("4K");
    tables.map("4K", root, 0x0000, DATA, OPEN | LEAF.READ_ONLY);
    tables.map("4K", root, 0x1000, DATA, LEAF.AF | LEAF.NON_GLOBAL); // AP[1]=0: privileged only
    tables.map("4K", root, 0x2000, 0x8000_0000);
    tables.map("4K", root, 0x3000, 0x8000_1000);
    tables.map("4K", root, 0x4000, DATA, OPEN | LEAF.UXN | LEAF.PXN);
    tables.map("4K", root, 0x5000, DATA, OPEN & ~LEAF.AF);
    await bind(host, vmm, NVME, translate(tables.cd("4K", root)), 0x30);
  });

  test.each([
    ["a write to stage 1's read-only page", 0x0000, { access: "write" }, "F_PERMISSION 1"],
    ["a read of it", 0x0000, {}, DATA],
    ["an unprivileged read of a privileged page", 0x1000, {}, "F_PERMISSION 1"],
    ["a privileged read of it", 0x1000, { privileged: true }, DATA],
    ["a write to stage 2's read-only page", 0x2000, { access: "write" }, "F_PERMISSION 2"],
    ["a read of it", 0x2000, {}, 0x8000_0000],
    ["a read of stage 2's write-only page", 0x3000, {}, "F_PERMISSION 2"],
    ["a write to it", 0x3000, { access: "write" }, 0x8000_1000],
    ["executing what stage 1 says never to", 0x4000, { access: "execute" }, "F_PERMISSION 1"],
    ["a page whose Access flag is clear", 0x5000, {}, "F_ACCESS 1"],
  ] as const)("%s", async (_, iova, how, expected) => {
    expect(await go(iova, how)).toBe(expected);
  });
});

describe("a context descriptor that breaks", () => {
  test("goes on as it was cached until CFGI_CD, and is C_BAD_CD after it", async () => {
    const root = tables.root("4K");
    tables.map("4K", root, 0, DATA);
    const cd = tables.cd("4K", root);
    await bind(host, vmm, NVME, translate(cd), 0x30);
    expect(await go(0)).toBe(DATA);
    tables.poke(cd, tables.peek(cd) & ~at(1, 31)); // V [31] (§5.4)
    expect(await go(0)).toBe(DATA);
    const cfgiCD = { dword0: 0x05n | (0x30n << 32n), dword1: 1n };
    await host.core.virtualIommus.invalidate(vmm.session, vmm.virtualIommu, [cfgiCD]);
    expect(await go(0)).toBe("C_BAD_CD");
    const fault = await nextFault();
    expect(fault).toMatchObject({ type: "C_BAD_CD", typeNumber: 0x0a, virtualStreamID: 0x30, stage: undefined });
    const words = new DataView(fault.record.buffer);
    expect([words.getUint8(0), words.getUint32(4, true)]).toEqual([0x0a, 0x30]);
    tables.poke(cd, tables.peek(cd) | at(1, 31));
    await host.core.virtualIommus.invalidate(vmm.session, vmm.virtualIommu, [cfgiCD]);
    expect(await go(0)).toBe(DATA);
  });

  test("a changed descriptor is seen after TLBI_NH_VA of its address and ASID, and not after another's", async () => {
    const root = tables.root("4K");
    const leaf = tables.map("4K", root, 0x1000, DATA);
    await bind(host, vmm, NVME, translate(tables.cd("4K", root, { asid: 7 })), 0x30);
    expect(await go(0x1000)).toBe(DATA);
    tables.poke(leaf, BigInt(DATA + 4096) | OPEN | 3n);
    const tlbi = (asid: bigint, va: bigint) =>
      host.core.virtualIommus.invalidate(vmm.session, vmm.virtualIommu, [
        { dword0: 0x12n | (asid << 48n), dword1: va },
      ]);
    await tlbi(8n, 0x1000n);
    await tlbi(7n, 0x2000n);
    expect(await go(0x1000)).toBe(DATA);
    await tlbi(7n, 0x1000n);
    expect(await go(0x1000)).toBe(DATA + 4096);
  });
});

describe("guest memory that holds anything", () => {
  async function bound(prepare: (root: number) => void, pointer?: number): Promise<number> {
    const root = tables.root("4K");
    prepare(root);
    const cd = tables.cd("4K", root);
    await bind(host, vmm, NVME, translate(pointer ?? cd), 0x30);
    return root;
  }

  test("a table that points at itself ends at the last level", async () => {
    await bound((root) => tables.poke(root, BigInt(root) | 3n));
    // Level 3 reads the same word as a page descriptor: AF (bit 10) is clear there.
    expect(await go(0)).toBe("F_ACCESS 1");
  });

  test("a table beyond what stage 2 maps is a stage 2 fault of class TTD", async () => {
    await bound((root) => tables.poke(root, 0x7000_0000n | 3n));
    expect(await go(0)).toBe("F_TRANSLATION 2");
    expect(await nextFault()).toMatchObject({ stage: 2, class: "TTD", ipa: 0x7000_0000, inputAddress: 0n });
  });

  test("a page beyond what stage 2 maps is a stage 2 fault of class IN, with the IPA", async () => {
    await bound((root) => tables.map("4K", root, 0x3000, 0x7000_5000));
    expect(await go(0x3abc)).toBe("F_TRANSLATION 2");
    expect(await nextFault()).toMatchObject({ stage: 2, class: "IN", ipa: 0x7000_5000, inputAddress: 0x3abcn });
  });

  test("a CD beyond what stage 2 maps is a stage 2 fault of class CD", async () => {
    await bound(() => {}, 0x7000_0000);
    expect(await go(0)).toBe("F_TRANSLATION 2");
    expect(await nextFault()).toMatchObject({ stage: 2, class: "CD", ipa: 0x7000_0000 });
  });

  test("a page beyond the output size that the CD gives is F_ADDR_SIZE in stage 1", async () => {
    const root = tables.root("4K");
    tables.map("4K", root, 0, 0x1_4000_0000); // 33 bits
    const cd = tables.allocate(64);
    tables.writeCD(contextDescriptor(root, { ips: 0 }), cd); // 32 bits
    await bind(host, vmm, NVME, translate(cd), 0x30);
    expect(await go(0)).toBe("F_ADDR_SIZE 1");
    expect(await nextFault()).toMatchObject({ type: "F_ADDR_SIZE", stage: 1, class: "IN" });
  });

  test("random words in every table never take more than the levels there are", async () => {
    await bound((root) => {
      for (let index = 0; index < 512; index += 1) tables.poke(root + index * 8, BigInt(root) | at(index, 2) | 3n);
    });
    const walks = () => host.backend.counters().iommus[0]!.transTableWalkAccesses!;
    const before = walks();
    for (let index = 0; index < 64; index += 1) await go(index * 2 ** 30);
    expect(walks() - before).toBeLessThanOrEqual(64 * (4 + 3 * 4 + 4 * 4));
  });
});

describe("guest memory that is truncated under the broker", () => {
  test("the CD gone: F_CD_FETCH with the address that failed", async () => {
    const root = tables.root("4K");
    const cd = tables.cd("4K", root);
    await bind(host, vmm, NVME, translate(cd), 0x30);
    vmm.file.truncate(cd - GUEST_BASE);
    expect(await go(0)).toBe("F_CD_FETCH");
    const fault = await nextFault();
    expect(fault).toMatchObject({ type: "F_CD_FETCH", virtualStreamID: 0x30, ipa: undefined });
    expect(fault.fetchAddress! % 64).toBe(0);
  });

  test("a table gone: F_WALK_EABT", async () => {
    const cd = tables.allocate(64);
    const root = tables.root("4K");
    tables.cd("4K", root, { address: cd });
    await bind(host, vmm, NVME, translate(cd), 0x30);
    vmm.file.truncate(root - GUEST_BASE);
    expect(await go(0)).toBe("F_WALK_EABT 1");
    expect(await nextFault()).toMatchObject({ type: "F_WALK_EABT", stage: 1, inputAddress: 0n });
  });

  test("the page gone: the translation stands, the access is a bus error and no fault", async () => {
    const root = tables.root("4K");
    tables.map("4K", root, 0, DATA);
    tables.map("4K", root, 0x1000, GUEST_BASE);
    await bind(host, vmm, NVME, translate(tables.cd("4K", root)), 0x30);
    vmm.file.truncate(DATA - GUEST_BASE + 100);
    const access = { iova: 0n, substreamID: undefined, privileged: false, streamIndex: 0, kind: "read" } as const;
    const outcomes = await host.core.simulator!.dma(vmm.session, NVME, [
      { ...access, bytes: 100 },
      { ...access, bytes: 101 },
      { ...access, iova: 0x1000n, bytes: 8 },
    ]);
    expect(outcomes.map(({ end }) => end)).toEqual(["ok", "bus-error", "ok"]);
    expect(host.backend.counters().devices.find(({ device }) => device === NVME)).toMatchObject({
      translationsFaulted: 0,
    });
  });
});

test("counters of an attached device tell what became of its transactions", async () => {
  const root = tables.root("4K");
  tables.map("4K", root, 0, DATA);
  await go(0); // abort STE
  await bind(host, vmm, NVME, translate(tables.cd("4K", root)), 0x30);
  await go(0);
  await go(PAGE);
  const counters = host.backend.counters().devices.find(({ device }) => device === NVME)!;
  expect(counters).toMatchObject({ translationsOk: 1, translationsFaulted: 1, translationsAborted: 1 });
  expect(counters.faults).toEqual([{ type: "F_TRANSLATION", stage: 1, class: "IN", count: 1 }]);
});
