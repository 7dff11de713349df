import { expect, test } from "vitest";
import { virtualStreamID } from "../../../src/backends/ids.ts";
import { DISK, NIC, NVME, SMMU0, SMMU1 } from "../../support/host.ts";
import { BufferFile } from "../../support/memory-file.ts";
import { hardware, mapping } from "../../support/simulated-host.ts";

async function withPart() {
  const { attachments, host, inventory, objects } = hardware();
  const space = objects.createSpace();
  const part = objects.part(await objects.createPart(space, SMMU0));
  return { attachments, host, inventory, part, ioas: objects.space(space) };
}

test("an attached group uses its part until it leaves, and only then may the part go", async () => {
  const { attachments, inventory, part } = await withPart();
  const { group } = inventory.require(NVME);
  attachments.enter(group, part);
  expect(attachments.partOf(group)).toBe(part);
  expect(() => part.destroy()).toThrow("still has a group attached");
  attachments.leave(group, part);
  expect(attachments.partOf(group)).toBeUndefined();
  part.destroy();
});

test("a device's new name takes the place of the old one, and one part has no name twice", async () => {
  const { attachments, part } = await withPart();
  const [first, second] = [virtualStreamID(0x30), virtualStreamID(0x31)];
  attachments.name(NVME, part, first);
  expect(() => attachments.name(NIC, part, first)).toThrow("is taken in part");
  attachments.name(NVME, part, second);
  attachments.name(NIC, part, first);
  expect([...part.names]).toEqual([
    [second, NVME],
    [first, NIC],
  ]);
  attachments.name(NVME, part, undefined);
  expect([attachments.nameOf(NVME), part.names.has(second)]).toEqual([undefined, false]);
});

test("a StreamID is its device's on its own IOMMU alone, by the name that the guest gave it", async () => {
  const { attachments, part } = await withPart();
  attachments.name(NVME, part, virtualStreamID(0x30)); // StreamID 0x100 of smmu0
  expect(attachments.ownerOf(SMMU0, 0x100)).toEqual({ device: NVME, virtualStreamID: 0x30 });
  expect(attachments.ownerOf(SMMU1, 0x100)).toMatchObject({ virtualStreamID: undefined });
  expect(attachments.ownerOf(SMMU0, 0x101)).toBeUndefined();
});

test("what is lost behind an IOMMU concerns the attached devices behind it", async () => {
  const { attachments, inventory, part } = await withPart();
  for (const id of [NVME, DISK]) attachments.enter(inventory.require(id).group, part);
  expect([...attachments.devicesBehind(SMMU0)].sort()).toEqual([DISK, NVME]);
  expect(attachments.devicesBehind(SMMU1)).toEqual([]);
});

test("a physical address is told as the attached guest knows it, and nobody else", async () => {
  const { attachments, host, inventory, ioas, part } = await withPart();
  const file = new BufferFile("/memory/a", 8192);
  await ioas.map([mapping(file, 0x4000_0000)]);
  const [base] = ioas.bases();
  expect(attachments.ipaOf(NVME, base! + 0x1008)).toBeUndefined();
  attachments.enter(inventory.require(NVME).group, part);
  expect(attachments.ipaOf(NVME, base! + 0x1008)).toBe(0x4000_1008);
  expect(attachments.ipaOf(NVME, host.doorbell.base)).toBeUndefined();
});
