// Binding over a made-up sysfs whose writes do what the driver core does.

import { join } from "node:path";
import { expect, test } from "vitest";
import { deviceID } from "../../../src/backends/ids.ts";
import { DriverBinding } from "../../../src/backends/iommufd/driver-binding.ts";
import { driverNotes } from "../../../src/os/driver-notes.ts";
import { DriverCore } from "../../support/driver-core.ts";
import { FakeSysfs } from "../../support/fake-sysfs.ts";
import { refusal } from "../../support/host.ts";

const NIC = deviceID("0000:01:00.0");
const IDLE = deviceID("0000:02:00.0");

/** A host with a NIC on its driver and an idle device; a daemon starts with each `binding()`. */
function hostWithNic() {
  const sysfs = new FakeSysfs();
  sysfs.add({ id: NIC, group: 1, driver: "mlx5_core" });
  sysfs.add({ id: IDLE, group: 2 });
  const core = new DriverCore(sysfs);
  core.natural.set(NIC, "mlx5_core");
  core.natural.set(IDLE, "nvme");
  const notes = driverNotes(join(sysfs.root, "state/drivers"));
  const binding = () => new DriverBinding({ files: core.files, roots: sysfs.roots, notes });
  return { binding, core, notes, sysfs };
}

test("a device is taken from its driver and given back to it, with the override it had", async () => {
  const { binding, core, notes } = hostWithNic();
  const one = binding();
  await one.take(NIC);
  expect(await core.driverOf(NIC)).toBe("vfio-pci");
  expect(core.writes).toEqual([`driver_override vfio-pci`, `unbind ${NIC}`, `drivers_probe ${NIC}`]);
  expect(await notes.read()).toEqual([{ device: NIC, driver: "mlx5_core", override: undefined }]);
  await one.giveBack(NIC);
  expect(await core.driverOf(NIC)).toBe("mlx5_core");
  expect(core.overrideOf(NIC)).toBe("(null)");
  expect(await notes.read()).toEqual([]);
});

test("taking twice and giving back twice do it once", async () => {
  const { binding, core } = hostWithNic();
  const one = binding();
  await one.take(NIC);
  await one.take(NIC);
  await one.giveBack(NIC);
  await one.giveBack(NIC);
  expect(core.writes).toHaveLength(6);
});

test("a device that somebody bound to vfio-pci before stays there", async () => {
  const { binding, core, sysfs } = hostWithNic();
  sysfs.drive(NIC, "vfio-pci", "vfio0");
  const one = binding();
  await one.take(NIC);
  expect(await one.giveBackAll()).toEqual([]);
  expect(core.writes).toEqual([]);
});

test("a device that nothing drove is left to nothing", async () => {
  const { binding, core } = hostWithNic();
  const one = binding();
  await one.take(IDLE);
  expect(await core.driverOf(IDLE)).toBe("vfio-pci");
  await one.giveBackAll();
  expect(await core.driverOf(IDLE)).toBeUndefined();
});

test("after a crash the next daemon gives back what it is not to have, and keeps what it is", async () => {
  const { binding, core } = hostWithNic();
  const crashed = binding();
  await crashed.take(NIC);
  await crashed.take(IDLE);
  const next = binding();
  expect(await next.recover(new Set([IDLE]))).toEqual([]);
  expect(await core.driverOf(NIC)).toBe("mlx5_core");
  await next.take(IDLE);
  expect(await core.driverOf(IDLE)).toBe("vfio-pci");
  await next.giveBackAll();
  expect(await core.driverOf(IDLE)).toBeUndefined();
});

test.each([
  ["/driver_override", "EROFS", "read-only"],
  ["/unbind", "EBUSY", "does not let go"],
  ["/drivers_probe", "ENOENT", "load vfio-pci"],
])("a write to %s that fails with %s leaves the device as it was, and says what to do", async (end, errno, remedy) => {
  const { binding, core, notes } = hostWithNic();
  core.errnos.set(end, errno);
  const error = await refusal(() => binding().take(NIC));
  expect(error).toMatchObject({ code: "backend_failed", facts: { device: NIC, errno } });
  expect(error.message).toContain(remedy);
  if (end === "/drivers_probe") {
    // Not even its own driver can be asked for: it is told, and the note stays for the next start.
    expect(await notes.read()).toHaveLength(1);
    core.errnos.clear();
    expect(await binding().recover(new Set())).toEqual([]);
  }
  expect(await core.driverOf(NIC)).toBe("mlx5_core");
  expect(core.overrideOf(NIC)).toBe("(null)");
  expect(await notes.read()).toEqual([]);
});

test("where vfio-pci does not take it, it goes back to its driver", async () => {
  const { binding, core } = hostWithNic();
  core.refusing.add("vfio-pci");
  const error = await refusal(() => binding().take(NIC));
  expect(error.message).toContain("modprobe vfio-pci");
  expect(await core.driverOf(NIC)).toBe("mlx5_core");
});

test("a device that its driver does not take back keeps its note", async () => {
  const { binding, core, notes } = hostWithNic();
  const one = binding();
  await one.take(NIC);
  core.refusing.add("mlx5_core");
  const [failure] = await one.giveBackAll();
  expect(failure?.message).toContain("driven by nothing and not by mlx5_core");
  expect(await notes.read()).toHaveLength(1);
  core.refusing.clear();
  expect(await binding().recover(new Set())).toEqual([]);
  expect(await notes.read()).toEqual([]);
});

test("one that was removed, or that somebody else bound elsewhere, is no longer ours to move", async () => {
  const { binding, core, notes, sysfs } = hostWithNic();
  const one = binding();
  await one.take(NIC);
  await one.take(IDLE);
  sysfs.remove(NIC, 1);
  sysfs.drive(IDLE, "nvme");
  sysfs.write(`sys/devices/pci0000:00/${IDLE}/driver_override`, "nvme\n");
  core.writes.length = 0;
  expect(await one.giveBackAll()).toEqual([]);
  expect(core.writes).toEqual([]);
  expect(await notes.read()).toEqual([]);
});

test("only PCI addresses that are there can be taken", async () => {
  const { binding } = hostWithNic();
  for (const name of ["vfio", "0000:01:00.9", "9060000.dma"]) {
    const error = await refusal(() => binding().take(deviceID(name)));
    expect(error).toMatchObject({ code: "argument_invalid" });
  }
  const error = await refusal(() => binding().take(deviceID("0000:7f:00.0")));
  expect(error).toMatchObject({ code: "device_unknown" });
});
