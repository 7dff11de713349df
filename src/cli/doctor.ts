// iommuctl doctor: what the broker's host can do for guests, what not, and how to mend it, as the running daemon found it.
// A host without a running daemon is examined by iommu-brokerd --doctor: this program knows no device and no sysfs.

import type { Command } from "commander";
import { BackendKind, FindingVerdict, type HostFinding } from "../client/client.ts";
import { addTargetOptions, type ConnectionOptions, withBroker } from "./connection.ts";
import type { Surroundings } from "./program.ts";
import { type Lesson, taught } from "./teaching.ts";
import { paintOf, printable, type Terminal, wrapped } from "./terminal.ts";

interface DoctorOptions extends ConnectionOptions {
  readonly json?: boolean;
}

const LESSON: Lesson = {
  summary: "Says what the broker's host can do for guests, what not, and how to mend it.",
  text: ["Where no broker runs, iommu-brokerd --doctor examines the host by itself."],
  examples: [
    ["iommuctl doctor", "what was found when the daemon last looked"],
    ["iommuctl doctor --json | jq '.findings[] | select(.verdict != \"ok\")'", "only what is amiss"],
  ],
  json: '{"findings": [{"check", "subject", "verdict": "ok" | "warning" | "problem", "what", "why", "remedy"}]}',
  exit: "0 nothing is amiss, 1 something is left out, 2 something stands in the way",
  seeAlso: ["capabilities"],
};

/** @param exit  is told the exit code */
export function addDoctor(program: Command, surroundings: Surroundings, exit: (code: number) => void): void {
  const command = taught(program.command("doctor"), LESSON).option("--json", "print the findings as JSON");
  addTargetOptions(command).action(async (options: DoctorOptions) => {
    const { environment, out, terminal } = surroundings;
    const { backend, findings } = await withBroker(options, environment, (client) => client.getCapabilities({}));
    const isSimulated = backend === BackendKind.BACKEND_KIND_SIMULATED;
    out(options.json === true ? findingsJson(findings) : findingsText(findings, isSimulated, terminal));
    exit(exitOf(findings));
  });
}

const NAMES = new Map([
  [FindingVerdict.FINDING_VERDICT_OK, "ok"],
  [FindingVerdict.FINDING_VERDICT_WARNING, "warning"],
  [FindingVerdict.FINDING_VERDICT_PROBLEM, "problem"],
]);
const COLOURS = { ok: "green", warning: "yellow", problem: "red" } as const;
const UNTOLD_COLUMNS = 100;

export function exitOf(findings: readonly HostFinding[]): 0 | 1 | 2 {
  if (findings.some(({ verdict }) => verdict === FindingVerdict.FINDING_VERDICT_PROBLEM)) return 2;
  return findings.some(({ verdict }) => verdict === FindingVerdict.FINDING_VERDICT_WARNING) ? 1 : 0;
}

function findingsJson(findings: readonly HostFinding[]): string {
  const named = findings.map((finding) => ({ ...finding, verdict: NAMES.get(finding.verdict) ?? "unknown" }));
  return `${JSON.stringify({ findings: named }, undefined, 2)}\n`;
}

export function findingsText(findings: readonly HostFinding[], isSimulated: boolean, terminal: Terminal): string {
  if (findings.length === 0) {
    return isSimulated
      ? "The broker runs the simulated backend, which asks nothing of its host.\n"
      : "The broker has not examined its host.\n";
  }
  const paint = paintOf(terminal);
  const columns = (terminal.columns ?? UNTOLD_COLUMNS) - 10;
  const indented = (text: string): string[] => wrapped(printable(text), columns).map((line) => `          ${line}`);
  const lines = findings.flatMap(({ check, remedy, subject, verdict, what, why }) => {
    const name = NAMES.get(verdict);
    const mark = name === undefined ? "unknown" : paint(name, keyOf(name));
    const head = printable(`${check}${subject === "" ? "" : ` ${subject}`}: ${what}`);
    const pad = " ".repeat(Math.max(1, 10 - (name ?? "unknown").length));
    return [
      `${mark}${pad}${head}`,
      ...(why === "" ? [] : indented(why)),
      ...(remedy === "" ? [] : indented(`→ ${remedy}`)),
    ];
  });
  return `${lines.join("\n")}\n`;
}

function keyOf(name: string): (typeof COLOURS)[keyof typeof COLOURS] {
  return name === "ok" ? COLOURS.ok : name === "warning" ? COLOURS.warning : COLOURS.problem;
}
