// The guest's reports as the host reads them from the console: strict, for a report that is lost or damaged is a failure.

import { z } from "zod";
import { type CaseReport, MARK } from "./report.ts";

const name = z.string();
const ms = z.number();
const Report = z.discriminatedUnion("outcome", [
  z.object({ outcome: z.literal("passed"), name, ms, told: z.array(z.string()).exactOptional() }),
  z.object({ outcome: z.literal("failed"), name, ms, why: z.string() }),
  z.object({ outcome: z.literal("left-out"), name, missing: z.string() }),
]);

export class Results {
  readonly reports: CaseReport[] = [];
  /** What is wrong besides failed cases. */
  readonly problems: string[] = [];
  #end: number | undefined;

  /** @returns the report in this line of the console, if there is one */
  take(line: string): CaseReport | undefined {
    const at = line.indexOf(MARK.report);
    if (at === -1) {
      if (line.startsWith(MARK.end)) this.#end = Number(line.slice(MARK.end.length));
      return undefined;
    }
    const report = parsed(line.slice(at + MARK.report.length));
    if (report === undefined) this.problems.push(`a damaged report: ${line}`);
    else this.reports.push(report);
    return report;
  }

  /** To be called when the machine is off. */
  close(): void {
    const seen = this.reports.length;
    if (this.#end === undefined) this.problems.push(`the guest ended before its cases did, after ${seen} reports`);
    else if (this.#end !== seen) this.problems.push(`the guest made ${this.#end} reports, and ${seen} arrived`);
  }

  count(outcome: CaseReport["outcome"]): number {
    return this.reports.filter((report) => report.outcome === outcome).length;
  }
}

function parsed(text: string): CaseReport | undefined {
  try {
    return Report.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
