import { expect, test } from "vitest";
import { iommuID } from "../../../src/backends/ids.ts";
import { ObjectTable } from "../../../src/backends/iommufd/object-table.ts";
import { FakeIommufd } from "../../support/fake-iommufd.ts";

const IOMMU = iommuID("smmu0");

function nothing(): never {
  throw new Error("no device is attached");
}

function table(): { kernel: FakeIommufd; objects: ObjectTable } {
  const kernel = new FakeIommufd({ devices: [] });
  const queues = { events: nothing, faults: nothing };
  return { kernel, objects: new ObjectTable({ kernel, hostOf: nothing, queues, onNotice: nothing }) };
}

test("a handle leads to its object until that is destroyed, and to none afterwards", async () => {
  const { kernel, objects } = table();
  const space = await objects.createSpace();
  const part = objects.createPart(space, IOMMU);
  expect(objects.part(part).space).toBe(objects.space(space));
  expect(part.iommu).toBe(IOMMU);
  await objects.destroyPart(part);
  await objects.destroySpace(space);
  expect(() => objects.part(part)).toThrow(`part ${part.id} does not exist`);
  expect(() => objects.space(space)).toThrow(`address space ${space.id} does not exist`);
  expect(kernel.alive()).toEqual({ files: 0, views: 0, objects: [] });
});

test("an address space with a part stays", async () => {
  const { objects } = table();
  const space = await objects.createSpace();
  objects.createPart(space, IOMMU);
  await expect(objects.destroySpace(space)).rejects.toThrow("still used by a part");
  expect(objects.space(space).id).toBe(space.id);
});

test("when the daemon goes down every iommufd is closed", async () => {
  const { kernel, objects } = table();
  objects.createPart(await objects.createSpace(), IOMMU);
  await objects.createSpace();
  await objects.abandon();
  expect([kernel.files.size, objects.parts()]).toEqual([0, []]);
});
