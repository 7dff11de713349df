// The parts together: a made-up sysfs whose writes do what the driver core does, and a played kernel behind its nodes.

import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { type DeviceID, deviceID } from "../../../src/backends/ids.ts";
import { startNativeHost } from "../../../src/backends/iommufd/native-host.ts";
import type { PerfEvents } from "../../../src/backends/iommufd/perf-events.ts";
import { watchDirectory } from "../../../src/os/directory-watch.ts";
import { driverNotes } from "../../../src/os/driver-notes.ts";
import { DriverCore } from "../../support/driver-core.ts";
import { FakeIommufd } from "../../support/fake-iommufd.ts";
import { fakeDevice, fakeSmmu } from "../../support/fake-iommufd-machine.ts";
import { FakeSysfs } from "../../support/fake-sysfs.ts";
import { refusal } from "../../support/host.ts";

const NIC = deviceID("0000:01:00.0");

/** The played kernel knows /dev alone: here it is elsewhere. */
class MovedKernel extends FakeIommufd {
  readonly dev: string;

  constructor(dev: string, path: string) {
    super({ devices: [fakeDevice(1, fakeSmmu(), { path })] });
    this.dev = dev;
  }

  override open(path: string): Promise<number> {
    return super.open(path === `${this.dev}/iommu` ? "/dev/iommu" : path);
  }
}

/** A NIC on its driver; vfio0 is its node once vfio-pci has it. */
function hostWithNic() {
  const sysfs = new FakeSysfs();
  sysfs.add({ id: NIC, group: 1, driver: "mlx5_core" });
  sysfs.write("dev/vfio/devices/.made-by-devtmpfs", "");
  const core = new DriverCore(sysfs);
  core.natural.set(NIC, "mlx5_core");
  const path = `${sysfs.roots.dev}/vfio/devices/vfio0`;
  const kernel = new MovedKernel(sysfs.roots.dev, path);
  return { core, kernel, sysfs };
}

async function started(
  { core, kernel, sysfs }: ReturnType<typeof hostWithNic>,
  bindDevices: readonly DeviceID[],
  perf?: PerfEvents,
) {
  const bugs: unknown[] = [];
  const host = await startNativeHost(
    {
      kernel,
      files: core.files,
      roots: { ...sysfs.roots },
      watch: watchDirectory,
      notes: driverNotes(join(sysfs.root, "state/drivers")),
      uid: 0,
      ...(perf && { perf }),
      onBug: (error) => bugs.push(error),
    },
    { bindDevices, experimentalVtdNesting: false },
  );
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= host.stop());
  onTestFinished(stop);
  const { backend } = host;
  const found = (check: string) => backend.inventory.findings().find((one) => one.check === check);
  return { backend, bugs, found, stop };
}

test("what the configuration names is bound, asked and there, and goes back to its driver at the end", async () => {
  const given = hostWithNic();
  const { backend, bugs, found, stop } = await started(given, [NIC]);
  expect(backend.inventory.devices().map(({ id }) => id)).toEqual([NIC]);
  expect(backend.inventory.iommus()[0]?.registers?.idr0).toBe(0x0d44_101b);
  expect(found("nesting")?.verdict).toBe("ok");
  await stop();
  expect(await given.core.driverOf(NIC)).toBe("mlx5_core");
  expect(given.kernel.files.size).toBe(0);
  expect(bugs).toEqual([]);
});

test("the SMMUs' own counters are in the backend's for as long as it runs, and where there is none there are none", async () => {
  const given = hostWithNic();
  const source = "sys/bus/event_source/devices/smmuv3_pmcg_2b";
  const texts = { type: "9", cpumask: "0", "format/event": "config:0-15", "events/transaction": "event=0x1" };
  for (const [name, text] of Object.entries(texts)) given.sysfs.write(`${source}/${name}`, `${text}\n`);
  const open = new Set<number>();
  const perf: PerfEvents = {
    open: ({ config }) => {
      open.add(config);
      return config;
    },
    readNow: () => 42,
    close: (fd) => open.delete(fd),
  };
  const { backend, found, stop } = await started(given, [NIC], perf);
  const { hasTranslationCounters, iommus } = backend.counters();
  expect([hasTranslationCounters, iommus.length]).toEqual([true, 1]);
  expect(iommus[0]).toMatchObject({ iommu: "smmuv3_pmcg_2b", transactions: 42, tlbMisses: undefined });
  expect(found("translation_counters")?.verdict).toBe("ok");
  await stop();
  expect(open.size).toBe(0);
  const without = await started(hostWithNic(), [NIC], perf);
  expect(without.backend.counters()).toMatchObject({ hasTranslationCounters: false, iommus: [] });
});

test("what it does not name is left to its driver, until somebody binds it: then it is there, asked, and in the findings", async () => {
  const given = hostWithNic();
  const { backend, found } = await started(given, []);
  const changes: string[] = [];
  backend.inventory.onChange(({ device, kind }) => changes.push(`${kind} ${device.id}`));
  expect(given.core.writes).toEqual([]);
  expect(found("vfio_devices")?.verdict).toBe("problem");
  expect(backend.inventory.iommus()[0]?.otherHardware).toMatchObject({ kind: "unknown" });
  given.sysfs.drive(NIC, "vfio-pci", "vfio0");
  await vi.waitUntil(() => found("nesting")?.verdict === "ok", 5000);
  expect(changes).toEqual([`added ${NIC}`]);
  given.sysfs.drive(NIC, undefined);
  given.sysfs.erase("dev/vfio/devices/vfio0");
  await vi.waitUntil(() => changes.length > 1, 5000);
  expect(changes[1]).toBe(`removed ${NIC}`);
});

test("an IOMMU that refuses to be asked stays unknown, with what the kernel said", async () => {
  const given = hostWithNic();
  given.kernel.failAll("bind_iommufd", "EPERM");
  const { backend } = await started(given, [NIC]);
  const other = backend.inventory.iommus()[0]?.otherHardware;
  expect(other).toMatchObject({ kind: "unknown", reason: expect.stringContaining("EPERM") });
});

test("where there is no iommufd for us, every device is where it was", async () => {
  const given = hostWithNic();
  given.kernel.failAll("open", "ENOENT");
  const error = await refusal(() => started(given, [NIC]));
  expect(error.code).toBe("backend_unavailable");
  expect(await given.core.driverOf(NIC)).toBe("mlx5_core");
});

test("a device that cannot be bound is told, and the others are there all the same", async () => {
  const given = hostWithNic();
  const { backend } = await started(given, [deviceID("0000:7f:00.0"), NIC]);
  const notices: string[] = [];
  backend.onNotice(({ message }) => notices.push(message));
  expect(backend.inventory.devices()).toHaveLength(1);
  await vi.waitUntil(() => notices.length > 0, 5000);
  expect(notices[0]).toContain("0000:7f:00.0 is not on this host's PCI bus");
});
