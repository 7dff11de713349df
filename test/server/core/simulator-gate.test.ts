import { beforeEach, describe, expect, test } from "vitest";
import { deviceID, groupID, streamID } from "../../../src/backends/ids.ts";
import type { HostDevice } from "../../../src/backends/inventory.ts";
import type { SimulatedDma } from "../../../src/backends/simulator-control.ts";
import type { SessionNotice } from "../../../src/server/core/session-notices.ts";
import type { SimulatorVerbs } from "../../../src/server/core/simulator-verbs.ts";
import {
  attach,
  detach,
  Failures,
  type Guest,
  guest,
  NVME,
  readEnds,
  refusal,
  SMMU0,
  SMMU1,
  steConfig,
  type TestHost,
  TRIPLE,
  testHost,
  turn,
} from "../../support/host.ts";

const BASE = 0x4000_0000n;
const DEFAULTS = { substreamID: undefined, privileged: false, streamIndex: 0 } as const;
const read = (iova: bigint, bytes: number): SimulatedDma => ({ ...DEFAULTS, kind: "read", iova, bytes });

let host: TestHost;
let vmm: Guest;
let failures: Failures;
let simulator: SimulatorVerbs;
beforeEach(async () => {
  failures = new Failures();
  host = testHost({ wrap: failures.wrap });
  vmm = await guest(host);
  simulator = host.core.simulator!;
});

function device(change: Partial<HostDevice> = {}): HostDevice {
  const id = deviceID("0000:05:00.0");
  return { id, iommu: SMMU0, group: groupID(9), streamIDs: [streamID(0x500)], pasidBits: 0, ats: false, ...change };
}

describe("hardware only for its owner", () => {
  test("DMA, translations and structures of a device nobody owns, and of another's, are refused", async () => {
    const other = await guest(host, { name: "other" });
    const verbs = [
      () => simulator.dma(other.session, NVME, [read(BASE, 8)]),
      () => simulator.translate(other.session, NVME, [{ ...DEFAULTS, iova: BASE, access: "read" }]),
      () => simulator.structures(other.session, NVME, 0, 0),
    ];
    for (const verb of verbs) expect((await refusal(verb)).code).toBe("not_owner");
    await attach(host, vmm, NVME);
    for (const verb of verbs) {
      expect(await refusal(verb)).toMatchObject({
        code: "device_owned",
        facts: { owner: "vmm", state: "guest-abort" },
      });
    }
    expect((await refusal(() => simulator.dma(vmm.session, deviceID("ghost"), []))).code).toBe("device_unknown");
  });

  test("the owner's DMA carries data both ways", async () => {
    await attach(host, vmm, NVME, "bypass");
    const data = Uint8Array.of(9, 8, 7);
    const ends = await simulator.dma(vmm.session, NVME, [
      { ...DEFAULTS, kind: "write", iova: BASE + 0xffen, data },
      read(BASE + 0xffen, 3),
      read(0n, 1),
    ]);
    expect(ends.map(({ end, bytesDone }) => [end, bytesDone])).toEqual([
      ["ok", 3],
      ["ok", 3],
      ["abort", 0],
    ]);
    expect([...ends[1]!.data]).toEqual([9, 8, 7]);
    expect([...vmm.file.data.subarray(0xffe, 0x1001)]).toEqual([9, 8, 7]);
  });

  test("a stream index the device does not have is refused by its place in the batch", async () => {
    await attach(host, vmm, NVME);
    const error = await refusal(() =>
      simulator.dma(vmm.session, NVME, [read(0n, 1), { ...read(0n, 1), streamIndex: 1 }]),
    );
    expect(error).toMatchObject({ code: "argument_invalid", fields: [{ path: "accesses[1].stream_index" }] });
  });

  test("structures show the STE, the registers, and where the guest's files stand", async () => {
    await attach(host, vmm, NVME, "bypass");
    const { ste, cd, registers, windows, streamID: stream } = simulator.structures(vmm.session, NVME, 0, 0);
    expect([stream, ste[0], cd]).toEqual([0x100, 0b1101n, []]);
    expect(registers.find(({ name }) => name === "IDR0")!.value).toBe(0x0d4c_101bn);
    const [access] = await simulator.translate(vmm.session, NVME, [{ ...DEFAULTS, iova: BASE, access: "write" }]);
    expect(windows).toEqual([{ path: "/memory/vmm", pa: access!.pa, bytes: 2 ** 21 }]);
  });

  test("MSIs are shown to the owner of the device, and to nobody else", async () => {
    const other = await guest(host, { name: "other" });
    await attach(host, vmm, NVME, "bypass");
    const data = Uint8Array.of(0x21, 0, 0, 0);
    await simulator.dma(vmm.session, NVME, [{ ...DEFAULTS, kind: "write", iova: 0x0800_0040n, data }]);
    const log = simulator.msis(vmm.session, NVME);
    expect(log).toMatchObject({ total: 1, msis: [{ sequence: 1, streamID: 0x100, data: 0x21, ipa: 0x0800_0040 }] });
    expect((await refusal(() => simulator.msis(other.session, NVME))).code).toBe("device_owned");
    await detach(host, vmm, NVME);
    expect((await refusal(() => simulator.msis(vmm.session, NVME))).code).toBe("not_owner");
  });

  test("a DMA that was under way when its session ended does not go on in the next owner's memory", async () => {
    await attach(host, vmm, NVME, "bypass");
    const victim = await guest(host, { name: "victim" });
    victim.file.data.fill(0xee);
    const data = new Uint8Array(4096).fill(0x11);
    const write: SimulatedDma = { ...DEFAULTS, kind: "write", iova: BASE, data };
    const running = simulator.dma(vmm.session, NVME, new Array(1000).fill(write));
    const spying = simulator.dma(vmm.session, NVME, new Array(1000).fill(read(BASE, 4096)));
    const where = { ...DEFAULTS, iova: BASE, access: "read" } as const;
    const translating = simulator.translate(vmm.session, NVME, new Array(1000).fill(where));
    await host.core.sessions.close(vmm.session);
    await attach(host, victim, NVME, "bypass");
    expect((await running).at(-1)!.end).toBe("abort");
    expect(victim.file.data.every((byte) => byte === 0xee)).toBe(true);
    expect((await spying).some((outcome) => outcome.data.includes(0xee))).toBe(false);
    expect((await translating).at(-1)).toMatchObject({ end: "abort", fault: undefined, recorded: false });
    expect(await readEnds(host, NVME, BASE)).toBe("ok");
  });
});

