import { expect, test } from "vitest";
import { SMMU0 } from "../../support/host.ts";
import { BufferFile } from "../../support/memory-file.ts";
import { hardware, mapping } from "../../support/simulated-host.ts";

test("an address space goes after the parts on it, and a handle of what is gone is a bug", async () => {
  const { objects } = hardware();
  const space = objects.createSpace();
  const part = await objects.createPart(space, SMMU0);
  expect(() => objects.destroySpace(space)).toThrow("is still used");
  objects.destroyPart(part);
  expect(() => objects.part(part)).toThrow(`part ${part.id} does not exist`);
  objects.destroySpace(space);
  expect(() => objects.space(space)).toThrow(`IOAS ${space.id} does not exist`);
});

test("a host that goes down lets go of the files that guests mapped", async () => {
  const { objects } = hardware();
  const file = new BufferFile("/memory/a", 4096);
  await objects.space(objects.createSpace()).map([mapping(file, 0x4000_0000)]);
  expect(file.references).toBe(2);
  objects.abandon();
  expect(file.references).toBe(1);
});
