import { describe, expect, test } from "vitest";
import type { FaultNotice, Notice } from "../../../src/backends/faults.ts";
import { turn } from "../../support/host.ts";
import { smallHost } from "../../support/simulated-host.ts";

const WHERE = { substreamID: undefined, privileged: false, streamIndex: 0 } as const;

describe("an event queue that overflows", () => {
  test("is told to the operator and marks every attached device behind that SMMU", async () => {
    const backend = smallHost();
    const heard: Notice[] = [];
    const faults: FaultNotice[] = [];
    backend.onNotice((notice) => heard.push(notice));
    backend.onFault((notice) => faults.push(notice));
    const devices = backend.inventory.devices();
    const part = await backend.createPart(await backend.createAddressSpace(), devices[0]!.iommu);
    for (const { group } of devices) await backend.attach(group, part, "bypass");
    // Each master looks at the queue before it acts; eleven hundred that look in one turn all find it empty.
    const one = [{ ...WHERE, kind: "read" as const, iova: 0n, bytes: 1 }];
    await Promise.all(Array.from({ length: 1100 }, (_, index) => backend.dma(devices[index % 2]!.id, one)));
    for (let count = 0; count < 4; count += 1) await turn();
    expect(backend.counters().iommus[0]).toMatchObject({ eventsRecorded: 1024, eventsDropped: 76 });
    const overflows = faults.filter(({ kind }) => kind === "overflow");
    expect(overflows).toEqual([{ kind: "overflow", devices: devices.map(({ id }) => id) }]);
    expect(heard).toEqual([
      { level: "warn", message: "the event queue overflowed: events are lost", facts: { iommu: "smmu0" } },
    ]);
    expect(faults.filter(({ kind }) => kind === "fault")).toHaveLength(1024);
  });
});