describe("guest memory", () => {
  test("is read and written across mappings by IPA", async () => {
    const { addressSpace, session, file } = vmm;
    const next = { ipa: BASE + 2n ** 21n, bytes: 4096n, source: 0, offset: 0n, readable: true, writable: false };
    await host.core.addressSpaces.map(session, {
      addressSpace,
      sources: [file.path],
      mappings: [next],
    });
    simulator.writeMemory(session, addressSpace, BASE + 2n ** 21n - 2n, Uint8Array.of(1, 2, 3, 4));
    expect([...file.data.subarray(0, 2), ...file.data.subarray(-2)]).toEqual([3, 4, 1, 2]);
    expect([...simulator.readMemory(session, addressSpace, BASE + 2n ** 21n - 2n, 4)]).toEqual([1, 2, 3, 4]);
  });

  test("a hole, an address beyond 2^52, a truncated file and another's address space are refused", async () => {
    const other = await guest(host, { name: "other" });
    const { addressSpace, session, file } = vmm;
    const code = async (act: () => unknown) => (await refusal(act)).code;
    expect(await code(() => simulator.readMemory(session, addressSpace, BASE + 2n ** 21n - 1n, 2))).toBe(
      "argument_invalid",
    );
    expect(await code(() => simulator.writeMemory(session, addressSpace, 0n, Uint8Array.of(1)))).toBe(
      "argument_invalid",
    );
    expect(await code(() => simulator.readMemory(session, addressSpace, 2n ** 63n, 1))).toBe("argument_invalid");
    expect(await code(() => simulator.readMemory(other.session, addressSpace, BASE, 1))).toBe("not_owner");
    file.truncate(4096);
    expect(await code(() => simulator.readMemory(session, addressSpace, BASE + 4095n, 2))).toBe("argument_invalid");
    expect(await code(() => simulator.writeMemory(session, addressSpace, BASE + 4096n, Uint8Array.of(1)))).toBe(
      "argument_invalid",
    );
  });
});

