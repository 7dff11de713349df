// Of the SMMUs' own counters, where the host has any: whether this process may read them. Tries each group and lets it go.
// Source: perf_event_open(2); Linux Documentation/admin-guide/perf-security.rst.

import type { HostFinding } from "../host-finding.ts";
import { ok } from "./doctor-host.ts";
import { errnoName } from "./errno.ts";
import type { HostFiles, HostRoots } from "./host-files.ts";
import type { PerfEvents } from "./perf-events.ts";
import { findPmcgs } from "./pmcg.ts";

export async function counterFindings(
  files: HostFiles,
  roots: HostRoots,
  perf: PerfEvents | undefined,
): Promise<readonly HostFinding[]> {
  if (perf === undefined) return [];
  return (await findPmcgs(files, roots)).map(({ events, name }): HostFinding => {
    const [event] = events.values();
    if (event === undefined) return unread(name, "it counts nothing that is known here", "none on this hardware");
    const fd = perf.open(event);
    if (fd < 0) return unread(name, `it cannot be opened (${errnoName(-fd)})`, remedyOf(errnoName(-fd)));
    perf.close(fd);
    return ok("translation_counters", name, "transactions, TLB and configuration misses and walks can be counted");
  });
}

function unread(subject: string, what: string, remedy: string): HostFinding {
  const why = "what an SMMU translates is not in the metrics: iommu_translation_counters_available is 0";
  return { check: "translation_counters", subject, verdict: "warning", what, why, remedy };
}

function remedyOf(errno: string): string {
  if (errno !== "EACCES" && errno !== "EPERM") return "look into the kernel's log, then start the daemon again";
  return "give the daemon CAP_PERFMON, or set kernel.perf_event_paranoid to 0 or less; the systemd unit takes its drop-in counters.conf for either";
}
