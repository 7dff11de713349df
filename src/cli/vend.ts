// iommuctl vend: a device for a VMM that makes the kernel's calls itself, as QEMU and Cloud Hypervisor do when they are given
// descriptors. The session lives with this process, so it stays as the VMM's parent; Node cannot become another program.

import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync } from "node:fs";
import { constants } from "node:os";
import type { Command } from "commander";
import type { BrokerSession, DeviceFile } from "../client/client.ts";
import { deviceName } from "./argument-values.ts";
import { addTargetOptions, type ConnectionOptions, withBroker } from "./connection.ts";
import { describeFailure, EXIT, UsageError } from "./failure.ts";
import type { Surroundings } from "./program.ts";
import { type Lesson, taught } from "./teaching.ts";

interface VendOptions extends ConnectionOptions {
  readonly name: string;
  readonly bound?: boolean;
}

/** Of the VMM: beyond what a shell redirects by hand, and the same each time. */
const IOMMUFD = 22;
const DEVICE = 23;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR2"] as const;
/** What a shell adds to the number of the signal that ended a command. */
const SIGNALLED = 128;

const LESSON: Lesson = {
  summary: "Runs a VMM of today with a device and an iommufd, and gives the device back when it ends.",
  text: [
    `The device must be nobody's and alone in its IOMMU group. A session is opened for it, the device is vended, and the command is started with descriptor ${IOMMUFD} an iommufd and ${DEVICE} the device's node, not bound yet unless --bound says so. In the command's arguments {iommufd} and {device} stand for these numbers. iommuctl stays as its parent, passes signals on, and exits with its code (128 and the signal's number where it was killed). If iommuctl is killed the device leaves the session, whatever the command still does: it must be ended too before the device is free.`,
  ],
  examples: [
    [
      "iommuctl vend 0000:01:00.0 -- qemu-system-aarch64 -object iommufd,id=iommufd0,fd={iommufd} -device vfio-pci,fd={device},iommufd=iommufd0",
      "QEMU, with whatever else it takes; iommuctl render qemu --vended prints these arguments",
    ],
    ["iommuctl vend 0000:01:00.0 -- ls -l /proc/self/fd", "see what a VMM would be given"],
  ],
  exit: `the command's own; ${EXIT.USAGE} where it cannot be started`,
  seeAlso: ["devices", "render", "attach"],
};

/** @param exit  is told the exit code */
export function addVend(program: Command, surroundings: Surroundings, exit: (code: number) => void): void {
  const vend = taught(program.command("vend"), LESSON)
    .argument("<device>", 'the device: "0000:01:00.0" or "devices/0000:01:00.0"')
    .argument("<command...>", "what to run, after --")
    .option("--name <name>", "shown to others as the device's owner", "iommuctl vend")
    .option("--bound", "bind the node to the iommufd already, for a command that does not do it itself");
  addTargetOptions(vend).action(async (device: string, command: readonly string[], options: VendOptions) => {
    const name = deviceName(device);
    exit(
      await withBroker(options, surroundings.environment, async (client) => {
        const session = await client.openSession({ displayName: options.name });
        try {
          return await runWith(session, { name, command, bound: options.bound ?? false });
        } finally {
          await session.close().catch((error: unknown) => surroundings.err(`iommuctl: ${describeFailure(error)}\n`));
        }
      }),
    );
  });
}

interface Vending {
  readonly name: string;
  readonly command: readonly string[];
  readonly bound: boolean;
}

/** The VMM's copies are the only ones while it runs: what it closes is closed. */
async function runWith(session: BrokerSession, { bound, command, name }: Vending): Promise<number> {
  const { files } = await session.vendDevice(name, { bound });
  let child: ChildProcess;
  try {
    child = await started(command, files);
  } finally {
    for (const { fd } of files) closeSync(fd);
  }
  return await ended(child);
}

async function started(command: readonly string[], files: readonly DeviceFile[]): Promise<ChildProcess> {
  const [program = "", ...rest] = command;
  const numbers = rest.map((word) => word.replaceAll("{iommufd}", `${IOMMUFD}`).replaceAll("{device}", `${DEVICE}`));
  const child = spawn(program, numbers, { stdio: stdioOf(files) });
  try {
    await once(child, "spawn");
  } catch (error) {
    throw new UsageError(`${program} cannot be started: ${error instanceof Error ? error.message : String(error)}`);
  }
  child.on("error", () => {}); // a signal that found nobody
  return child;
}

/** Between the standard streams and the two is /dev/null. */
function stdioOf(files: readonly DeviceFile[]): StdioOptions {
  const numberOf = (kind: string): number => {
    const file = files.find(({ label }) => label.endsWith(kind));
    if (file === undefined) throw new UsageError(`the broker passed no ${kind}: it may be of another version`);
    return file.fd;
  };
  return Array.from({ length: DEVICE + 1 }, (_, fd): "inherit" | "ignore" | number => {
    if (fd === IOMMUFD) return numberOf("iommufd");
    if (fd === DEVICE) return numberOf("cdev");
    return fd < 3 ? "inherit" : "ignore";
  });
}

async function ended(child: ChildProcess): Promise<number> {
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
  for (const signal of SIGNALS) process.on(signal, pass);
  try {
    const isOver = child.exitCode !== null || child.signalCode !== null;
    if (!isOver) await new Promise((resolve) => child.once("exit", resolve));
    const { exitCode, signalCode } = child;
    return exitCode ?? SIGNALLED + (signalCode === null ? 0 : constants.signals[signalCode]);
  } finally {
    for (const signal of SIGNALS) process.off(signal, pass);
  }
}
