// The same ioctls as ioctls.c, by the daemon's own code: a bind as one call of the pool, invalidations as they are made on the
// event loop and in the pool. Only what sets the stage is made by the calls of test/kernel.

import { runBind } from "../../src/backends/iommufd/bind-job.ts";
import { bytesOfPairs } from "../../src/backends/iommufd/doublewords.ts";
import { hwptInvalidate, hwptInvalidateInPool } from "../../src/backends/iommufd/ioctl.ts";
import { createNativeKernel } from "../../src/os/native-kernel.ts";
import { Poller } from "../../src/os/poller.ts";
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

/** Until the code is compiled, once in this process. */
const WARM_UPS = 1500;
const compiled = new Set<string>();

export interface Rounds {
  readonly binds: number;
  readonly batches: number;
}

export async function measureIoctls(device: GuestDevice, { batches, binds }: Rounds): Promise<readonly Figure[]> {
  const poller = new Poller((error) => {
    throw error;
  });
  const kernel = createNativeKernel({ poller });
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
    for (const commands of [1, 64, 1024]) {
      const entries = commandBytes(commands);
      const batch = { target: viommu, dataType: 1, entryBytes: 16, entries };
      const rounds = commands > 64 ? Math.ceil(batches / 8) : batches;
      figures.push(
        await measure(`broker invalidate-${commands}`, rounds, () => {
          hwptInvalidate(file, batch);
          return undefined;
        }),
        await measure(`pool invalidate-${commands}`, rounds, () => hwptInvalidateInPool(file, batch)),
      );
    }
  });
  await kernel.shutDown();
  await poller.close();
  return figures;
}

/** CPU of this process: the pool's threads are in it. */
async function measure(name: string, rounds: number, act: () => Promise<void> | undefined): Promise<Figure> {
  if (!compiled.has(name)) await timed(Math.min(WARM_UPS, 5 * rounds), act);
  compiled.add(name);
  const from = process.cpuUsage();
  for (let done = 0; done < rounds; done++) {
    const waits = act();
    if (waits !== undefined) await waits;
  }
  const { system, user } = process.cpuUsage(from);
  const took = await timed(rounds, act);
  return { name, cpu: ((user + system) * 1000) / rounds, p50: quantile(took, 0.5), p99: quantile(took, 0.99) };
}
