// Made-up hosts, each with one thing amiss; what is said about it names the thing and the remedy.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { BrokerError } from "../../../src/backends/errors.ts";
import type { HostFinding } from "../../../src/backends/host-finding.ts";
import { examineHost, exitCodeOf } from "../../../src/backends/iommufd/doctor.ts";
import type { IommuProbe } from "../../../src/backends/iommufd/doctor-hardware.ts";
import type { HostFiles } from "../../../src/backends/iommufd/host-files.ts";
import { decodeHwInfo, iommuFacts } from "../../../src/backends/iommufd/hw-info.ts";
import { hostFiles } from "../../../src/os/host-files.ts";
import { VTD_CAP_VALUE, VTD_NESTS } from "../../support/fake-iommufd-machine.ts";
import { FakeSysfs } from "../../support/fake-sysfs.ts";

const LIMITS =
  "Limit                     Soft Limit           Hard Limit           Units     \nMax locked memory         unlimited            unlimited            bytes     \n";
const REGISTERS = { idr0: 0x0d44_101b, idr1: 0x0273_0010, idr2: 0, idr3: 0x1414, idr4: 0, idr5: 0x74 };
const IDS = { ...REGISTERS, idr6: 0, iidr: 0, aidr: 1 };

const nests: IommuProbe = async () => ({
  kind: "answered",
  facts: iommuFacts({ kind: "smmuv3", registers: IDS }),
});

/** Arm, Linux 7.3, one device on vfio-pci. */
function goodHost(): FakeSysfs {
  const sysfs = new FakeSysfs();
  sysfs.add({ id: "0000:00:02.0", group: 1, driver: "vfio-pci", cdev: "vfio0" });
  sysfs.write("proc/sys/kernel/osrelease", "7.3.4-arm64\n");
  sysfs.write("proc/self/limits", LIMITS);
  sysfs.write("dev/iommu", "");
  sysfs.write("sys/module/iommufd/parameters/allow_unsafe_interrupts", "N\n");
  return sysfs;
}

async function amiss(
  sysfs: FakeSysfs,
  given: { probe?: IommuProbe | undefined; files?: Partial<HostFiles> } = { probe: nests },
): Promise<readonly HostFinding[]> {
  const files = { ...hostFiles, ...given.files };
  const findings = await examineHost({ files, roots: sysfs.roots, uid: 990, probe: given.probe });
  return findings.filter(({ verdict }) => verdict !== "ok");
}

test("nothing is amiss on a good host, and what was looked at is told", async () => {
  const sysfs = goodHost();
  const findings = await examineHost({ files: hostFiles, roots: sysfs.roots, uid: 0, probe: nests });
  expect(findings.map(({ check, verdict }) => `${check} ${verdict}`)).toEqual([
    "kernel_version ok",
    "iommu_present ok",
    "iommufd_node ok",
    "memlock ok",
    "unsafe_interrupts ok",
    "vfio_devices ok",
    "cdev_access ok",
    "group_viable ok",
    "hardware ok",
    "nesting ok",
  ]);
  expect(exitCodeOf(findings)).toBe(0);
});

test.each([
  ["5.15.0-91-generic", "problem", "Linux 6.6"],
  ["6.12.3", "warning", "Linux 6.13"],
  ["6.14.0-rc1", "warning", "Linux 6.15"],
  ["what", "warning", "not known"],
])("the kernel %s is a %s: %s", async (release, verdict, text) => {
  const sysfs = goodHost();
  sysfs.write("proc/sys/kernel/osrelease", `${release}\n`);
  const [finding, ...others] = await amiss(sysfs);
  expect(others).toEqual([]);
  expect(finding).toMatchObject({ check: "kernel_version", verdict });
  expect(`${finding?.what} ${finding?.why}`).toContain(text);
});

test("a kernel without sysctl tells its version in /proc/version", async () => {
  const sysfs = goodHost();
  rmSync(join(sysfs.root, "proc/sys/kernel/osrelease"));
  sysfs.write("proc/version", "Linux version 6.14.2 (builder@host) (gcc 12.2.0) #1 SMP\n");
  expect(await amiss(sysfs)).toMatchObject([{ check: "kernel_version", verdict: "warning", what: "Linux 6.14.2" }]);
  sysfs.write("proc/version", "Linux version 7.3.4 (builder@host) (gcc 12.2.0) #1 SMP\n");
  expect(await amiss(sysfs)).toEqual([]);
});

