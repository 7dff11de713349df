import { beforeEach, describe, expect, test } from "vitest";
import { BrokerError } from "../../../src/backends/errors.ts";
import { virtualStreamID } from "../../../src/backends/ids.ts";
import { checkVSTE } from "../../../src/backends/vste.ts";
import type { CallGate } from "../../../src/server/core/call-gate.ts";
import {
  addFile,
  attach,
  DISK,
  Failures,
  type Guest,
  guest,
  NIC,
  NVME,
  refusal,
  SMMU0,
  type TestHost,
  testHost,
} from "../../support/host.ts";

const TRANSLATE = checkVSTE(0x4000_000bn, 0xd4n); // V=1, Config 0b101, S1ContextPtr 0x4000_0000 (§5.2)
const TLBI_NH_ALL = { dword0: 0x10n, dword1: 0n };

/** A call that a test ends. */
class Call implements CallGate {
  isOver = false;
  asked = 0;

  requireOpen(): void {
    this.asked += 1;
    if (this.isOver) throw new BrokerError("call_over", "nobody waits any more");
  }
}

let host: TestHost;
let vmm: Guest;
let failures: Failures;
beforeEach(async () => {
  failures = new Failures();
  host = testHost({ wrap: failures.wrap });
  vmm = await guest(host);
  await attach(host, vmm, NVME);
});

type Verb = readonly [name: string, run: (gate: CallGate) => Promise<unknown>];

const MAPPING = { ipa: 0x8000_0000n, bytes: 4096n, source: 0, offset: 0n, readable: true, writable: true };

/** Every verb that changes something, as a call that would succeed. */
function verbs(): readonly Verb[] {
  const { addressSpaces, simulator, stages, virtualIommus } = host.core;
  const { addressSpace, session, virtualIommu } = vmm;
  const range = { ipa: 0x4000_0000n, bytes: 2n ** 21n };
  const expectedGeneration = undefined;
  const bind = { device: NVME, virtualStreamID: virtualStreamID(1), vste: TRANSLATE, validateOnly: false };
  const file = addFile(host, "/memory/more", 4096);
  const sources = [file.path];
  return [
    ["createAddressSpace", (gate) => addressSpaces.create(session, "eager", gate)],
    ["mapMemory", (gate) => addressSpaces.map(session, { addressSpace, sources, mappings: [MAPPING] }, gate)],
    ["unmapMemory", (gate) => addressSpaces.unmap(session, { addressSpace, ranges: [range] }, gate)],
    [
      "createVirtualIommu",
      (gate) => virtualIommus.create(session, { addressSpace, iommus: [SMMU0], registers: undefined }, gate),
    ],
    ["setMode", (gate) => virtualIommus.setMode(session, virtualIommu, "bypass", gate)],
    ["invalidate", (gate) => virtualIommus.invalidate(session, virtualIommu, [TLBI_NH_ALL], gate)],
    [
      "attach",
      (gate) => stages.attach(session, { device: DISK, virtualIommu, initial: "abort", expectedGeneration }, gate),
    ],
    ["bind", (gate) => stages.bind(session, { ...bind, expectedGeneration }, gate)],
    ["unbind", (gate) => stages.unbind(session, { device: NVME, expectedGeneration }, gate)],
    ["removeDevice", (gate) => simulator!.removeDevice(session, NIC, gate)],
    ["detach", (gate) => stages.detach(session, { device: NVME, expectedGeneration }, gate)],
    ["deleteVirtualIommu", (gate) => virtualIommus.remove(session, virtualIommu, gate)],
    ["deleteAddressSpace", (gate) => addressSpaces.remove(session, addressSpace, gate)],
  ];
}

const NAMES = [
  "createAddressSpace",
  "mapMemory",
  "unmapMemory",
  "createVirtualIommu",
  "setMode",
  "invalidate",
  "attach",
  "bind",
  "unbind",
  "removeDevice",
  "detach",
  "deleteVirtualIommu",
  "deleteAddressSpace",
];

test("the table below has every verb that changes something", () => {
  expect(verbs().map(([name]) => name)).toEqual(NAMES);
});

describe.each(NAMES)("%s", (name) => {
  const verb = () => verbs().find(([each]) => each === name)![1];

  test("of a call that is over changes nothing, asks the backend nothing and journals nothing", async () => {
    const call = new Call();
    call.isOver = true;
    const before = [host.core.census(), failures.calls.length, host.journal.length, host.core.devices.list()];
    expect((await refusal(() => verb()(call))).code).toBe("call_over");
    expect([host.core.census(), failures.calls.length, host.journal.length, host.core.devices.list()]).toEqual(before);
    expect(call.asked).toBe(1);
  });

  test("lets the call pass once, and no more asks whether it is over", async () => {
    const call = new Call();
    failures.before = async () => {
      call.isOver = true; // the backend is being asked: from here on it completes
    };
    if (name.startsWith("delete"))
      await host.core.stages.detach(vmm.session, { device: NVME, expectedGeneration: undefined });
    if (name === "deleteAddressSpace") await host.core.virtualIommus.remove(vmm.session, vmm.virtualIommu);
    call.isOver = false;
    await verb()(call);
    expect(call.asked).toBe(1);
  });
});

describe("a call that ends while it waits", () => {
  test("for its address space maps nothing, and gives its file back", async () => {
    const reached = Promise.withResolvers<void>();
    const free = Promise.withResolvers<void>();
    failures.before = async (verb) => {
      if (verb !== "unmap") return;
      reached.resolve();
      await free.promise;
    };
    const { addressSpace, session } = vmm;
    const range = { ipa: 0x4000_0000n, bytes: 2n ** 21n };
    const first = host.core.addressSpaces.unmap(session, { addressSpace, ranges: [range] });
    await reached.promise;
    const call = new Call();
    const file = addFile(host, "/memory/more", 4096);
    const request = { addressSpace, sources: [file.path], mappings: [MAPPING] };
    const second = refusal(() => host.core.addressSpaces.map(session, request, call));
    call.isOver = true;
    free.resolve();
    await first;
    expect((await second).code).toBe("call_over");
    expect(host.core.census().mappedBytes).toBe(0);
    expect([failures.calls.at(-1), file.references]).toEqual(["unmap", 1]);
  });

  test("for its group leaves the stage and the generation as they were", async () => {
    const reached = Promise.withResolvers<void>();
    const free = Promise.withResolvers<void>();
    failures.before = async (verb) => {
      if (verb !== "setPlainStage") return;
      reached.resolve();
      await free.promise;
    };
    const unbinding = host.core.stages.unbind(vmm.session, { device: NVME, expectedGeneration: undefined });
    await reached.promise;
    const call = new Call();
    const request = { device: NVME, expectedGeneration: undefined };
    const detaching = refusal(() => host.core.stages.detach(vmm.session, request, call));
    call.isOver = true;
    free.resolve();
    const { generation } = await unbinding;
    expect((await detaching).code).toBe("call_over");
    expect(host.core.devices.get(NVME)).toMatchObject({ state: "nest-parent", generation, attached: true });
  });
});
