import { describe, expect, test } from "vitest";
import { iommuID } from "../../../src/backends/ids.ts";
import { createSimulatedBackend } from "../../../src/backends/sim/backend.ts";
import { createCore } from "../../../src/server/core/create-core.ts";
import { entriesOf } from "../../support/faults.ts";
import {
  attach,
  FAR,
  FakeProcesses,
  guest,
  NVME,
  refusal,
  SMMU0,
  SMMU1,
  TEST_LIMITS,
  TRIPLE,
  TWO_SMMUS,
  testHost,
  turn,
} from "../../support/host.ts";
import { ANYBODY } from "../../support/policy.ts";

describe("queries", () => {
  test("devices are listed in order of id, with what the host says of them", () => {
    const list = testHost().core.devices.list();
    expect(list.map(({ id }) => id)).toEqual(TWO_SMMUS.devices.map(({ id }) => id).toSorted());
    expect(list.find(({ id }) => id === TRIPLE[1])).toMatchObject({
      iommu: SMMU0,
      group: 3,
      groupDevices: TRIPLE,
      streamIDs: [0x201],
    });
  });

  test("capabilities of one IOMMU or of all, in order; an unknown one is named with those there are", async () => {
    const { capabilities } = testHost().core;
    expect(capabilities.iommus(undefined, undefined).map(({ id }) => id)).toEqual([SMMU0, SMMU1]);
    expect(capabilities.iommus(SMMU1, undefined)[0]).toMatchObject({ id: SMMU1, ipaBits: 44, substreamIDBits: 8 });
    const error = await refusal(() => capabilities.iommus(iommuID("smmu9"), undefined));
    expect(error.code).toBe("iommu_unknown");
    expect(error.message).toContain("smmu0, smmu1");
  });

  test("a device's capabilities: aperture, MSI window, PASIDs no wider than the SMMU's, and whether it can translate", () => {
    const { capabilities } = testHost().core;
    expect(capabilities.device(NVME)).toMatchObject({
      iommu: SMMU0,
      pasidBits: 20,
      ats: false,
      apertureFirst: 0,
      apertureLast: 2 ** 48 - 1,
      msiWindow: { ipa: 0x0800_0000, bytes: 0x10_0000, kind: "msi" },
      translate: true,
      translateReason: "",
      stall: false,
      pageRequests: false,
    });
    expect(capabilities.device(FAR).pasidBits).toBe(8);
    const triple = capabilities.device(TRIPLE[0]!);
    expect(triple.translate).toBe(false);
    expect(triple.translateReason).toContain(TRIPLE[2]!);
  });

  test("a device with several StreamIDs cannot translate, and says so", async () => {
    const config = {
      ...TWO_SMMUS,
      devices: [{ id: "two", iommu: "smmu0", group: 0, streamIDs: [1, 2], pasidBits: 4 }],
    };
    const host = testHost({ config });
    const [device] = host.core.devices.list();
    expect(host.core.capabilities.device(device!.id)).toMatchObject({ translate: false, pasidBits: 4 });
    expect(host.core.capabilities.device(device!.id).translateReason).toMatch(/2 StreamIDs/);
  });
});

describe("putting it together", () => {
  test("without the simulator's control there are no simulator verbs", () => {
    const { core, clock } = testHost();
    expect(core.simulator).toBeDefined();
    const without = createCore({
      backend: createSimulatedBackend(TWO_SMMUS),
      simulator: undefined,
      limits: TEST_LIMITS,
      policy: ANYBODY,
      ports: {
        clock,
        alarms: clock,
        identifiers: { uuid: () => "u", token: () => "t", digest: (token) => token },
        memoryTickets: {
          take: () => {
            throw new Error("no tickets here");
          },
          settle: () => {},
        },
        deviceTickets: {
          requireRoom: () => {},
          issue: () => {
            throw new Error("no tickets here");
          },
          void: () => {},
        },
        memoryFiles: { open: () => Promise.reject(new Error("no files here")) },
        journal: { append: async () => {}, note: () => {}, durable: async () => {} },
        processes: new FakeProcesses(),
      },
    });
    expect(without.simulator).toBeUndefined();
  });

  test("a fault of a device nobody owns is counted, and nobody hears it", async () => {
    const host = testHost();
    const vmm = await guest(host);
    const subscription = host.core.faults.subscribe(vmm.session, { devices: [], resumeAfter: new Map() });
    await host.backend.dma(NVME, [
      { kind: "read", iova: 0n, bytes: 1, substreamID: undefined, privileged: false, streamIndex: 0 },
    ]);
    await turn();
    expect(host.core.census().faults).toMatchObject({
      recorded: 0,
      dropped: { unrouted: 1 },
      subscribers: { owner: 1, observer: 0 },
    });
    await attach(host, vmm, NVME, "bypass");
    await host.backend.dma(NVME, [
      { kind: "read", iova: 0n, bytes: 1, substreamID: undefined, privileged: false, streamIndex: 0 },
    ]);
    const entries = entriesOf(await subscription.next());
    expect(entries).toMatchObject([{ kind: "event", sequence: 1, fault: { type: "F_TRANSLATION", stage: 2 } }]);
  });

  test("an observer sees a device's faults, also when its owner has left, and answers to none", async () => {
    const host = testHost();
    const vmm = await guest(host);
    const observer = host.core.faults.subscribe(undefined, { devices: [NVME], resumeAfter: new Map() });
    await attach(host, vmm, NVME, "bypass");
    await host.backend.dma(NVME, [
      { kind: "read", iova: 0n, bytes: 1, substreamID: undefined, privileged: false, streamIndex: 0 },
    ]);
    await turn();
    await host.core.sessions.close(vmm.session);
    expect(entriesOf(await observer.next())).toMatchObject([{ kind: "event", sequence: 1 }]);
    const list = { devices: [], types: [], pageSize: 10, pageToken: "" };
    expect(host.core.faults.list(undefined, list).events).toMatchObject([{ sequence: 1, fault: { device: NVME } }]);
    const answer = () => host.core.faults.respond(vmm.session, { token: "", answer: "abort" });
    expect((await refusal(answer)).code).toBe("lease_expired");
  });

  test("a fault from before the attach is not the new owner's", async () => {
    const host = testHost();
    const vmm = await guest(host);
    const subscription = host.core.faults.subscribe(vmm.session, { devices: [], resumeAfter: new Map() });
    const access = {
      kind: "read",
      iova: 0n,
      bytes: 1,
      substreamID: undefined,
      privileged: false,
      streamIndex: 0,
    } as const;
    await host.backend.dma(NVME, [access]);
    await attach(host, vmm, NVME, "bypass"); // before the event queue's driver had its turn
    await turn();
    expect(host.core.census().faults.dropped.unrouted).toBe(1);
    await host.backend.dma(NVME, [access]);
    expect(entriesOf(await subscription.next())).toMatchObject([{ kind: "event", sequence: 1, fault: { stage: 2 } }]);
  });

  test("a file that fails for a reason of its own is not called the caller's", async () => {
    const host = testHost();
    const vmm = await guest(host);
    const odd = new Error("disk on fire");
    host.files.get = () => {
      throw odd;
    };
    const mapping = { ipa: 0n, bytes: 4096n, source: 0, offset: 0n, readable: true, writable: true };
    const { addressSpace, session } = vmm;
    await expect(
      host.core.addressSpaces.map(session, {
        addressSpace,
        sources: ["/x"],
        mappings: [mapping],
      }),
    ).rejects.toBe(odd);
  });
});
