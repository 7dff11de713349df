// Which backend there is, and why: over a made-up host whose writes do what the driver core does, and a kernel that is
// played.

import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { deviceID } from "../../src/backends/ids.ts";
import { type BackendConfig, type NativeSystem, selectBackend } from "../../src/backends/select.ts";
import { watchDirectory } from "../../src/os/directory-watch.ts";
import { driverNotes } from "../../src/os/driver-notes.ts";
import { DriverCore } from "../support/driver-core.ts";
import { FakeIommufd, type FakeMachine } from "../support/fake-iommufd.ts";
import { fakeDevice, fakeSmmu } from "../support/fake-iommufd-machine.ts";
import { FakeSysfs } from "../support/fake-sysfs.ts";
import { refusal, TWO_SMMUS } from "../support/host.ts";

const NIC = deviceID("0000:01:00.0");

/** The nodes of a host whose /dev is elsewhere. */
class ElsewhereKernel extends FakeIommufd {
  readonly #dev: string;

  constructor(machine: FakeMachine, dev: string) {
    super(machine);
    this.#dev = dev;
  }

  override open(path: string): Promise<number> {
    return super.open(path.startsWith(this.#dev) ? `/dev${path.slice(this.#dev.length)}` : path);
  }
}

function host({ driver, machine = {} }: { driver: "vfio-pci" | "mlx5_core"; machine?: Partial<FakeMachine> }) {
  const sysfs = new FakeSysfs();
  sysfs.add({ id: NIC, group: 1, driver, ...(driver === "vfio-pci" ? { cdev: "vfio0" } : {}) });
  const core = new DriverCore(sysfs);
  core.natural.set(NIC, "mlx5_core");
  const kernel = new ElsewhereKernel(
    { devices: [fakeDevice(0, fakeSmmu(), { group: 1 })], ...machine },
    sysfs.roots.dev,
  );
  const system: NativeSystem = {
    kernel,
    files: core.files,
    roots: sysfs.roots,
    watch: watchDirectory,
    notes: driverNotes(join(sysfs.root, "state/drivers")),
    uid: 0,
    onBug: (error) => {
      throw error;
    },
  };
  return { core, kernel, sysfs, system };
}

function config(backend: BackendConfig["backend"], bindDevices: readonly (typeof NIC)[] = []): BackendConfig {
  return { backend, simulated: TWO_SMMUS, native: { bindDevices, experimentalVtdNesting: false } };
}

async function chosen(wanted: BackendConfig, system: NativeSystem) {
  const selection = await selectBackend(wanted, () => system, undefined);
  onTestFinished(() => selection.stop());
  return selection;
}

const unasked = (): never => {
  throw new Error("nobody wants the system");
};

test("the simulated backend asks nothing of the system, and says that no device is touched", async () => {
  const { backend, chosen: notice, simulator } = await selectBackend(config("simulated"), unasked, undefined);
  expect(backend.kind).toBe("simulated");
  expect(simulator).toBe(backend);
  expect(notice.message).toContain("no device of this host is touched");
});

test.each(["iommufd", "auto"] as const)(
  "%s is the native one where a device is bound to vfio-pci, and says why",
  async (wanted) => {
    const { system } = host({ driver: "vfio-pci" });
    const { backend, chosen: notice, simulator } = await chosen(config(wanted), system);
    expect([backend.kind, simulator]).toEqual(["iommufd", undefined]);
    expect(backend.inventory.devices().map(({ id }) => id)).toEqual([NIC]);
    expect(backend.inventory.iommus()).toMatchObject([{ nesting: { supported: true }, ipaBits: 44 }]);
    const reason = wanted === "auto" ? "backend is auto, and iommufd works here" : "the configuration says so";
    expect(notice.facts).toEqual({ backend: "iommufd", devices: 1, iommus: 1, reason });
  },
);

test("auto guesses nothing: without /dev/iommu it does not start, and says what to mend or to ask for", async () => {
  const { kernel, system } = host({ driver: "vfio-pci" });
  kernel.failAll("open", "ENOENT");
  const error = await refusal(() => selectBackend(config("auto"), () => system, undefined));
  expect(error.code).toBe("backend_unavailable");
  expect(error.message).toMatch(/CONFIG_IOMMUFD.*backend: simulated/);
  const plain = await refusal(() => selectBackend(config("iommufd"), () => system, undefined));
  expect(plain.message).not.toContain("simulated");
});

test("auto without a device on vfio-pci does not start; iommufd does, and waits for one", async () => {
  const { kernel, sysfs, system } = host({ driver: "mlx5_core" });
  const error = await refusal(() => selectBackend(config("auto"), () => system, undefined));
  expect(error.message).toContain("native.bind_devices");
  expect(kernel.alive().files).toBe(0);
  const { backend } = await chosen(config("iommufd"), system);
  expect(backend.inventory.devices()).toEqual([]);
  sysfs.drive(NIC, "vfio-pci", "vfio0");
  await vi.waitFor(() => expect(backend.inventory.devices().map(({ id }) => id)).toEqual([NIC]), { timeout: 5000 });
  await vi.waitFor(() => expect(backend.inventory.iommus()).toMatchObject([{ ipaBits: 44 }]));
});

test("devices that are named are bound, and given back when the backend stops, after their descriptors", async () => {
  const { core, kernel, system } = host({ driver: "mlx5_core" });
  const selection = await selectBackend(config("auto", [NIC]), () => system, undefined);
  expect(await core.driverOf(NIC)).toBe("vfio-pci");
  await selection.stop();
  expect(await core.driverOf(NIC)).toBe("mlx5_core");
  expect(kernel.alive()).toEqual({ files: 0, views: 0, objects: [] });
});

test("devices that are named go back when the kernel has no iommufd", async () => {
  const { core, kernel, system } = host({ driver: "mlx5_core" });
  kernel.failAll("open", "EACCES");
  await refusal(() => selectBackend(config("iommufd", [NIC]), () => system, undefined));
  expect(await core.driverOf(NIC)).toBe("mlx5_core");
});

test("to bind devices takes a state directory, where their drivers are remembered", async () => {
  const { core, system } = host({ driver: "mlx5_core" });
  const without = { ...system, notes: undefined };
  const error = await refusal(() => selectBackend(config("iommufd", [NIC]), () => without, undefined));
  expect(error.message).toContain("state_directory");
  expect(await core.driverOf(NIC)).toBe("mlx5_core");
});
