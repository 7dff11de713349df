import { expect, test } from "vitest";
import { groupID } from "../../../src/backends/ids.ts";
import { SimulatedInventory } from "../../../src/backends/sim/inventory.ts";
import { attachedDevice } from "../../../src/server/core/device.ts";
import { staged } from "../../../src/server/core/group.ts";
import { addressSpaceView, deviceView, heldBy, virtualIommuView } from "../../../src/server/core/record-views.ts";
import { Registry } from "../../../src/server/core/registry.ts";
import { FAR, SMMU0, SMMU1, TRIPLE, TWO_SMMUS } from "../../support/host.ts";
import { BufferFile } from "../../support/memory-file.ts";

const REGISTERS = new SimulatedInventory(TWO_SMMUS).iommus()[0]!.registers;
const OWNER = { id: "s1", displayName: "vmm" };

/** Session s1 with a group of three, of which one device is attached. */
function registry(): Registry {
  const all = new Registry(new SimulatedInventory(TWO_SMMUS));
  const group = all.groupOf(TRIPLE[1]!);
  all.putGroup(staged(group, { state: "nest-parent", owner: OWNER.id, virtualIommu: "v1", vste: undefined }));
  all.putDevice(attachedDevice(all.device(TRIPLE[1]!)));
  all.putVirtualIommu({
    id: "v1",
    session: OWNER.id,
    addressSpace: "a1",
    registers: REGISTERS,
    declared: [SMMU1],
    parts: new Map([
      [SMMU0, { id: 1, iommu: SMMU0 }],
      [SMMU1, { id: 2, iommu: SMMU1 }],
    ]),
  });
  return all;
}

test("every device of a group shows the group's state and owner, and whether it is attached itself", () => {
  const all = registry();
  const around = { owner: () => OWNER, waiters: (group: number) => (group === 3 ? 2 : 0) };
  const view = (index: number) => deviceView(all, TRIPLE[index]!, around);
  const shared = { group: groupID(3), groupDevices: TRIPLE, state: "nest-parent", generation: 1, owner: OWNER };
  expect(view(0)).toMatchObject({ ...shared, attached: false, virtualIommu: "v1" });
  expect(view(1)).toMatchObject({ ...shared, attached: true, virtualIommu: "v1", waiters: 2 });
  const far = { state: "default-domain", owner: undefined, generation: 0, waiters: 0 };
  expect(deviceView(all, FAR, around)).toMatchObject(far);
});

test("a session has its attached devices; what its loss set to abort must be bound again until something changes", () => {
  const all = registry();
  const held = (generation: number) => heldBy(all, OWNER.id, [{ group: groupID(3), generation }]);
  const device = { id: TRIPLE[1], virtualIommu: "v1", generation: 1 };
  expect(held(1)).toEqual({
    addressSpaces: [],
    virtualIommus: ["v1"],
    devices: [{ ...device, rebindRequired: true }],
  });
  expect(held(0).devices).toEqual([{ ...device, rebindRequired: false }]);
  expect(heldBy(all, "s2", [])).toEqual({ addressSpaces: [], virtualIommus: [], devices: [] });
});

test("a virtual IOMMU names each host IOMMU once, those declared first, and its attached devices", () => {
  const all = registry();
  const view = virtualIommuView(all, all.virtualIommu("v1", OWNER.id));
  expect(view).toMatchObject({ iommus: [SMMU1, SMMU0], devices: [TRIPLE[1]] });
  expect(view).not.toHaveProperty("session");
});

test("an address space counts its mappings and their bytes, and shows no file", () => {
  const file = new BufferFile("/memory/a", 8192);
  const table = [0x1000, 0x4000].map((ipa) => ({ ipa, bytes: 4096, file, offset: 0, readable: true, writable: true }));
  const space = { id: "a1", session: "s1", pinning: "eager", populated: true, handle: { id: 1 }, table } as const;
  expect(addressSpaceView(space)).toEqual({
    id: "a1",
    pinning: "eager",
    populated: true,
    mappingCount: 2,
    mappedBytes: 8192,
    missing: [],
  });
});
