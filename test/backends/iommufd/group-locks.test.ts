// The turns of a group by themselves, and the native backend on a played kernel while a question to an IOMMU takes long.

import { expect, test, vi } from "vitest";
import { groupID } from "../../../src/backends/ids.ts";
import { GroupLocks } from "../../../src/backends/iommufd/group-locks.ts";
import { FakeIommufd } from "../../support/fake-iommufd.ts";
import { fakeDevice, fakeSmmu } from "../../support/fake-iommufd-machine.ts";
import { devicePath, nativeWorld } from "../../support/native-world.ts";

const GROUP = groupID(1);

/** Lets go of devices' nodes only when it is told to. */
class SlowKernel extends FakeIommufd {
  #held: Promise<void> | undefined;

  hold(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#held = promise;
    return resolve;
  }

  override async close(fd: number): Promise<void> {
    if (this.files.get(fd)?.kind === "device") await this.#held;
    await super.close(fd);
  }
}

/** No device could be asked at the start; now one is, and stays bound until `release` is called. */
async function whileAsked() {
  const smmu = fakeSmmu();
  const kernel = new SlowKernel({ devices: [1, 2, 3].map((n) => fakeDevice(n, smmu)) });
  const mend = kernel.failAll("bind_iommufd", "EPERM");
  const world = await nativeWorld({ iommu: smmu, kernel });
  mend();
  const { part } = await world.part();
  const release = kernel.hold();
  const asked = world.backend.probe();
  await vi.waitUntil(() => kernel.translation(devicePath(world.device(1).id)) === "blocked", 5000);
  return { ...world, world, part, release, asked };
}

test("in its turn each runs alone, in order, also after one that failed; other groups do not wait", async () => {
  const locks = new GroupLocks();
  const seen: string[] = [];
  const first = Promise.withResolvers<void>();
  const failing = locks.run(GROUP, async () => {
    await first.promise;
    seen.push("first");
    throw new Error("wrong");
  });
  const second = locks.run(GROUP, async () => void seen.push("second"));
  await locks.run(groupID(2), async () => void seen.push("elsewhere"));
  expect([locks.isFree(GROUP), locks.isFree(groupID(2))]).toEqual([false, true]);
  first.resolve();
  await expect(failing).rejects.toThrow("wrong");
  await second;
  expect(seen).toEqual(["elsewhere", "first", "second"]);
  expect(locks.isFree(GROUP)).toBe(true);
});

test("an attach of the device that an IOMMU is being asked through waits, and succeeds", async () => {
  const { asked, backend, part, release, world } = await whileAsked();
  let isOver = false;
  const attach = backend.attach(world.group(1), part, "bypass").finally(() => (isOver = true));
  for (let count = 0; count < 4; count += 1) await backend.ping(); // time enough to be refused
  expect(isOver).toBe(false);
  release();
  await Promise.all([asked, attach]);
  expect(world.stage(1)).not.toBe("host");
  expect(backend.inventory.iommus()[0]?.registers?.idr0).toBe(0x0d44_101b);
});

test("a reset of the device that an IOMMU is being asked through waits, and is done", async () => {
  const { asked, backend, release, world } = await whileAsked();
  const reset = backend.reset(world.device(1).id);
  for (let count = 0; count < 4; count += 1) await backend.ping();
  release();
  expect(await reset).toEqual({ kind: "done" });
  await asked;
  expect(world.kernel.resets.get(devicePath(world.device(1).id))).toBe(1);
});

test("a device that is being attached is not asked, and an IOMMU behind which it is the only one is asked later", async () => {
  const smmu = fakeSmmu();
  const kernel = new SlowKernel({ devices: [1, 2, 3].map((n) => fakeDevice(n, smmu)) });
  const mend = kernel.failAll("bind_iommufd", "EPERM");
  const world = await nativeWorld({ iommu: smmu, kernel });
  world.look(1);
  const { part } = await world.part();
  mend();
  world.notices.splice(0);
  const attach = world.backend.attach(world.group(1), part, "bypass");
  await world.backend.probe();
  await attach;
  expect([world.notices, world.backend.inventory.iommus()[0]?.registers]).toEqual([[], undefined]);
  await world.backend.detach(world.group(1));
  expect(world.backend.inventory.iommus()[0]?.registers?.idr0).toBe(0x0d44_101b);
});
