// The guest's program of bench:native, in place of the runner of test/kernel: measures, and prints a line for each figure.

import { spawnSync } from "node:child_process";
import { createNativeKernel } from "../../src/os/native-kernel.ts";
import { Poller } from "../../src/os/poller.ts";
import { bindEduDevices } from "../../test/kernel/guest/edu-devices.ts";
import { end, running } from "../../test/kernel/guest/native-daemon.ts";
import { withDevices } from "../../test/kernel/guest/session.ts";
import { measureDaemon } from "./daemon-part.ts";
import { type Figure, figureLine } from "./figures.ts";
import { measureIoctls } from "./ioctl-part.ts";

const C_PROGRAM = "/app/programs/ioctls";
const REPETITIONS = 3;
const ROUNDS = { binds: 1500, batches: 8000 };

function measureC(cdev: string): readonly Figure[] {
  const { binds, batches } = ROUNDS;
  const { status, stderr, stdout } = spawnSync(C_PROGRAM, [cdev, `${binds}`, `${batches}`], { encoding: "utf8" });
  if (status !== 0) throw new Error(`the C program ended with ${status}: ${stderr}`);
  return stdout
    .trim()
    .split("\n")
    .map((line) => {
      const [name, cpu, p50, p99] = line.split(" ");
      return { name: `c ${name}`, cpu: Number(cpu), p50: Number(p50), p99: Number(p99) };
    });
}

function tell(figures: readonly Figure[]): void {
  for (const figure of figures) process.stdout.write(`${figureLine(figure)}\n`);
}

const devices = bindEduDevices();
const idr = await withDevices(devices, ({ bound }) => bound[0]!.info.idr);
const poller = new Poller((error) => {
  throw error;
});
const kernel = createNativeKernel({ poller });
for (let repetition = 0; repetition < REPETITIONS; repetition++) {
  tell(measureC(devices[0]!.cdev));
  tell(await measureIoctls(kernel, devices[0]!, ROUNDS));
}
await kernel.shutDown();
await poller.close();
const machine = { devices, idr, trials: { seed: 0n, count: 0 } };
await measureDaemon(machine, { binds: 150, batches: 480 }, tell);
await end(await running(machine));
process.exit();
