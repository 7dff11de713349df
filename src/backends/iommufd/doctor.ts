// What this host can do for guests and what it cannot, each with how to mend it. Reads sysfs, procfs and permissions through
// its port, and asks the hardware through a probe; changes nothing itself. doctor-host.ts, doctor-devices.ts and
// doctor-hardware.ts have the checks.

import type { HostFinding } from "../host-finding.ts";
import { scanHost } from "./devices.ts";
import { deviceFindings } from "./doctor-devices.ts";
import { hardwareFindings, type IommuProbe } from "./doctor-hardware.ts";
import { hostFindings } from "./doctor-host.ts";
import type { HostFiles, HostRoots } from "./host-files.ts";

/** More than anybody reads: a host with a thousand devices in the same trouble says so often enough. */
const FINDINGS_MAX = 256;

export interface Examination {
  readonly files: HostFiles;
  readonly roots: HostRoots;
  /** Whose permissions are looked at: this process's own, which the port answers for. */
  readonly uid: number;
  /** Undefined: the hardware is not asked. */
  readonly probe: IommuProbe | undefined;
  /** What was found of the SMMUs' own counters (doctor-counters.ts), which is tried once: to open one may sleep. */
  readonly counters?: readonly HostFinding[];
}

/** In a fixed order: the host, its devices, its hardware. */
export async function examineHost(examination: Examination): Promise<readonly HostFinding[]> {
  const { counters = [], files, probe, roots, uid } = examination;
  const scan = await scanHost(files, roots);
  const findings = [
    ...(await hostFindings({ files, roots, uid, scan })),
    ...(await deviceFindings({ files, uid, scan })),
    ...(await hardwareFindings(scan, probe)),
    ...counters,
  ];
  if (findings.length <= FINDINGS_MAX) return findings;
  const worst = [...findings].sort((one, other) => WEIGHT[other.verdict] - WEIGHT[one.verdict]);
  return worst.slice(0, FINDINGS_MAX);
}

const WEIGHT = { ok: 0, warning: 1, problem: 2 } as const;

/** 0: nothing amiss; 1: something is left out; 2: something stands in the way. */
export function exitCodeOf(findings: readonly HostFinding[]): 0 | 1 | 2 {
  if (findings.some(({ verdict }) => verdict === "problem")) return 2;
  return findings.some(({ verdict }) => verdict === "warning") ? 1 : 0;
}
