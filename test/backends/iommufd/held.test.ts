// What a look at a withheld group says: held is only what the kernel says of a node that another open is bound through.

import { expect, test } from "vitest";
import { LOOKS_UNTOLD } from "../../../src/backends/iommufd/held.ts";
import { type NativeWorld, nativeWorld, type WorldOptions } from "../../support/native-world.ts";

/** Group n, handed out to a holder and withheld. */
async function withheld(n: number, options: WorldOptions = {}): Promise<{ world: NativeWorld; holder: number }> {
  const world = await nativeWorld(options);
  const { part } = await world.part();
  await world.backend.attach(world.group(n), part, "bypass");
  await world.backend.handOut(world.device(n).id);
  const [cdev] = world.backend.descriptorsOf(world.device(n).id);
  const holder = world.kernel.dup(cdev!.fd);
  await world.backend.withhold(world.group(n));
  return { world, holder };
}

test("what the kernel said last is known until the group is free: of the holder's device, not of its sibling", async () => {
  const { world, holder } = await withheld(4);
  const { backend, kernel } = world;
  expect(backend.refusalOf(world.group(4))).toBeUndefined();
  await backend.reclaim(world.group(4));
  const said = backend.refusalOf(world.group(4));
  expect(said?.facts).toMatchObject({ errno: "EINVAL", ioctl: "VFIO_DEVICE_BIND_IOMMUFD" });
  expect(said?.message).toContain("end that process");
  await kernel.close(holder);
  const heal = kernel.failAll("bind_iommufd", "EBUSY");
  await expect(backend.reclaim(world.group(4))).rejects.toMatchObject({ facts: { errno: "EBUSY" } });
  expect(backend.refusalOf(world.group(4))?.facts.errno).toBe("EBUSY");
  heal();
  expect(await backend.reclaim(world.group(4))).toBe(true);
  expect(backend.refusalOf(world.group(4))).toBeUndefined();
});

test("a sibling of a held device keeps the group, though the kernel calls it busy", async () => {
  const { world, holder } = await withheld(4);
  expect(await world.backend.reclaim(world.group(4))).toBe(false);
  await world.kernel.close(holder);
  expect(await world.backend.reclaim(world.group(4))).toBe(true);
});

test("a driver of the host in the group is no holder: the look fails with the remedy", async () => {
  const { world, holder } = await withheld(1);
  await world.kernel.close(holder);
  world.kernel.failAll("bind_iommufd", "EBUSY");
  await expect(world.backend.reclaim(world.group(1))).rejects.toMatchObject({
    code: "device_owned",
    message: expect.stringContaining("a driver of the host"),
  });
});

test("a group that is open through /dev/vfio is no holder of a node of the broker's", async () => {
  const { world, holder } = await withheld(1);
  await world.kernel.close(holder);
  world.kernel.failAll("open", "EBUSY");
  await expect(world.backend.reclaim(world.group(1))).rejects.toMatchObject({ facts: { errno: "EBUSY" } });
});

test("a holder that stays for long is told, once", async () => {
  const { world, holder } = await withheld(1);
  for (let n = 1; n < LOOKS_UNTOLD; n += 1) await world.backend.reclaim(world.group(1));
  expect(world.notices).toEqual([]);
  for (let n = 0; n < 2; n += 1) await world.backend.reclaim(world.group(1));
  expect(world.notices).toMatchObject([{ level: "warn", facts: { device: world.device(1).id, errno: "EINVAL" } }]);
  await world.kernel.close(holder);
  expect(await world.backend.reclaim(world.group(1))).toBe(true);
});
