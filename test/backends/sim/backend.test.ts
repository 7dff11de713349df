import { describe, expect, test } from "vitest";
import type { FaultNotice, Notice } from "../../../src/backends/faults.ts";
import { virtualStreamID } from "../../../src/backends/ids.ts";
import { createSimulatedBackend } from "../../../src/backends/sim/backend.ts";
import { checkVSTE } from "../../../src/backends/vste.ts";
import { GuestTables } from "../../support/guest-tables.ts";
import { NIC, NVME, refusal, TWO_SMMUS, turn } from "../../support/host.ts";
import { BufferFile } from "../../support/memory-file.ts";
import { at, contextDescriptor } from "../../support/smmuv3-tables.ts";

const BASE = 0x4000_0000;
const WHERE = { substreamID: undefined, privileged: false, streamIndex: 0 } as const;

/** The first SMMU with other registers, and the NVMe and the NIC behind it. */
function host(registers: Partial<(typeof TWO_SMMUS)["iommus"][0]["registers"]> = {}) {
  const [first] = TWO_SMMUS.iommus;
  const devices = TWO_SMMUS.devices.filter(({ id }) => id === NVME || id === NIC);
  return createSimulatedBackend({
    iommus: [{ id: "smmu0", registers: { ...first!.registers, ...registers } }],
    devices,
  });
}

function mapping(file: BufferFile, ipa: number, bytes = file.bytes) {
  return { ipa, bytes, file, offset: 0, readable: true, writable: true };
}

test("a batch whose last file finds no room maps nothing of the others", async () => {
  const backend = host();
  const [nvme] = backend.inventory.devices().filter(({ id }) => id === NVME);
  const space = await backend.createAddressSpace();
  const part = await backend.createPart(space, nvme!.iommu);
  await backend.attach(nvme!.group, part, "bypass");
  const [small, huge] = [new BufferFile("/memory/small", 4096), new BufferFile("/memory/huge", 0)];
  huge.grow(2 ** 48);
  const error = await refusal(() =>
    backend.map(space, [mapping(small, BASE), mapping(huge, 2 ** 30, 2 ** 48 - 2 ** 31)]),
  );
  expect(error.code).toBe("limit_reached");
  expect([small.references, huge.references]).toEqual([1, 1]);
  const [outcome] = await backend.dma(NVME, [{ ...WHERE, kind: "read", iova: BigInt(BASE), bytes: 8 }]);
  expect(outcome!.end).toBe("abort");
});

test("a batch of invalidations ends its turn every few commands", async () => {
  const backend = host();
  const [nvme] = backend.inventory.devices().filter(({ id }) => id === NVME);
  const part = await backend.createPart(await backend.createAddressSpace(), nvme!.iommu);
  const all = { opcode: 0x10, dword0: 0x10n, dword1: 0n }; // CMD_TLBI_NH_ALL: the TLBs are looked through
  let others = 0;
  const other = (): void => {
    others += 1;
    if (others < 10) setImmediate(other);
  };
  setImmediate(other);
  await backend.invalidate(
    [part],
    Array.from({ length: 128 }, () => all),
  );
  expect(others).toBeGreaterThanOrEqual(4);
});

describe("a host that can stall transactions", () => {
  const idr0 = TWO_SMMUS.iommus[0]!.registers.idr0! & ~(3 << 24); // STALL_MODEL 0
  const registers = { idr0, idr5: 0x0010_0075 }; // STALL_MAX 16

  test("never stalls a guest's: S1STALLD makes a CD with S=1 bad, as a terminate-only guest expects", async () => {
    const backend = host(registers);
    const [nvme] = backend.inventory.devices().filter(({ id }) => id === NVME);
    const file = new BufferFile("/memory/a", 2 ** 21);
    const space = await backend.createAddressSpace();
    await backend.map(space, [mapping(file, BASE)]);
    const part = await backend.createPart(space, nvme!.iommu);
    await backend.attach(nvme!.group, part, "abort");
    const tables = new GuestTables(file);
    const cd = tables.allocate(64);
    const vste = checkVSTE(0xbn | BigInt(cd), 0xd4n);
    const bound = { device: nvme!.id, part, virtualStreamID: virtualStreamID(0x30), vste };
    tables.writeCD(contextDescriptor(tables.root("4K"), { extra0: at(1, 44) }), cd); // CD.S [44]
    await backend.bindGuestStage(bound);
    const ask = async () => (await backend.translate(NVME, [{ ...WHERE, iova: 0n, access: "read" }]))[0]!;
    expect(await ask()).toMatchObject({ end: "abort", fault: { type: "C_BAD_CD" } });
    tables.poke(cd, tables.peek(cd) & ~at(1, 44));
    await backend.bindGuestStage(bound);
    expect(await ask()).toMatchObject({ end: "abort", fault: { type: "F_TRANSLATION", stage: 1 } });
    await backend.detach(nvme!.group); // CMD_STALL_TERM for the stream is legal here
    await backend.ping();
  });
});

describe("an event queue that overflows", () => {
  test("is told to the operator and marks every attached device behind that SMMU", async () => {
    const backend = host();
    const heard: Notice[] = [];
    const faults: FaultNotice[] = [];
    backend.onNotice((notice) => heard.push(notice));
    backend.onFault((notice) => faults.push(notice));
    const devices = backend.inventory.devices();
    const part = await backend.createPart(await backend.createAddressSpace(), devices[0]!.iommu);
    for (const { group } of devices) await backend.attach(group, part, "bypass");
    // Each master looks at the queue before it acts; eleven hundred that look in one turn all find it empty.
    const one = [{ ...WHERE, kind: "read" as const, iova: 0n, bytes: 1 }];
    await Promise.all(Array.from({ length: 1100 }, (_, index) => backend.dma(devices[index % 2]!.id, one)));
    for (let count = 0; count < 4; count += 1) await turn();
    expect(backend.counters().iommus[0]).toMatchObject({ eventsRecorded: 1024, eventsDropped: 76 });
    const overflows = faults.filter(({ kind }) => kind === "overflow");
    expect(overflows).toEqual([{ kind: "overflow", devices: devices.map(({ id }) => id) }]);
    expect(heard).toEqual([
      { level: "warn", message: "the event queue overflowed: events are lost", facts: { iommu: "smmu0" } },
    ]);
    expect(faults.filter(({ kind }) => kind === "fault")).toHaveLength(1024);
  });
});

test("a device that is removed leaves an abort STE, and its StreamID can be another's", async () => {
  const backend = host();
  const nvme = backend.inventory.devices().find(({ id }) => id === NVME)!;
  await backend.removeDevice(NVME);
  expect(backend.inventory.devices().map(({ id }) => id)).toEqual([NIC]);
  backend.addDevice(nvme);
  expect(backend.structures(NVME, 0, 0, undefined).ste[0]! & 0xfn).toBe(0b1011n); // Config 0b101
});
