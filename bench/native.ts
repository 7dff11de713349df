// npm run bench:native: what the native backend costs on a real kernel, in the virtual machine of test:kernel, against a C program
// that makes the same ioctls in the same run (bench/native/ioctls.c, cross-compiled), and StreamInvalidations against unary calls
// there and, over the simulated backend, on this host. Prints ratios, and whether the goal is met.
// The machine's clock counts its instructions, 4 ns each, of both its processors together: its nanoseconds are instructions.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { boot } from "../test/kernel/machine.ts";
import { prepare } from "../test/kernel/prepare.ts";
import { orUnavailable, Unavailable } from "../test/kernel/unavailable.ts";
import { crossCompile } from "./native/cross-compile.ts";
import { type Figure, figureOf } from "./native/figures.ts";
import { measureSimulated } from "./native/simulated-part.ts";
import { median } from "./quantiles.ts";

const GOAL = 1.5;
const BOOT_MS = 1_800_000;
const COMPILER_REMEDY = "install gcc-aarch64-linux-gnu and libc6-dev-arm64-cross";
const SIZES = ["invalidate-1", "invalidate-64", "invalidate-1024"] as const;

/** What may sleep, and so goes to a thread; by which of the broker's ways. */
const HANDED = [
  ["bind", "broker bind"],
  ["invalidate-1", "pool invalidate-1"],
  ["invalidate-1024", "pool invalidate-1024"],
] as const;

const { values } = parseArgs({
  options: {
    "host-only": { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
  },
});

async function measureGuest(folder: string): Promise<readonly Figure[]> {
  const program = join(folder, "ioctls");
  const source = join(import.meta.dirname, "native/ioctls.c");
  await orUnavailable("a C compiler for arm64", COMPILER_REMEDY, () => crossCompile(source, program, console.log));
  const machine = await prepare(
    { cases: [], seed: "0", trials: 0, programs: [program] },
    { work: folder, withQemu: false },
    console.log,
  );
  const figures: Figure[] = [];
  const others: string[] = [];
  const onLine = (line: string): void => {
    if (values.verbose) console.log(`    ${line}`);
    const figure = figureOf(line);
    if (figure === undefined) others.push(line);
    else figures.push(figure);
  };
  // On one processor: of two, each would be charged for the time in which the other was emulated.
  const kernelArgs = "iommu_e2e_program=bench/native/guest.js maxcpus=1";
  await boot(machine.tools, { ...machine, kernelArgs, timeoutMs: BOOT_MS, onLine });
  if (!others.includes("@kernel-exit 0")) {
    const said = others.filter((line) => !/^\[ *\d+\.\d+\]/.test(line)); // the kernel's own lines
    throw new Error(`the guest failed:\n${said.slice(-40).join("\n")}`);
  }
  return figures;
}

/** The median of what was measured several times. */
function figureNamed(figures: readonly Figure[], name: string): Figure {
  const all = figures.filter((figure) => figure.name === name);
  if (all.length === 0) throw new Error(`nothing measured ${name}`);
  const of = (key: "cpu" | "p50" | "p99"): number => median(all.map((figure) => figure[key]));
  return { name, cpu: of("cpu"), p50: of("p50"), p99: of("p99") };
}

const us = (nanoseconds: number): string => `${(nanoseconds / 1000).toFixed(1)} µs`.padStart(12);
const times = (ratio: number): string => `${ratio.toFixed(2)} ×`.padStart(8);

function tellGuest(figures: readonly Figure[]): void {
  const of = (name: string): Figure => figureNamed(figures, name);
  console.log("\nin the virtual machine, CPU of the ioctls against C:");
  for (const what of ["bind", ...SIZES]) {
    const [c, broker] = [of(`c ${what}`), of(`broker ${what}`)];
    const ratio = broker.cpu / c.cpu;
    const verdict = `${ratio <= GOAL ? "meets" : "misses"} ${GOAL}`;
    console.log(`  ${what.padEnd(16)} C ${us(c.cpu)}  broker ${us(broker.cpu)} ${times(ratio)}  ${verdict}`);
  }
  for (const what of SIZES) {
    const [c, pool] = [of(`c ${what}`), of(`pool ${what}`)];
    console.log(`  ${what.padEnd(16)} in the pool              ${us(pool.cpu)} ${times(pool.cpu / c.cpu)}`);
  }
  console.log("\nthe same against C that has them made by a thread of its own, as the daemon must:");
  for (const [what, by] of HANDED) {
    const [c, broker] = [of(`c ${what}-handed`), of(by)];
    console.log(`  ${what.padEnd(16)} C ${us(c.cpu)}  broker ${us(broker.cpu)} ${times(broker.cpu / c.cpu)}`);
  }
  const bind = of("rpc bind");
  console.log(
    `\n  BindGuestStage, CPU of the daemon ${us(bind.cpu)}  ${times(bind.cpu / of("c bind").cpu)} the ioctls in C`,
  );
  console.log("\nin the virtual machine, from call to answer (p50, p99), CPU of the daemon:");
  for (const what of SIZES) {
    for (const way of ["c", "unary", "stream", "ahead"] as const) tellWay(of(`${way} ${what}`), of(`c ${what}`));
  }
}

function tellWay({ cpu, name, p50, p99 }: Figure, direct: Figure): void {
  console.log(`  ${name.padEnd(26)} ${us(p50)} ${us(p99)} ${us(cpu)}  ${times(p50 / direct.p50)} the direct ioctl`);
}

function tellHost(figures: readonly Figure[]): void {
  console.log("\non this host, simulated backend (p50, p99), CPU of the daemon; ratios to a unary call:");
  for (const what of SIZES) {
    const unary = figureNamed(figures, `unary ${what}`);
    for (const way of ["unary", "stream", "ahead"] as const) {
      const { cpu, name, p50, p99 } = figureNamed(figures, `${way} ${what}`);
      const ratios = `${times(p50 / unary.p50)} in time, ${times(cpu / unary.cpu)} in CPU`;
      console.log(`  ${name.padEnd(26)} ${us(p50)} ${us(p99)} ${us(cpu)}  ${ratios}`);
    }
  }
}

const folder = mkdtempSync(join(tmpdir(), "iommu-broker-bench-native-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(1));
try {
  if (!values["host-only"]) tellGuest(await measureGuest(folder));
} catch (error) {
  if (!(error instanceof Unavailable)) throw error;
  console.log(`the part in the virtual machine is skipped: ${error.message}`);
}
tellHost(await measureSimulated());