describe("devices that come and go", () => {
  test("one appears in the default domain, can be attached, and goes; both are told", async () => {
    const heard: SessionNotice[] = [];
    host.core.sessions.onNotice(vmm.session, (notice) => heard.push(notice));
    const { id } = device();
    simulator.addDevice(vmm.session, device());
    expect(host.core.devices.get(id)).toMatchObject({ state: "default-domain", generation: 0 });
    expect(steConfig(host, id)).toBe(0b101);
    await attach(host, vmm, id, "bypass");
    await simulator.removeDevice(vmm.session, id);
    expect((await refusal(() => host.core.devices.get(id))).code).toBe("device_unknown");
    expect(heard).toEqual([{ kind: "deviceRemoved", device: id }]);
    expect(host.events.filter(({ type }) => type.startsWith("device"))).toEqual([
      { type: "deviceAdded", device: id },
      { type: "deviceRemoved", device: id, session: undefined },
    ]);
    simulator.addDevice(vmm.session, device());
    expect(await attach(host, vmm, id)).toMatchObject({ generation: 1 });
  });

  test("an unknown IOMMU, a taken name, a taken StreamID, a group behind another IOMMU", async () => {
    const add = async (change: Partial<HostDevice>) =>
      (await refusal(() => simulator.addDevice(vmm.session, device(change)))).code;
    expect(await add({ iommu: deviceID("smmu7") as never })).toBe("iommu_unknown");
    expect(await add({ id: NVME })).toBe("already_exists");
    expect(await add({ streamIDs: [streamID(0x100)] })).toBe("already_exists");
    expect(await add({ iommu: SMMU1, group: groupID(0) })).toBe("argument_invalid");
    expect(host.core.devices.list()).toHaveLength(8);
  });

  test("a group with an owner, or one that is just getting one, gets no new member", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    failures.before = () => promise;
    const group = host.core.devices.get(NVME).group;
    const attaching = attach(host, vmm, NVME);
    await turn();
    const add = () => simulator.addDevice(vmm.session, device({ group }));
    expect((await refusal(add)).code).toBe("in_use");
    resolve();
    await attaching;
    expect((await refusal(add)).code).toBe("in_use");
    failures.before = async () => {};
    await detach(host, vmm, NVME);
    add();
    expect(host.core.devices.get(NVME).groupDevices).toHaveLength(2);
  });

  test("another session's device cannot be removed", async () => {
    const other = await guest(host, { name: "other" });
    await attach(host, vmm, NVME);
    expect((await refusal(() => simulator.removeDevice(other.session, NVME))).code).toBe("device_owned");
    expect(host.core.devices.get(NVME).attached).toBe(true);
  });

  test("a member of an attached group goes only when no other member is attached, be it attached itself or not", async () => {
    await attach(host, vmm, TRIPLE[0]!);
    await attach(host, vmm, TRIPLE[1]!);
    for (const id of [TRIPLE[1]!, TRIPLE[2]!]) {
      expect((await refusal(() => simulator.removeDevice(vmm.session, id))).code).toBe("in_use");
    }
    await detach(host, vmm, TRIPLE[0]!);
    await simulator.removeDevice(vmm.session, TRIPLE[1]!);
    expect(host.core.devices.get(TRIPLE[0]!)).toMatchObject({ owner: undefined, groupDevices: [TRIPLE[0], TRIPLE[2]] });
    await simulator.removeDevice(vmm.session, TRIPLE[2]!);
    expect(host.core.devices.get(TRIPLE[0]!).groupDevices).toEqual([TRIPLE[0]]);
  });

  test("an unowned device can be removed, an unknown one not, and no session, no hardware", async () => {
    await simulator.removeDevice(vmm.session, NVME);
    expect((await refusal(() => simulator.removeDevice(vmm.session, NVME))).code).toBe("device_unknown");
    host.clock.advance(10_000);
    expect((await refusal(() => simulator.addDevice(vmm.session, device()))).code).toBe("lease_expired");
  });
});
