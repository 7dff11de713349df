import { expect, test } from "vitest";
import { FORWARDED_FAULTS } from "../../../src/backends/told-faults.ts";
import { fakeSmmu } from "../../support/fake-iommufd-machine.ts";
import { refusal } from "../../support/host.ts";
import { devicePath, type NativeWorld, nativeWorld } from "../../support/native-world.ts";

test("the IOMMU is asked through an idle device before anybody is attached, and the device is the host's again", async () => {
  const world = await nativeWorld();
  const [host] = world.backend.inventory.iommus();
  expect(host).toMatchObject({
    registers: { idr0: 0x0d44_101b, idr1: 0x0273_0010, idr5: 0x74, idr6: 0, aidr: 1 },
    ipaBits: 44,
    nesting: { supported: true },
  });
  expect([1, 2, 3, 4].map((n) => world.stage(n))).toEqual(["host", "host", "host", "host"]);
  expect(world.kernel.alive()).toEqual({ files: 1, views: 0, objects: [] });
});

test("an IOMMU of which no device can be had stays unknown, which is told once, by the first of them", async () => {
  const world = await nativeWorld({ machine: { hostGroups: [1, 2, 3] } });
  expect(world.notices).toMatchObject([{ level: "warn", facts: { device: world.device(1).id } }]);
  expect(world.backend.inventory.iommus()).toMatchObject([{ registers: undefined }]);
});

test("a device that cannot be had keeps no IOMMU unknown: the next one behind it is asked", async () => {
  const world = await nativeWorld({ machine: { hostGroups: [1] } });
  expect(world.notices).toEqual([]);
  expect(world.backend.inventory.iommus()).toMatchObject([{ registers: { idr0: 0x0d44_101b } }]);
});

test("an IOMMU whose only device was held at the start is asked as soon as that is free", async () => {
  const before = await nativeWorld({ machine: { hostGroups: [2, 3] } });
  const { part } = await before.part();
  await before.backend.attach(before.group(1), part, "bypass");
  await before.backend.handOut(before.device(1).id);
  const node = before.kernel.dup(before.backend.descriptorsOf(before.device(1).id)[0]!.fd);
  await before.kernel.killDaemon(node);
  const { backend, group, kernel } = await heldWorld(before);
  expect(backend.inventory.iommus()).toMatchObject([{ registers: undefined }]);
  await backend.recall(group);
  expect(await backend.reclaim(group)).toBe(false);
  await kernel.close(node);
  expect(await backend.reclaim(group)).toBe(true);
  await backend.detach(group);
  expect(backend.inventory.iommus()).toMatchObject([
    { registers: { idr0: 0x0d44_101b }, nesting: { supported: true } },
  ]);
  expect(kernel.alive()).toEqual({ files: 1, views: 0, objects: [] });
});

async function heldWorld({ kernel }: NativeWorld) {
  const world = await nativeWorld({ kernel });
  return { kernel, backend: world.backend, group: world.group(1) };
}

test("a reset leaves the stage; a device in its default domain is taken for it and given back", async () => {
  const world = await nativeWorld();
  const { part } = await world.part();
  expect(await world.backend.reset(world.device(2).id)).toEqual({ kind: "done" });
  expect(world.stage(2)).toBe("host");
  await world.backend.attach(world.group(1), part, "bypass");
  await world.bind(1, part);
  const before = world.stage(1);
  expect(await world.backend.reset(world.device(1).id)).toEqual({ kind: "done" });
  expect(world.stage(1)).toBe(before);
  expect([...world.kernel.resets]).toEqual([
    [devicePath(world.device(2).id), 1],
    [devicePath(world.device(1).id), 1],
  ]);
});

test("a device that knows no reset says so; one that fails has failed", async () => {
  const without = await nativeWorld({ resets: false });
  expect(await without.backend.reset(without.device(1).id)).toMatchObject({ kind: "absent" });
  const world = await nativeWorld();
  world.kernel.failAll("vfio_reset", "EAGAIN");
  expect(await world.backend.reset(world.device(1).id)).toMatchObject({ kind: "failed" });
});

test("a ping is a call that the kernel has to answer", async () => {
  const world = await nativeWorld();
  await world.backend.ping();
  expect(world.kernel.alive().objects).toEqual([]);
  world.kernel.failAll("ioas_alloc", "ENOMEM");
  expect((await refusal(() => world.backend.ping())).code).toBe("backend_unavailable");
});

test("only faults are counted: of transactions the kernel tells no numbers, so there are none", async () => {
  const world = await nativeWorld();
  const { part } = await world.part();
  await world.backend.attach(world.group(1), part, "bypass");
  await world.bind(1, part, 0x123);
  world.raise(1, [0x0000_0123_0000_000an, 0n, 0n, 0n]);
  await world.backend.reset(world.device(1).id);
  const uncounted = { translationsOk: undefined, translationsFaulted: undefined, translationsAborted: undefined };
  const faults = [{ type: "C_BAD_CD", stage: undefined, class: undefined, count: 1 }];
  const device = { device: world.device(1).id, ...uncounted, msis: undefined, tells: FORWARDED_FAULTS, faults };
  expect(world.backend.counters()).toEqual({ hasTranslationCounters: false, iommus: [], devices: [device] });
  await world.backend.detach(world.group(1));
  expect(world.backend.counters().devices).toEqual([]);
});

test("VT-d without nesting serves stage 2, and tells its registers", async () => {
  const hwInfo = new Uint8Array(24);
  new DataView(hwInfo.buffer).setBigUint64(8, 0x81d2_008c_222f_0606n, true);
  new DataView(hwInfo.buffer).setBigUint64(16, 0x0000_8d9a_20f0_0f4en, true);
  const world = await nativeWorld({ iommu: fakeSmmu({ kind: "vtd", hwInfo, nesting: false }) });
  const [host] = world.backend.inventory.iommus();
  expect(host).toMatchObject({ registers: undefined, otherHardware: { kind: "vtd" }, nesting: { supported: false } });
  const { part } = await world.part();
  await world.backend.attach(world.group(1), part, "bypass");
  expect(world.stage(1)).toBe("stage 2");
  expect((await refusal(() => world.bind(1, part))).code).toBe("backend_unsupported");
});
