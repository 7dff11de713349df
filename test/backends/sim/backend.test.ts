import { expect, test } from "vitest";
import { NVME, refusal } from "../../support/host.ts";
import { BufferFile } from "../../support/memory-file.ts";
import { mapping, smallHost } from "../../support/simulated-host.ts";

const BASE = 0x4000_0000;
const WHERE = { substreamID: undefined, privileged: false, streamIndex: 0 } as const;

test("a batch whose last file finds no room maps nothing of the others", async () => {
  const backend = smallHost();
  const [nvme] = backend.inventory.devices().filter(({ id }) => id === NVME);
  const space = await backend.createAddressSpace();
  const part = await backend.createPart(space, nvme!.iommu);
  await backend.attach(nvme!.group, part, "bypass");
  const [small, huge] = [new BufferFile("/memory/small", 4096), new BufferFile("/memory/huge", 0)];
  huge.grow(2 ** 48);
  const error = await refusal(() =>
    backend.map(space, [mapping(small, BASE), mapping(huge, 2 ** 30, 2 ** 48 - 2 ** 31)]),
  );
  expect(error.code).toBe("limit_reached");
  expect([small.references, huge.references]).toEqual([1, 1]);
  const [outcome] = await backend.dma(NVME, [{ ...WHERE, kind: "read", iova: BigInt(BASE), bytes: 8 }]);
  expect(outcome!.end).toBe("abort");
});
