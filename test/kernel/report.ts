// What the guest says about its cases, a line of the console each. Other lines are the kernel's and the programs'.

export type CaseReport =
  | { readonly outcome: "passed"; readonly name: string; readonly ms: number; readonly told?: readonly string[] }
  | { readonly outcome: "failed"; readonly name: string; readonly ms: number; readonly why: string }
  | { readonly outcome: "left-out"; readonly name: string; readonly missing: string };

/** In front of a report, and of the number of cases when all have been run. */
export const MARK = { report: "@kernel-case ", end: "@kernel-end " } as const;

export function reportLine(report: CaseReport): string {
  return `${MARK.report}${JSON.stringify(report)}`;
}

export function endLine(reports: number): string {
  return `${MARK.end}${reports}`;
}
