// What a look at sysfs finds: IOMMU groups, the devices in them, their IOMMU instances, drivers and VFIO device nodes.
// Everything begins at the groups, so buses differ in nothing but config space. A device that goes away under the look is
// left out; a name that is no DeviceID is counted. StreamIDs are not there to be found: the kernel shows them to nobody.
// Source: Linux Documentation/ABI/testing/sysfs-kernel-iommu_groups, sysfs-class-iommu; drivers/vfio (vfio-dev/).

import { BrokerError } from "../errors.ts";
import { type DeviceID, deviceID, type GroupID, groupID, type IommuID, iommuID } from "../ids.ts";
import type { ReservedRegion } from "../inventory.ts";
import { CONFIG_BYTES, type PciCapabilities, pciCapabilities } from "./config-space.ts";
import { type HostFiles, type HostRoots, readText } from "./host-files.ts";
import { parseReservedRegions } from "./reserved-regions.ts";

const GROUPS_MAX = 65_536;
const MEMBERS_MAX = 256;
const IOMMUS_MAX = 1024;
/** Of a device in the device tree. */
const PROPERTIES_MAX = 256;
/** Groups that are looked at side by side. */
const GROUPS_AT_A_TIME = 16;
/** Drivers that leave their device to whoever takes its group (driver_managed_dma in Linux), beside VFIO's own. */
const DRIVERS_WITHOUT_DMA = new Set(["pcieport", "pci-stub"]);

/** A device in an IOMMU group, whatever drives it. */
export interface NativeDevice {
  readonly id: DeviceID;
  /** "pci", "platform", … */
  readonly bus: string;
  readonly iommu: IommuID | undefined;
  readonly group: GroupID;
  /** Undefined: nothing drives it. */
  readonly driver: string | undefined;
  /** Its device node, "/dev/vfio/devices/vfio0"; undefined: it is not bound to a VFIO driver, or that has no cdev. */
  readonly cdev: string | undefined;
  readonly pci: PciCapabilities;
  /** Its firmware says that its transactions may stall: "dma-can-stall" of the device tree. ACPI's word nobody shows. */
  readonly mayStall: boolean;
}

/** A group as a whole: what its members share, and who of them stands in the way. */
export interface NativeGroup {
  readonly id: GroupID;
  readonly devices: readonly NativeDevice[];
  /** Members whose drivers use the group's DMA: while there is one, nobody can take the group. */
  readonly blockers: readonly { readonly device: string; readonly driver: string }[];
  readonly reservedRegions: readonly ReservedRegion[];
  /** Firmware demands a 1:1 mapping for it, so the kernel refuses to bind it. */
  readonly needsIdentity: boolean;
}

export interface HostScan {
  /** In order of id. */
  readonly iommus: readonly IommuID[];
  /** In order of id. */
  readonly groups: readonly NativeGroup[];
  /** Names that are no identifiers here, and what was beyond the limits: such devices are left out. */
  readonly leftOut: number;
}

/** Looks at the whole host. Never fails: what cannot be read is not there. */
export async function scanHost(files: HostFiles, roots: HostRoots): Promise<HostScan> {
  const folder = `${roots.sys}/kernel/iommu_groups`;
  const numbers = (await files.list(folder, GROUPS_MAX)).filter((name) => /^\d{1,9}$/.test(name)).map(Number);
  numbers.sort((one, other) => one - other);
  const groups: NativeGroup[] = [];
  let leftOut = 0;
  for (let at = 0; at < numbers.length; at += GROUPS_AT_A_TIME) {
    const some = numbers.slice(at, at + GROUPS_AT_A_TIME);
    const found = await Promise.all(some.map((number) => scanGroup(files, roots, groupID(number))));
    for (const { group, unnamed } of found) {
      leftOut += unnamed;
      if (group.devices.length > 0) groups.push(group);
    }
  }
  const named = (await files.list(`${roots.sys}/class/iommu`, IOMMUS_MAX)).map((name) => identifier(iommuID, name));
  const used = groups.flatMap((group) => group.devices.map((device) => device.iommu));
  const iommus = [...new Set([...named, ...used])].filter((id) => id !== undefined).sort();
  return { iommus, groups, leftOut };
}

async function scanGroup(
  files: HostFiles,
  roots: HostRoots,
  id: GroupID,
): Promise<{ group: NativeGroup; unnamed: number }> {
  const folder = `${roots.sys}/kernel/iommu_groups/${id}`;
  const [names, regions] = await Promise.all([
    files.list(`${folder}/devices`, MEMBERS_MAX),
    readText(files, `${folder}/reserved_regions`),
  ]);
  const found = await Promise.all(
    names.map((name) => scanDevice(files, roots, { path: `${folder}/devices/${name}`, name, group: id })),
  );
  const blockers = found.flatMap(({ name, driver, usesDMA }) =>
    driver !== undefined && usesDMA ? [{ device: name, driver }] : [],
  );
  const devices = found.flatMap(({ device }) => (device === undefined ? [] : [device]));
  const { reservedRegions, needsIdentity } = parseReservedRegions(regions ?? "");
  const group = { id, devices, blockers, reservedRegions, needsIdentity };
  return { group, unnamed: found.filter(({ isNamed }) => !isNamed).length };
}

interface ScannedDevice {
  readonly name: string;
  readonly isNamed: boolean;
  readonly driver: string | undefined;
  readonly usesDMA: boolean;
  /** Undefined: its name is no identifier, or it went away. */
  readonly device: NativeDevice | undefined;
}

async function scanDevice(
  files: HostFiles,
  roots: HostRoots,
  { path, name, group }: { path: string; name: string; group: GroupID },
): Promise<ScannedDevice> {
  const id = identifier(deviceID, name);
  const [bus, driver, iommu, vfio, pci, properties] = await Promise.all([
    files.linkName(`${path}/subsystem`),
    files.linkName(`${path}/driver`),
    files.linkName(`${path}/iommu`),
    files.list(`${path}/vfio-dev`, 1),
    readCapabilities(files, path),
    files.list(`${path}/of_node`, PROPERTIES_MAX),
  ]);
  const mayStall = properties.includes("dma-can-stall");
  const [node] = vfio.filter((entry) => /^vfio\d{1,9}$/.test(entry));
  const isVFIO = node !== undefined || driver?.startsWith("vfio-") === true;
  const usesDMA = driver !== undefined && !isVFIO && !DRIVERS_WITHOUT_DMA.has(driver);
  const cdev = node === undefined ? undefined : `${roots.dev}/vfio/devices/${node}`;
  const iommuName = iommu === undefined ? undefined : identifier(iommuID, iommu);
  // A device always has a bus: without one it went away since its group was read.
  const device =
    id === undefined || bus === undefined
      ? undefined
      : { id, bus, iommu: iommuName, group, driver, cdev, pci, mayStall };
  return { name, isNamed: id !== undefined, driver, usesDMA, device };
}

/** A virtual function's PASIDs are its physical function's. */
async function readCapabilities(files: HostFiles, path: string): Promise<PciCapabilities> {
  const own = pciCapabilities(await files.read(`${path}/config`, CONFIG_BYTES));
  if ((await files.linkName(`${path}/physfn`)) === undefined) return own;
  const { pasidBits } = pciCapabilities(await files.read(`${path}/physfn/config`, CONFIG_BYTES));
  return { ...own, pasidBits };
}

function identifier<T>(check: (name: string) => T, name: string): T | undefined {
  try {
    return check(name);
  } catch (error) {
    if (error instanceof BrokerError) return undefined;
    throw error;
  }
}