test("a host without an IOMMU is told how to switch one on", async () => {
  const sysfs = new FakeSysfs();
  const findings = await amiss(sysfs);
  const missing = findings.find(({ check }) => check === "iommu_present");
  expect(missing).toMatchObject({ verdict: "problem", remedy: expect.stringContaining("intel_iommu=on") });
  expect(findings.find(({ check }) => check === "iommufd_node")).toMatchObject({
    verdict: "problem",
    remedy: expect.stringContaining("CONFIG_IOMMUFD"),
  });
  expect(exitCodeOf(findings)).toBe(2);
});

test("nodes that the daemon's user may not open are named, each with the user", async () => {
  const findings = await amiss(goodHost(), { probe: nests, files: { access: async () => "EACCES" } });
  expect(findings.map(({ check, what }) => [check, what])).toEqual([
    ["iommufd_node", expect.stringContaining("uid 990 cannot read and write it (EACCES)")],
    ["cdev_access", expect.stringMatching(/^uid 990 cannot read and write .*vfio0 \(EACCES\)$/)],
  ]);
});

test("a node that was not made in a container, and a kernel without VFIO's device nodes", async () => {
  const sysfs = goodHost();
  sysfs.erase("dev/vfio/devices/vfio0");
  sysfs.add({ id: "0000:00:03.0", group: 2, driver: "vfio-pci" });
  const findings = await amiss(sysfs);
  expect(findings.map(({ check, subject }) => [check, subject])).toEqual([
    ["cdev_access", "0000:00:02.0"],
    ["vfio_cdev", "0000:00:03.0"],
  ]);
  expect(findings[1]?.remedy).toContain("CONFIG_VFIO_DEVICE_CDEV");
});

test("a limit on locked memory is a warning with the number", async () => {
  const sysfs = goodHost();
  sysfs.write("proc/self/limits", LIMITS.replaceAll("unlimited ", "8388608   "));
  expect(await amiss(sysfs)).toMatchObject([
    { check: "memlock", verdict: "warning", what: expect.stringContaining("8388608 bytes") },
  ]);
});

// Bit 14 is CAP_IPC_LOCK (uapi/linux/capability.h): 000001ffffffffff is all of Linux 7.3's, 000001ffffffbfff all but that one.
test.each([
  ["of root", "000001ffffffffff", "         0          0 4294967295\n", []],
  ["alone", "0000000000004000", "         0          0 4294967295\n", []],
  ["on a kernel without user namespaces", "000001ffffffffff", undefined, []],
  ["missing of root's", "000001ffffffbfff", "         0          0 4294967295\n", ["memlock"]],
  ["of a container's own root", "000001ffffffffff", "         0     100000      65536\n", ["memlock"]],
])("a limit on locked memory binds nobody with CAP_IPC_LOCK: %s", async (_, effective, uidMap, expected) => {
  const sysfs = goodHost();
  sysfs.write("proc/self/limits", LIMITS.replaceAll("unlimited ", "8388608   "));
  sysfs.write("proc/self/status", `Name:\tnode\nCapPrm:\t0000000000000000\nCapEff:\t${effective}\n`);
  if (uidMap !== undefined) sysfs.write("proc/self/uid_map", uidMap);
  expect((await amiss(sysfs)).map(({ check }) => check)).toEqual(expected);
});

test("unsafe interrupts are a warning where they are allowed", async () => {
  const sysfs = goodHost();
  sysfs.write("sys/module/iommufd/parameters/allow_unsafe_interrupts", "Y\n");
  expect(await amiss(sysfs)).toMatchObject([{ check: "unsafe_interrupts", verdict: "warning" }]);
});

test("where no device is on a VFIO driver, how to bind one is told, and the IOMMU stays unasked", async () => {
  const sysfs = goodHost();
  sysfs.drive("0000:00:02.0", "nvme");
  expect(await amiss(sysfs)).toMatchObject([
    { check: "vfio_devices", verdict: "problem", remedy: expect.stringContaining("driver_override") },
    { check: "hardware", verdict: "warning", subject: "smmu3.0x0000000009050000" },
  ]);
});

test("the sibling that keeps a group from being viable is named", async () => {
  const sysfs = goodHost();
  sysfs.add({ id: "0000:00:02.1", group: 1, driver: "snd_hda_intel" });
  const [finding] = await amiss(sysfs);
  expect(finding).toMatchObject({
    check: "group_viable",
    subject: "group 1",
    verdict: "problem",
    what: "0000:00:02.1 is driven by snd_hda_intel",
  });
  expect(finding?.why).toContain("with 0000:00:02.0");
});

