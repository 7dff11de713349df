// The findings of an examination as the lines that iommu-brokerd --doctor prints, and as JSON.

import type { HostFinding } from "../backends/host-finding.ts";

/** A line for each, and beneath what is amiss why it matters and what to do. */
export function doctorLines(findings: readonly HostFinding[]): readonly string[] {
  return findings.flatMap(({ check, remedy, subject, verdict, what, why }) => [
    `${verdict.padEnd(9)} ${check}${subject === "" ? "" : ` ${subject}`}: ${what}`,
    ...(why === "" ? [] : [`          ${why}`]),
    ...(remedy === "" ? [] : [`          → ${remedy}`]),
  ]);
}

/** As iommuctl doctor --json has them. */
export function doctorJson(findings: readonly HostFinding[]): string {
  return JSON.stringify({ findings }, undefined, 2);
}
