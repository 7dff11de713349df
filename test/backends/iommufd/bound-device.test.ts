import { expect, test } from "vitest";
import { BoundDevice } from "../../../src/backends/iommufd/bound-device.ts";
import { devicePath, type NativeWorld, nativeWorld } from "../../support/native-world.ts";

async function bound(world: NativeWorld): Promise<BoundDevice> {
  const iommufd = await world.kernel.open("/dev/iommu");
  const host = world.device(1);
  return await BoundDevice.bind(world.kernel, host, devicePath(host.id), iommufd);
}

test("closed twice it closes its descriptor once, and not the file that has its number by then", async () => {
  const world = await nativeWorld();
  const device = await bound(world);
  await device.close();
  const next = await world.kernel.open(devicePath(world.device(2).id));
  expect(next).toBe(device.file.fd);
  await device.close();
  expect(world.kernel.files.has(next)).toBe(true);
});

test("one whose node others have is detached with the first close, and left alone by the second", async () => {
  const world = await nativeWorld();
  const device = await bound(world);
  device.isShared = true;
  const holder = world.kernel.dup(device.file.fd);
  await device.close();
  const calls = world.kernel.calls.length;
  await device.close();
  expect(world.kernel.calls.slice(calls)).toEqual([]);
  expect(world.stage(1)).toBe("blocked");
  await world.kernel.close(holder);
  expect(world.stage(1)).toBe("host");
});
