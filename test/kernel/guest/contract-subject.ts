// The native backend on the machine's own SMMU, in this process, as the subject of the backend contract.

import { setTimeout as pause } from "node:timers/promises";
import type { DeviceID } from "../../../src/backends/ids.ts";
import type { HostDevice } from "../../../src/backends/inventory.ts";
import { createNativeBackend } from "../../../src/backends/iommufd/backend.ts";
import { scanHost } from "../../../src/backends/iommufd/devices.ts";
import { HOST_ROOTS } from "../../../src/backends/iommufd/host-files.ts";
import { NativeInventory } from "../../../src/backends/iommufd/inventory.ts";
import { deviceProbe } from "../../../src/backends/iommufd/probe.ts";
import { hostFiles } from "../../../src/os/host-files.ts";
import { createNativeKernel, type NativeKernel } from "../../../src/os/native-kernel.ts";
import { Poller } from "../../../src/os/poller.ts";
import { NO_GROUP, NO_HOST_PREVIEW, NO_STAGE2_FAULTS, NO_STALLS } from "../../contract/native-lacks.ts";
import type { ContractSubject, Lacks } from "../../contract/subject.ts";
import type { GuestMachine } from "../kernel-case.ts";
import { ContractMemory } from "./contract-memory.ts";
import { Edu } from "./edu.ts";
import { bindEduDevices } from "./edu-devices.ts";
import { HostMonitor } from "./host-monitor.ts";
import { RAM, withNestParent, writeText } from "./nested.ts";
import { readSTE, streamIDOf } from "./stream-table.ts";

export const MACHINE_LACKS: Lacks = {
  group: NO_GROUP,
  stalls: NO_STALLS,
  hostPreview: NO_HOST_PREVIEW,
  stage2Faults: NO_STAGE2_FAULTS,
};

/** What the devices write. */
const MARK = "mark";
/** Of the guest's clock, which leaps while nothing happens: a fault is told within an interrupt's time. */
const SETTLE_MS = 500;
const LOOK_MS = 5;

export async function machineSubject(machine: GuestMachine): Promise<ContractSubject> {
  preparing ??= prepare();
  await preparing;
  const kernel = sharedKernel();
  const inventory = new NativeInventory(await scanHost(hostFiles, HOST_ROOTS));
  const [single, other] = machine.devices.map(({ address }) => deviceNamed(inventory, address));
  const backend = await createNativeBackend({ kernel, inventory, probe: deviceProbe(kernel, HOST_ROOTS) });
  const ends = new AsyncDisposableStack();
  const memories: ContractMemory[] = [];
  const edus = new Map<DeviceID, Edu>();
  return {
    backend,
    single: single!,
    other: other!,
    means: {
      streamTable: async (device) => readSTE(HostMonitor.get(), streamIDOf(device)),
      dma: async (device, iova) => {
        const edu = edus.get(device) ?? ends.use(Edu.ofAddress(device));
        edus.set(device, edu);
        await edu.write(iova, MARK.length);
        return whereItCame(memories);
      },
    },
    file: (bytes) => {
      const memory = new ContractMemory(bytes);
      ends.defer(() => memory.end());
      memories.push(memory);
      return memory;
    },
    settle: async (isEnough = () => false) => {
      const began = performance.now();
      while (!isEnough() && performance.now() - began < SETTLE_MS) await pause(LOOK_MS);
    },
    end: () => ends.disposeAsync(),
  };
}

let kernelOfAll: NativeKernel | undefined;

/** One for all, for as long as the program runs: its threads take long to start in there. */
function sharedKernel(): NativeKernel {
  kernelOfAll ??= createNativeKernel({
    poller: new Poller((error) => {
      throw error;
    }),
  });
  return kernelOfAll;
}

function deviceNamed(inventory: NativeInventory, address: string): HostDevice {
  const device = inventory.devices().find(({ id }) => id === address);
  if (device === undefined) throw new Error(`the native inventory has no ${address}`);
  return device;
}

let preparing: Promise<void> | undefined;

/** To be called where other cases may have had the devices since. */
export function prepareAnew(): void {
  preparing = undefined;
}

/** The mark outlasts resets and changes of owner: nothing but what a device reads changes its buffer. */
async function prepare(): Promise<void> {
  await withNestParent(bindEduDevices(), async ({ bound, ram }) => {
    writeText(ram, 0, MARK);
    for (const { fd } of bound) {
      using edu = Edu.ofNode(fd);
      await edu.read(RAM.ipa, MARK.length);
    }
  });
}

/** Nobody is told how a device's access ended, or shown what it has read; what it writes can be seen where it lands. */
function whereItCame(memories: readonly ContractMemory[]): string {
  const [landed, ...others] = memories.flatMap((memory) => memory.takeChanges());
  if (landed === undefined) return "nothing came";
  if (landed !== MARK || others.length > 0) throw new Error(`the device wrote ${[landed, ...others]}`);
  return "ok";
}
