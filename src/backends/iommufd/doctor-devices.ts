// Of the devices: which a VMM can be given, and for each that it cannot, who or what stands in the way.

import type { HostFinding } from "../host-finding.ts";
import type { HostScan, NativeDevice, NativeGroup } from "./devices.ts";
import { ok } from "./doctor-host.ts";
import type { HostFiles } from "./host-files.ts";

export interface DeviceLook {
  readonly files: HostFiles;
  readonly uid: number;
  readonly scan: HostScan;
}

export async function deviceFindings({ files, uid, scan }: DeviceLook): Promise<readonly HostFinding[]> {
  const groups = scan.groups.filter((group) => group.devices.some(isOnVfio));
  const access = await Promise.all(
    groups.flatMap((group) => group.devices.filter(isOnVfio).map((device) => nodeOf(device, files, uid))),
  );
  return [boundDevices(scan), ...access, ...groups.flatMap(groupFindings), ...leftOut(scan)];
}

function isOnVfio({ cdev, driver }: NativeDevice): boolean {
  return cdev !== undefined || driver?.startsWith("vfio-") === true;
}

function boundDevices({ groups }: HostScan): HostFinding {
  const devices = groups.flatMap((group) => group.devices);
  const ready = devices.filter(({ cdev }) => cdev !== undefined).length;
  if (ready > 0) return ok("vfio_devices", "", `${ready} of ${devices.length} device(s) on a VFIO driver`);
  return {
    check: "vfio_devices",
    subject: "",
    verdict: "problem",
    what: `none of ${devices.length} device(s) is on a VFIO driver`,
    why: "only devices on one can be given to a guest",
    remedy:
      "load vfio-pci, then for each device write vfio-pci to its driver_override, unbind its driver and write its address to /sys/bus/pci/drivers_probe; or name it in native.bind_devices",
  };
}

async function nodeOf({ cdev, driver, id }: NativeDevice, files: HostFiles, uid: number): Promise<HostFinding> {
  if (cdev === undefined) {
    return {
      check: "vfio_cdev",
      subject: id,
      verdict: "problem",
      what: `it is on ${driver ?? "VFIO"}, and has no device node of its own`,
      why: "iommufd is reached through /dev/vfio/devices alone",
      remedy: "run a kernel built with CONFIG_VFIO_DEVICE_CDEV, and without VFIO's no-IOMMU mode",
    };
  }
  const errno = await files.access(cdev);
  if (errno === undefined) return ok("cdev_access", id, `${cdev} can be opened`);
  const isMissing = errno === "ENOENT";
  return {
    check: "cdev_access",
    subject: id,
    verdict: "problem",
    what: isMissing ? `${cdev} is not there` : `uid ${uid} cannot read and write ${cdev} (${errno})`,
    why: "the daemon opens it for the guest",
    remedy: isMissing
      ? "let udev or devtmpfs make it; in a container, pass /dev/vfio in"
      : "give the daemon's group the node by a udev rule (docs/native.md), or run it as root",
  };
}

function groupFindings(group: NativeGroup): readonly HostFinding[] {
  const subject = `group ${group.id}`;
  const findings: HostFinding[] = group.blockers.map(({ device, driver }) => ({
    check: "group_viable",
    subject,
    verdict: "problem",
    what: `${device} is driven by ${driver}`,
    why: `it shares IOMMU group ${group.id} with ${namesOf(group)}, and a group is the host's or a guest's as a whole`,
    remedy: `bind ${device} to vfio-pci too, or to no driver; or put one of them behind another port`,
  }));
  if (findings.length === 0) findings.push(ok("group_viable", subject, `nothing but VFIO uses ${namesOf(group)}`));
  if (group.needsIdentity) {
    findings.push({
      check: "identity_mapping",
      subject,
      verdict: "problem",
      what: "the firmware demands memory that is mapped 1:1 for it (RMRR or RMR)",
      why: "the kernel cannot block its DMA, so it refuses to give it away (EINVAL)",
      remedy: "switch off what needs it in the firmware (legacy USB, a management controller), or use another device",
    });
  }
  if (group.devices.filter(isOnVfio).length > 1) {
    findings.push({
      check: "group_singleton",
      subject,
      verdict: "warning",
      what: `${namesOf(group)} share it`,
      why: "guests' own tables are for a device alone in its group; these can only be attached together, without them",
      remedy: "use a port or a platform that isolates them (ACS)",
    });
  }
  return findings;
}

function namesOf(group: NativeGroup): string {
  return group.devices
    .filter(isOnVfio)
    .map(({ id }) => id)
    .join(", ");
}

function leftOut({ leftOut: count }: HostScan): readonly HostFinding[] {
  if (count === 0) return [];
  return [
    {
      check: "names",
      subject: "",
      verdict: "warning",
      what: `${count} device(s) are left out for their names`,
      why: "a device's name here is 1 to 63 of A-Z a-z 0-9 . _ : - and begins with a letter or digit",
      remedy: "nothing, unless you wanted to give one to a guest",
    },
  ];
}
