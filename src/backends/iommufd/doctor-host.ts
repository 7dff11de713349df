// Of the host as a whole: its kernel, its IOMMU, the iommufd node, the limit on locked memory, isolation of interrupts.

import type { HostCheck, HostFinding } from "../host-finding.ts";
import type { HostScan } from "./devices.ts";
import { type HostFiles, type HostRoots, readText } from "./host-files.ts";
import { lacks, parseKernelVersion } from "./kernel-versions.ts";

/** Bit of a set of capabilities. Source: Linux, uapi/linux/capability.h. */
const CAP_IPC_LOCK = 14n;

export interface HostLook {
  readonly files: HostFiles;
  readonly roots: HostRoots;
  readonly uid: number;
  readonly scan: HostScan;
}

export async function hostFindings(look: HostLook): Promise<readonly HostFinding[]> {
  return [
    await kernelVersion(look),
    iommuPresent(look.scan),
    await iommufdNode(look),
    await memlock(look),
    await unsafeInterrupts(look),
  ];
}

/** Nothing amiss. */
export function ok(check: HostCheck, subject: string, what: string): HostFinding {
  return { check, subject, verdict: "ok", what, why: "", remedy: "" };
}

async function kernelVersion({ files, roots }: HostLook): Promise<HostFinding> {
  const check = "kernel_version";
  const release = await releaseOf(files, roots);
  const version = parseKernelVersion(release ?? "");
  if (version === undefined) {
    return {
      check,
      subject: "",
      verdict: "warning",
      what: `the kernel's version is not known (${release ?? "not told"})`,
      why: "what it can do shows only when it is asked",
      remedy: "mount /proc for the daemon",
    };
  }
  const { isUsable, missing } = lacks(version);
  const what = `Linux ${release}`;
  if (missing.length === 0) return ok(check, "", what);
  return {
    check,
    subject: "",
    verdict: isUsable ? "warning" : "problem",
    what,
    why: `by its version it lacks ${missing.join("; ")}`,
    remedy: isUsable ? "run a newer kernel for what is missing" : "run Linux 6.6 or newer, better 6.15",
  };
}

/** A kernel without sysctl has /proc/version alone: "Linux version 7.3.4 (…". */
async function releaseOf(files: HostFiles, { proc }: HostRoots): Promise<string | undefined> {
  const told = await readText(files, `${proc}/sys/kernel/osrelease`);
  if (told !== undefined) return told;
  return /^Linux version (\S+)/.exec((await readText(files, `${proc}/version`)) ?? "")?.[1];
}

function iommuPresent({ groups, iommus }: HostScan): HostFinding {
  const check = "iommu_present";
  if (groups.length > 0) return ok(check, "", `${iommus.length} IOMMU(s), ${groups.length} group(s) of devices`);
  const found = iommus.length === 0 ? "no IOMMU" : `${iommus.join(", ")} with no device behind`;
  return {
    check,
    subject: "",
    verdict: "problem",
    what: `the kernel shows ${found}`,
    why: "nothing keeps a device's DMA apart from the host's memory",
    remedy:
      "switch it on in the firmware (VT-d, AMD-Vi, SMMU), boot with intel_iommu=on where VT-d needs it, and build the kernel with the IOMMU's driver (CONFIG_ARM_SMMU_V3, CONFIG_INTEL_IOMMU, CONFIG_AMD_IOMMU)",
  };
}

async function iommufdNode({ files, roots, uid }: HostLook): Promise<HostFinding> {
  const node = `${roots.dev}/iommu`;
  const errno = await files.access(node);
  if (errno === undefined) return ok("iommufd_node", node, "can be opened");
  const base = { check: "iommufd_node", subject: node, verdict: "problem" } as const;
  if (errno === "ENOENT") {
    return {
      ...base,
      what: "there is none",
      why: "the native backend works through iommufd alone",
      remedy:
        "load the module (modprobe iommufd), or run a kernel built with CONFIG_IOMMUFD; in a container, pass the node in",
    };
  }
  return {
    ...base,
    what: `uid ${uid} cannot read and write it (${errno})`,
    why: "the native backend works through iommufd alone",
    remedy: "give the daemon's group the node by a udev rule (docs/native.md), or run it as root",
  };
}

/**
 * iommufd counts what a user has pinned against this limit, unless whoever maps has CAP_IPC_LOCK, for which the kernel asks
 * the initial user namespace (capable(), Linux iommufd/pages.c).
 */
async function memlock({ files, roots }: HostLook): Promise<HostFinding> {
  const limits = await readText(files, `${roots.proc}/self/limits`);
  const [, soft] = /^Max locked memory\s+(\d+|unlimited)\s/m.exec(limits ?? "") ?? [];
  if (soft === "unlimited") return ok("memlock", "", "locked memory is not limited");
  const what = soft === undefined ? "the limit is not known" : `at most ${soft} bytes of locked memory`;
  if (await mayLockAnything(files, roots)) return ok("memlock", "", `${what}, which CAP_IPC_LOCK lifts`);
  return {
    check: "memlock",
    subject: "",
    verdict: "warning",
    what,
    why: "guest memory that devices reach is pinned and counted against it: mapping a larger guest fails with ENOMEM",
    remedy: "LimitMEMLOCK=infinity in the daemon's unit, or ulimit -l unlimited before it starts; quotas bound VMMs",
  };
}

/** A kernel without user namespaces has no uid_map; the initial one maps every uid to itself. */
async function mayLockAnything(files: HostFiles, roots: HostRoots): Promise<boolean> {
  const status = await readText(files, `${roots.proc}/self/status`);
  const [, effective = "0"] = /^CapEff:\s+([0-9a-f]{1,16})$/m.exec(status ?? "") ?? [];
  if (((BigInt(`0x${effective}`) >> CAP_IPC_LOCK) & 1n) === 0n) return false;
  const uidMap = await readText(files, `${roots.proc}/self/uid_map`);
  return uidMap === undefined || /^\s*0\s+0\s+4294967295\s*$/.test(uidMap);
}

async function unsafeInterrupts({ files, roots }: HostLook): Promise<HostFinding> {
  const path = `${roots.sys}/module/iommufd/parameters/allow_unsafe_interrupts`;
  const value = await readText(files, path);
  if (value !== "Y" && value !== "1") return ok("unsafe_interrupts", "", "devices need isolated interrupts");
  return {
    check: "unsafe_interrupts",
    subject: "",
    verdict: "warning",
    what: "iommufd.allow_unsafe_interrupts is on",
    why: "a guest's device can raise interrupts that are others', the host's included",
    remedy:
      "switch it off where the platform isolates MSIs (interrupt remapping, GIC ITS); keep it for trusted guests only",
  };
}
