import { describe, expect, test } from "vitest";
import type { IdRegisters, InventoryChange } from "../../../src/backends/inventory.ts";
import { createSimulatedBackend } from "../../../src/backends/sim/backend.ts";
import {
  type SimulatedConfig,
  type SimulatedDeviceConfig,
  SimulatedInventory,
} from "../../../src/backends/sim/inventory.ts";
import { refusal, TWO_SMMUS } from "../../support/host.ts";

const REGISTERS = TWO_SMMUS.iommus[0]!.registers; // idr0 0x0d4c101b, idr1 0x02730510, idr5 0x75

function config(registers: Partial<IdRegisters> = {}, ...devices: SimulatedDeviceConfig[]): SimulatedConfig {
  return { iommus: [{ id: "smmu0", registers: { ...REGISTERS, ...registers } }], devices };
}
const device = (change: Partial<SimulatedDeviceConfig> = {}): SimulatedDeviceConfig => ({
  id: "nic",
  iommu: "smmu0",
  group: 0,
  streamIDs: [8],
  ...change,
});

describe("registers that this host's driver could not drive are refused with the field", () => {
  const idr0 = REGISTERS.idr0!;
  test.each([
    ["S1P 0", { idr0: idr0 & ~2 }, /S1P/],
    ["S2P 0", { idr0: idr0 & ~1 }, /S2P/],
    ["TTF AArch32 only", { idr0: (idr0 & ~0xc) | 4 }, /TTF/],
    ["ST_LEVEL 0", { idr0: idr0 & ~(3 << 27) }, /ST_LEVEL/],
    ["TTENDIAN big", { idr0: idr0 | (3 << 21) }, /TTENDIAN/],
    ["STALL_MODEL 2", { idr0: (idr0 & ~(3 << 24)) | (2 << 24) }, /STALL_MODEL/],
    ["STALL_MAX 1025", { idr0: idr0 & ~(3 << 24), idr5: 0x0401_0075 }, /STALL_MAX must be at most 1024/],
    ["no 4 KiB granule", { idr5: 0x65 }, /GRAN4K/],
    ["SIDSIZE 7", { idr1: 0x0273_0507 }, /SIDSIZE/],
    ["SIDSIZE 25", { idr1: 0x0273_0519 }, /SIDSIZE/],
    ["CMDQS 7", { idr1: (7 << 21) | (19 << 16) | 16 }, /CMDQS/],
    ["EVENTQS 9", { idr1: (19 << 21) | (9 << 16) | 16 }, /EVENTQS/],
    ["OAS 36 bits", { idr5: 0x71 }, /OAS/],
  ])("%s", async (_, registers, why) => {
    const error = await refusal(() => createSimulatedBackend(config(registers)));
    expect(error).toMatchObject({ code: "argument_invalid", facts: { iommu: "smmu0" } });
    expect(error.message).toMatch(why);
  });

  test("no IOMMU at all, and one named twice", async () => {
    expect((await refusal(() => new SimulatedInventory({ iommus: [], devices: [] }))).code).toBe("argument_invalid");
    const { iommus } = config();
    expect(
      (await refusal(() => new SimulatedInventory({ iommus: [...iommus, ...iommus], devices: [] }))).message,
    ).toMatch(/smmu0 is named twice/);
  });
});

describe("devices that do not fit are refused", () => {
  test.each([
    ["an unknown IOMMU", [device({ iommu: "smmu1" })], "iommu_unknown"],
    ["a name twice", [device(), device({ streamIDs: [9] })], "already_exists"],
    ["a StreamID twice", [device(), device({ id: "b" })], "already_exists"],
    ["a StreamID twice in one device", [device({ streamIDs: [8, 8] })], "argument_invalid"],
    ["no StreamID", [device({ streamIDs: [] })], "argument_invalid"],
    ["nine StreamIDs", [device({ streamIDs: [0, 1, 2, 3, 4, 5, 6, 7, 8] })], "argument_invalid"],
    ["a StreamID of 17 bits where there are 16", [device({ streamIDs: [0x1_0000] })], "argument_invalid"],
    ["PASIDs of 21 bits", [device({ pasidBits: 21 })], "argument_invalid"],
    ["one that stalls where nothing can", [device({ stall: true })], "argument_invalid"],
    ["a bad name", [device({ id: "" })], "argument_invalid"],
    ["a bad group", [device({ group: -1 })], "argument_invalid"],
  ])("%s", async (_, devices, code) => {
    expect((await refusal(() => new SimulatedInventory(config({}, ...devices)))).code).toBe(code);
  });

  test("a group behind two IOMMUs", async () => {
    const both = { ...TWO_SMMUS, devices: [device(), device({ id: "b", iommu: "smmu1" })] };
    expect((await refusal(() => new SimulatedInventory(both))).message).toMatch(/group 0 is behind smmu0/);
  });

  test("one device more than the limit", async () => {
    const many = Array.from({ length: 65_537 }, (_, index) =>
      device({ id: `d${index}`, group: index, streamIDs: [index] }),
    );
    const error = await refusal(() => new SimulatedInventory(config({}, ...many)));
    expect(error).toMatchObject({ code: "limit_reached", facts: { limit: "simulated_devices" } });
  });
});

describe("what is there", () => {
  test("the host's own regions, page sizes and IPA space", () => {
    const [host] = new SimulatedInventory(config()).iommus();
    expect(host).toMatchObject({
      ipaBits: 48,
      reservedRegions: [{ ipa: 0x0800_0000, bytes: 0x10_0000, kind: "msi" }],
      stage2PageBytes: [4096, 2 ** 21, 2 ** 30],
      nesting: { supported: true },
    });
  });

  test.each([
    [0x72, 39], // OAS 40 bits: a 4 KiB walk cannot start at level 0 below 44 bits (§5.2, S2SL0)
    [0x73, 39], // 42
    [0x74, 44],
    [0x75, 48],
    [0x76, 48], // 52
  ])("IDR5 %d gives %d bits of IPA, and a stage 2 of them is legal", async (idr5, bits) => {
    const backend = createSimulatedBackend(config({ idr5 }, device()));
    const [host] = backend.inventory.iommus();
    expect(host!.ipaBits).toBe(bits);
    const [nic] = backend.inventory.devices();
    const part = await backend.createPart(await backend.createAddressSpace(), host!.id);
    await backend.attach(nic!.group, part, "bypass");
    const access = { iova: 0n, substreamID: undefined, privileged: false, streamIndex: 0, access: "read" } as const;
    const [outcome] = await backend.translate(nic!.id, [access]);
    expect(outcome!.fault).toMatchObject({ type: "F_TRANSLATION", stage: 2 }); // not C_BAD_STE
  });

  test("changes are told, a removal once", () => {
    const inventory = new SimulatedInventory(config({}, device()));
    const heard: InventoryChange[] = [];
    inventory.onChange((change) => heard.push(change));
    const [nic] = inventory.devices();
    inventory.remove("nic");
    inventory.remove("nic");
    inventory.add(nic!);
    expect(heard.map(({ kind, device: { id } }) => `${kind} ${id}`)).toEqual(["removed nic", "added nic"]);
    expect(inventory.find("nic")).toBe(nic);
  });
});
