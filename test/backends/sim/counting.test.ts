import { expect, test } from "vitest";
import { NVME } from "../../support/host.ts";
import { BufferFile } from "../../support/memory-file.ts";
import { mapping, smallHost } from "../../support/simulated-host.ts";

const WHERE = { substreamID: undefined, privileged: false, streamIndex: 0 } as const;
const BASE = 0x4000_0000;
/** Within the MSI window, 1 MiB at 0x0800_0000. */
const MSI = { ...WHERE, kind: "write", iova: 0x0800_0040n, data: new Uint8Array(4) } as const;

test("commands that invalidate are counted by name, and those that never came are 0", async () => {
  const backend = smallHost();
  const nvme = backend.inventory.devices().find(({ id }) => id === NVME)!;
  const space = await backend.createAddressSpace();
  const part = await backend.createPart(space, nvme.iommu);
  const count = (command: string) =>
    backend.counters().iommus.find(({ iommu }) => iommu === nvme.iommu)!.invalidations[command]!;
  const before = count("CMD_CFGI_STE");
  await backend.attach(nvme.group, part, "bypass"); // its STE changes
  expect(count("CMD_CFGI_STE")).toBeGreaterThan(before);
  expect(count("CMD_ATC_INV")).toBe(0);
  expect(count("CMD_SYNC")).toBeUndefined();
});

test("a device is counted from its attachment to its release, and a reset empties the log of its messages", async () => {
  const backend = smallHost();
  const nvme = backend.inventory.devices().find(({ id }) => id === NVME)!;
  const space = await backend.createAddressSpace();
  await backend.map(space, [mapping(new BufferFile("/memory/a", 4096), BASE)]);
  const part = await backend.createPart(space, nvme.iommu);
  expect(backend.counters().devices).toEqual([]);
  await backend.attach(nvme.group, part, "bypass");
  const read = (iova: number) => ({ ...WHERE, kind: "read", iova: BigInt(iova), bytes: 8 }) as const;
  await backend.dma(NVME, [read(BASE), read(BASE + 4096), MSI]);
  const faults = [{ type: "F_TRANSLATION", stage: 2, class: "IN", count: 1 }];
  const counted = { device: NVME, translationsOk: 2, translationsFaulted: 1, translationsAborted: 0 };
  expect(backend.counters().devices).toMatchObject([{ ...counted, msis: 1, faults }]);
  await backend.reset(NVME);
  expect(backend.counters().devices).toMatchObject([{ ...counted, msis: 0, faults }]);
  await backend.detach(nvme.group);
  expect(backend.counters().devices).toEqual([]);
});
