// A real directory, watched by the kernel; what a made-up host's drivers do is what changes it.

import { expect, onTestFinished, test, vi } from "vitest";
import { startHotplug, type WatchDirectory } from "../../../src/backends/iommufd/hotplug.ts";
import { watchDirectory } from "../../../src/os/directory-watch.ts";
import { hostFiles } from "../../../src/os/host-files.ts";
import { FakeSysfs } from "../../support/fake-sysfs.ts";

const HOUR = 3_600_000;

interface Given {
  readonly watch?: WatchDirectory;
  readonly pollMs?: number;
  readonly rescan?: () => Promise<void>;
  readonly list?: typeof hostFiles.list;
}

function started(sysfs: FakeSysfs, given: Given) {
  const bugs: unknown[] = [];
  let looks = 0;
  const hotplug = startHotplug({
    files: { ...hostFiles, list: given.list ?? hostFiles.list },
    roots: sysfs.roots,
    watch: given.watch ?? watchDirectory,
    rescan: async () => {
      looks += 1;
      await given.rescan?.();
    },
    onBug: (error) => bugs.push(error),
    gatherMs: 1,
    pollMs: given.pollMs ?? HOUR,
  });
  onTestFinished(() => hotplug.stop());
  return { hotplug, looks: () => looks, bugs };
}

test("a device node that appears makes it look, and so does one that disappears", async () => {
  const sysfs = new FakeSysfs();
  sysfs.write("dev/vfio/devices/vfio0", "");
  const { looks } = started(sysfs, {});
  await vi.waitUntil(() => looks() === 1, 5000);
  sysfs.write("dev/vfio/devices/vfio1", "");
  await vi.waitUntil(() => looks() > 1, 5000);
  const before = looks();
  sysfs.erase("dev/vfio/devices/vfio1");
  await vi.waitUntil(() => looks() > before, 5000);
});

test("the first node of a host, whose directory was not there, is seen", async () => {
  const sysfs = new FakeSysfs();
  sysfs.write("dev/vfio/vfio", "");
  const { looks } = started(sysfs, {});
  await vi.waitUntil(() => looks() === 1, 5000);
  sysfs.write("dev/vfio/devices/vfio0", "");
  await vi.waitUntil(() => looks() > 1, 5000);
  const before = looks();
  sysfs.write("dev/vfio/devices/vfio1", "");
  await vi.waitUntil(() => looks() > before, 5000);
});

test("where nothing tells of changes, listing the class does", async () => {
  const sysfs = new FakeSysfs();
  const { looks } = started(sysfs, { watch: () => () => {}, pollMs: 1 });
  await vi.waitUntil(() => looks() === 1, 5000);
  sysfs.write("sys/class/vfio-dev/vfio0", "");
  await vi.waitUntil(() => looks() === 2, 5000);
});

test("a listing that fails is told, and the next one is made all the same", async () => {
  const sysfs = new FakeSysfs();
  let lists = 0;
  const list: typeof hostFiles.list = async (path, max) => {
    lists += 1;
    if (lists === 1) throw new Error("EMFILE");
    return await hostFiles.list(path, max);
  };
  const { bugs, looks } = started(sysfs, { watch: () => () => {}, pollMs: 1, list });
  await vi.waitUntil(() => looks() === 1, 5000);
  expect(bugs).toEqual([new Error("EMFILE")]);
});

test("many changes are one look, and looks never overlap", async () => {
  const sysfs = new FakeSysfs();
  const tellers: (() => void)[] = [];
  let running = 0;
  let most = 0;
  const { hotplug, looks } = started(sysfs, {
    watch: (_, onChange) => {
      tellers.push(onChange);
      return () => {};
    },
    rescan: async () => {
      running += 1;
      most = Math.max(most, running);
      await hostFiles.list(sysfs.roots.sys, 10);
      running -= 1;
    },
  });
  await vi.waitUntil(() => looks() === 1, 5000);
  for (let count = 0; count < 1000; count += 1) tellers[0]?.();
  await vi.waitUntil(() => looks() === 2, 5000);
  await hotplug.look();
  expect(looks()).toBe(3);
  await Promise.all([hotplug.look(), hotplug.look()]);
  expect({ looks: looks(), most }).toEqual({ looks: 5, most: 1 });
});

test("after stop nothing is looked at, and a look that failed is told", async () => {
  const sysfs = new FakeSysfs();
  const wrong = new Error("wrong");
  const { bugs, hotplug, looks } = started(sysfs, { rescan: () => Promise.reject(wrong) });
  await vi.waitUntil(() => looks() === 1, 5000);
  await expect(hotplug.look()).rejects.toBe(wrong);
  expect(bugs).toEqual([wrong, wrong]);
  await hotplug.stop();
  await hotplug.look();
  expect(looks()).toBe(2);
});
