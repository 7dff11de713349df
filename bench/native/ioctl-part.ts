// The same ioctls as ioctls.c, by the daemon's own code: a bind as one call of the pool, invalidations as they are made on the
// event loop and in the pool. Only what sets the stage is made by the calls of test/kernel.

import { runBind } from "../../src/backends/iommufd/bind-job.ts";
import { bytesOfPairs } from "../../src/backends/iommufd/doublewords.ts";
import { hwptInvalidate, hwptInvalidateInPool } from "../../src/backends/iommufd/ioctl.ts";
import type { Kernel } from "../../src/backends/iommufd/kernel.ts";
import {
  allocateAddressSpace,
  allocateNestParent,
  allocateVirtualDevice,
  allocateVirtualIommu,
  attachDevice,
} from "../../test/kernel/guest/iommufd.ts";
import { withDevices } from "../../test/kernel/guest/session.ts";
import type { GuestDevice } from "../../test/kernel/kernel-case.ts";
import { quantile } from "../quantiles.ts";
import { commandBytes, type Figure, timed } from "./figures.ts";

/** V, Config 0b101, a pointer; S1CIR and S1COR Write-Back, S1CSH Inner Shareable (IHI 0070G.b §5.2). */
const STE = { dword0: 0x4001_000bn, dword1: 0xd4n };

/** Of the batches, by their commands: the short ones are made often enough for V8 to compile all of them. */
const SHARE = { 1: 1, 64: 4, 1024: 32 } as const;

/** Repetitions that are not measured, once in this process, and when they are enough. */
const WARM_UPS_MAX = 12;
const STABLE_AFTER = 3;
const GAIN = 0.97;
const compiled = new Set<string>();

export interface Rounds {
  readonly binds: number;
  readonly batches: number;
}

/** @param kernel  the same for all repetitions: a new one's threads start, and compile their code, at the cost of the first calls */
export async function measureIoctls(
  kernel: Kernel,
  device: GuestDevice,
  { batches, binds }: Rounds,
): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  await withDevices([device], async ({ bound, iommufd }) => {
    const [{ deviceID, fd }] = [bound[0]!];
    const parent = allocateNestParent(iommufd, deviceID, allocateAddressSpace(iommufd));
    attachDevice(fd, parent);
    const viommu = allocateVirtualIommu(iommufd, deviceID, parent);
    allocateVirtualDevice(iommufd, { virtualIommu: viommu, deviceID, virtualStreamID: 1 });
    const file = { kernel, fd: iommufd };
    let before: number | undefined;
    const bind = async (): Promise<void> => {
      const hwpt = { kind: "arm_smmuv3", viommu, ste: bytesOfPairs([STE]) } as const;
      const job = { iommufd: file, cdev: { kernel, fd }, device: deviceID, hwpt, name: undefined, before };
      const { error, nested } = await runBind(job);
      if (error !== undefined) throw error;
      before = nested;
    };
    figures.push(await measure("broker bind", binds, bind));
    for (const commands of [1, 64, 1024] as const) {
      const entries = commandBytes(commands);
      const batch = { target: viommu, dataType: 1, entryBytes: 16, entries };
      const rounds = Math.ceil(batches / SHARE[commands]);
      figures.push(
        await measure(`broker invalidate-${commands}`, rounds, () => {
          hwptInvalidate(file, batch);
          return undefined;
        }),
        await measure(`pool invalidate-${commands}`, Math.min(rounds, binds), () => hwptInvalidateInPool(file, batch)),
      );
    }
  });
  return figures;
}

/** CPU of this process: the pool's threads are in it, and what V8's own threads do for it. */
async function measure(name: string, rounds: number, act: () => Promise<void> | undefined): Promise<Figure> {
  if (!compiled.has(name)) await warmUp(rounds, act);
  compiled.add(name);
  const from = process.cpuUsage();
  await repeat(rounds, act);
  const { system, user } = process.cpuUsage(from);
  const took = await timed(rounds, act);
  return { name, cpu: ((user + system) * 1000) / rounds, p50: quantile(took, 0.5), p99: quantile(took, 0.99) };
}

/** A daemon runs for weeks and a C program is compiled: so nothing is measured before three repetitions in a row bring no gain. */
async function warmUp(rounds: number, act: () => Promise<void> | undefined): Promise<void> {
  let best = Number.POSITIVE_INFINITY;
  let without = 0;
  for (let done = 0; done < WARM_UPS_MAX && without < STABLE_AFTER; done++) {
    const from = process.hrtime.bigint();
    await repeat(rounds, act);
    const took = Number(process.hrtime.bigint() - from);
    without = took < best * GAIN ? 0 : without + 1;
    best = Math.min(best, took);
  }
}

async function repeat(rounds: number, act: () => Promise<void> | undefined): Promise<void> {
  for (let done = 0; done < rounds; done++) {
    const waits = act();
    if (waits !== undefined) await waits;
  }
}
