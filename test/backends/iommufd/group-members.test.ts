// Devices that come and go while their group is attached. What the kernel has is counted: nothing of a device that is gone
// stays open, for VFIO waits for that.

import { expect, test } from "vitest";
import type { HostDevice } from "../../../src/backends/inventory.ts";
import { refusal } from "../../support/host.ts";
import { type NativeWorld, nativeWorld } from "../../support/native-world.ts";

/** V=1, Config 0b100: what a nested bypass HWPT is made from (IHI 0070 §5.2). */
const BYPASS = "9 0";

/** The device is not there any more, and the backend hears of it. */
async function unplug(world: NativeWorld, n: number, ...left: readonly number[]): Promise<HostDevice> {
  const device = world.device(n);
  world.look(...left);
  await world.backend.forget(device);
  return device;
}

test("nothing of an attached device that is gone stays open, and its part, its memory and its group can go on", async () => {
  const world = await nativeWorld();
  const bare = world.kernel.alive();
  const { part, space } = await world.part();
  const { iommu } = world.device(1);
  await world.backend.attach(world.group(1), part, "abort");
  await world.bind(1, part);
  await unplug(world, 1, 2, 3, 4);
  expect(world.kernel.alive().objects.filter((object) => /device|vdevice/.test(object))).toEqual([]);
  expect(world.stage(2)).toBe("host");
  await world.backend.destroyPart(part);
  await world.backend.destroyAddressSpace(space);
  expect(world.kernel.alive()).toEqual(bare);
  world.look(1, 2, 3, 4);
  const again = await world.part();
  expect(again.part.iommu).toBe(iommu);
  await world.backend.attach(world.group(1), again.part, "bypass");
  expect(world.stage(1)).toBe(BYPASS);
});

test("a blocked device that is gone is closed", async () => {
  const world = await nativeWorld();
  const bare = world.kernel.alive();
  await world.backend.block(world.group(1));
  await unplug(world, 1, 2);
  expect(world.kernel.alive()).toEqual(bare);
});

test("a device that was vended and is gone is closed, with its iommufd", async () => {
  const world = await nativeWorld();
  const bare = world.kernel.alive();
  await world.backend.vend(world.group(1), "bound");
  await unplug(world, 1, 2);
  expect(world.kernel.alive()).toEqual(bare);
  world.look(1, 2);
  await world.backend.vend(world.group(1), "bound");
});

test("one that is gone leaves its sibling attached", async () => {
  const world = await nativeWorld();
  const { part } = await world.part();
  await world.backend.attach(world.group(3), part, "bypass");
  await unplug(world, 3, 1, 2, 4);
  expect([world.stage(3), world.stage(4)]).toEqual(["host", BYPASS]);
  await world.backend.setPlainStage(world.group(4), part, "abort");
  await world.backend.detach(world.group(4));
  await world.backend.destroyPart(part);
});

test("what is gone and had nothing costs no call of the kernel", async () => {
  const world = await nativeWorld();
  const before = world.kernel.calls.length;
  await unplug(world, 1, 2);
  expect(world.kernel.calls).toHaveLength(before);
});

test.each(["bypass", "abort"] as const)("one that comes to a group in %s gets what the group has", async (stage) => {
  const world = await nativeWorld();
  world.look(1, 2, 3);
  const { part } = await world.part();
  await world.backend.attach(world.group(3), part, stage);
  world.look(1, 2, 3, 4);
  await world.backend.join(world.device(4));
  await world.backend.join(world.device(4)); // once is enough
  expect(world.stage(4)).toBe(world.stage(3));
  expect(await world.backend.reset(world.device(4).id)).toEqual({ kind: "done" });
  await world.backend.setPlainStage(world.group(3), part, "bypass");
  expect([world.stage(3), world.stage(4)]).toEqual([BYPASS, BYPASS]);
  await world.backend.detach(world.group(3));
  expect([world.stage(3), world.stage(4)]).toEqual(["host", "host"]);
  await world.backend.destroyPart(part);
});

test("one that comes to a guest's stage is bound beside it, and goes where the group goes next", async () => {
  const world = await nativeWorld();
  world.look(1, 2, 3);
  const { part } = await world.part();
  await world.backend.attach(world.group(3), part, "abort");
  await world.bind(3, part);
  world.look(1, 2, 3, 4);
  await world.backend.join(world.device(4));
  await world.backend.block(world.group(3));
  expect([world.stage(3), world.stage(4)]).toEqual(["blocked", "blocked"]);
});

test("one that comes to a blocked group is blocked, and one that comes to the host's is left alone", async () => {
  const world = await nativeWorld();
  world.look(1, 2, 3);
  await world.backend.block(world.group(3));
  world.look(1, 2, 3, 4);
  await world.backend.join(world.device(4));
  expect(world.stage(4)).toBe("blocked");
  await world.backend.detach(world.group(3));
  const before = world.kernel.calls.length;
  await world.backend.join(world.device(4));
  expect(world.kernel.calls).toHaveLength(before);
});

test("one that could not be joined is reset all the same when its group is released, and is not handed out", async () => {
  const world = await nativeWorld();
  world.look(1, 2, 3);
  const { part } = await world.part();
  await world.backend.attach(world.group(3), part, "bypass");
  world.look(1, 2, 3, 4);
  const before = world.kernel.alive();
  const mend = world.kernel.failAll("attach_pt", "ENOMEM");
  await refusal(() => world.backend.join(world.device(4)));
  expect(world.kernel.alive()).toEqual(before);
  mend();
  const error = await refusal(() => world.backend.handOut(world.device(4).id));
  expect([error.code, error.facts.device]).toEqual(["backend_failed", world.device(4).id]);
  expect(await world.backend.reset(world.device(4).id)).toEqual({ kind: "done" });
  await world.backend.detach(world.group(3));
  expect(world.stage(4)).toBe("host");
});

test("a device that is gone and core still knows is told as gone", async () => {
  const world = await nativeWorld();
  const { id } = world.device(1);
  world.look(2);
  expect((await refusal(() => world.backend.handOut(id))).code).toBe("device_unknown");
});
