// The guest's program: gives the devices to vfio-pci, runs the cases and reports each on the console.

import { readFileSync } from "node:fs";
import { cases } from "../cases/all-cases.ts";
import { unreachable } from "../cases/unreachable.ts";
import type { Orders } from "../initrd.ts";
import { type CaseReport, endLine, reportLine } from "../report.ts";
import { runCases } from "../runner.ts";
import { bindEduDevices } from "./edu-devices.ts";
import { withDevices } from "./session.ts";

const orders: Orders = JSON.parse(readFileSync("/app/orders.json", "utf8"));

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

const devices = bindEduDevices();
const idr = await withDevices(devices, ({ bound }) => bound[0]!.info.idr);
const report = (each: CaseReport): void => {
  print(reportLine(each));
  if (each.outcome === "failed") process.exitCode = 1;
};
const trials = { seed: BigInt(orders.seed), count: orders.trials };
const { noQemu } = orders;
const reports = await runCases({ devices, idr, trials, noQemu }, { cases, unreachable, wanted: orders.cases, report });
print(endLine(reports));
// What a failed case left running must not keep the machine on.
process.exit();