test("two devices that share a group can have no tables of their own; one with a 1:1 region cannot be given away", async () => {
  const sysfs = goodHost();
  sysfs.add({ id: "0000:00:02.1", group: 1, driver: "vfio-pci", cdev: "vfio1" });
  sysfs.write("sys/kernel/iommu_groups/1/reserved_regions", "0x000000007b800000 0x000000007fffffff direct\n");
  expect(await amiss(sysfs)).toMatchObject([
    { check: "identity_mapping", verdict: "problem" },
    { check: "group_singleton", verdict: "warning", what: "0000:00:02.0, 0000:00:02.1 share it" },
  ]);
});

test("a device whose name is no identifier is counted", async () => {
  const sysfs = goodHost();
  sysfs.add({ id: "-odd", group: 9 });
  expect(await amiss(sysfs)).toMatchObject([{ check: "names", what: "1 device(s) are left out for their names" }]);
});

test("an SMMU where the kernel gives no virtual IOMMU: CANWBS where it has no S2FWB, and not where it has", async () => {
  const refusal = "IOMMU_VIOMMU_ALLOC fails (EOPNOTSUPP)";
  const probeOf = (idr3: number): IommuProbe => {
    const facts = iommuFacts({ kind: "smmuv3", registers: { ...IDS, idr3 } }, refusal);
    return async () => ({ kind: "answered", facts });
  };
  const [without] = await amiss(goodHost(), { probe: probeOf(0x1414) });
  expect(without).toMatchObject({ check: "nesting", verdict: "warning", why: refusal });
  expect(without?.remedy).toContain("CANWBS");
  const [withFWB] = await amiss(goodHost(), { probe: probeOf(0x1514) });
  expect(withFWB?.remedy).not.toContain("CANWBS");
});

test("x86 hosts have stage 2 alone, and say so", async () => {
  const data = new Uint8Array(new Uint32Array([0x29d7, 0, 0, 0]).buffer);
  const facts = iommuFacts(decodeHwInfo({ type: 4, data }));
  const findings = await amiss(goodHost(), { probe: async () => ({ kind: "answered", facts }) });
  expect(findings).toMatchObject([{ check: "nesting", verdict: "warning", remedy: "none on this hardware" }]);
});

test("a VT-d that nests has stage 2 alone until the key is set, which is named", async () => {
  const facts = iommuFacts({ kind: "vtd", cap: VTD_CAP_VALUE, ecap: VTD_NESTS, hasErratum: true });
  const findings = await amiss(goodHost(), { probe: async () => ({ kind: "answered", facts }) });
  expect(findings).toMatchObject([
    { check: "nesting", remedy: expect.stringContaining("native.experimental_vtd_nesting") },
  ]);
});

test.each([
  ["in_use", "warning"],
  ["backend_unsupported", "problem"],
] as const)("hardware that cannot be asked for %s is a %s with what the kernel said", async (code, verdict) => {
  const error = new BrokerError(code, "VFIO_DEVICE_BIND_IOMMUFD fails (EPERM): allow_unsafe_interrupts");
  const findings = await amiss(goodHost(), { probe: async () => ({ kind: "refused", error }) });
  expect(findings).toMatchObject([{ check: "hardware", verdict, why: error.message }]);
});

test("only devices of viable groups behind that IOMMU are asked", async () => {
  const sysfs = goodHost();
  sysfs.add({ id: "0000:00:03.0", group: 2, driver: "vfio-pci", cdev: "vfio1" });
  sysfs.add({ id: "0000:00:03.1", group: 2, driver: "nvme" });
  sysfs.add({ id: "0000:00:04.0", group: 3, driver: "vfio-pci", cdev: "vfio2", iommu: "smmu3.other" });
  const asked: string[] = [];
  const probe: IommuProbe = (iommu, devices) => {
    asked.push(`${iommu} ${devices.map(({ id }) => id).join(" ")}`);
    return nests(iommu, devices);
  };
  await amiss(sysfs, { probe });
  expect(asked).toEqual(["smmu3.0x0000000009050000 0000:00:02.0", "smmu3.other 0000:00:04.0"]);
});

test("without a probe, asking the daemon is what is advised", async () => {
  expect(await amiss(goodHost(), { probe: undefined })).toMatchObject([
    { check: "hardware", verdict: "warning", remedy: expect.stringContaining("iommuctl doctor") },
  ]);
});

test("a thousand devices in trouble are told as 256, problems first", async () => {
  const sysfs = goodHost();
  for (let group = 10; group < 280; group += 1) {
    sysfs.add({ id: `0000:00:${group}`, group, driver: "vfio-pci" });
  }
  const findings = await examineHost({ files: hostFiles, roots: sysfs.roots, uid: 0, probe: nests });
  expect(findings).toHaveLength(256);
  expect(new Set(findings.map(({ verdict }) => verdict))).toEqual(new Set(["problem"]));
});
