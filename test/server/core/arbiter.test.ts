import { describe, expect, test } from "vitest";
import { ABORT_VSTE, BYPASS_VSTE, checkVSTE } from "../../../src/backends/vste.ts";
import {
  attach,
  bind,
  detach,
  FAR,
  guest,
  NVME,
  SMMU0,
  SMMU1,
  steConfig,
  TRIPLE,
  testHost,
} from "../../support/host.ts";

// V=1, Config 0b101, S1ContextPtr 0x4000_0000; S1CIR=S1COR=WB, S1CSH=ISH: as Linux writes it (IHI 0070 §5.2).
const TRANSLATE = checkVSTE(0x4000_000bn, 0xd4n);
const unfenced = { expectedGeneration: undefined };

describe("the life cycle of the 2018 thread", () => {
  test("attach, bind, unbind and detach lead through the states and count generations", async () => {
    const host = testHost();
    const vmm = await guest(host);
    const { stages } = host.core;
    expect(host.core.devices.get(NVME)).toMatchObject({ state: "default-domain", generation: 0, owner: undefined });

    const attached = await attach(host, vmm, NVME);
    expect(attached).toMatchObject({ state: "guest-abort", generation: 1, attached: true, vste: ABORT_VSTE });
    const bound = await bind(host, vmm, NVME, TRANSLATE, 0x30);
    expect(bound).toMatchObject({ state: "guest-nested", generation: 2, virtualStreamID: 0x30, vste: TRANSLATE });
    const unbound = await stages.unbind(vmm.session, { device: NVME, ...unfenced });
    expect(unbound).toMatchObject({ state: "nest-parent", generation: 3, virtualStreamID: 0x30, vste: BYPASS_VSTE });
    const detached = await detach(host, vmm, NVME);
    expect(detached).toMatchObject({ state: "default-domain", generation: 4, attached: false });
    expect([detached.owner, detached.virtualIommu, detached.virtualStreamID, detached.vste]).toEqual(
      new Array(4).fill(undefined),
    );
  });

  test("the STE in memory follows: 0b101, 0b000, 0b110, 0b111, 0b110, 0b101", async () => {
    const host = testHost();
    const vmm = await guest(host);
    const configs = [steConfig(host, NVME)];
    const then = async (step: Promise<unknown>) => {
      await step;
      configs.push(steConfig(host, NVME));
    };
    await then(attach(host, vmm, NVME));
    await then(bind(host, vmm, NVME, BYPASS_VSTE));
    await then(bind(host, vmm, NVME, TRANSLATE, 0x30));
    await then(host.core.stages.unbind(vmm.session, { device: NVME, ...unfenced }));
    await then(detach(host, vmm, NVME));
    expect(configs).toEqual([0b101, 0b000, 0b110, 0b111, 0b110, 0b101]);
  });

  test("binding again in the same state is a change: a new guest STE, a new generation", async () => {
    const host = testHost();
    const vmm = await guest(host);
    await attach(host, vmm, NVME);
    await bind(host, vmm, NVME, TRANSLATE, 0x30);
    const other = checkVSTE(0x4000_100bn, 0xd4n);
    expect(await bind(host, vmm, NVME, other)).toMatchObject({ state: "guest-nested", generation: 3, vste: other });
    expect(await bind(host, vmm, NVME, other)).toMatchObject({ generation: 4 });
  });

  test("attaching, unbinding and detaching again change nothing", async () => {
    const host = testHost();
    const vmm = await guest(host);
    await attach(host, vmm, NVME, "bypass");
    expect(await attach(host, vmm, NVME, "abort")).toMatchObject({ state: "nest-parent", generation: 1 });
    const unbound = await host.core.stages.unbind(vmm.session, { device: NVME, ...unfenced });
    expect(unbound).toMatchObject({ state: "nest-parent", generation: 1 });
    await detach(host, vmm, NVME);
    expect(await detach(host, vmm, NVME)).toMatchObject({ state: "default-domain", generation: 2 });
    expect(host.events.filter((event) => event.type === "stageChanged")).toHaveLength(2);
  });

  test("each change is told once, with where from and where to", async () => {
    const host = testHost();
    const vmm = await guest(host);
    await attach(host, vmm, NVME);
    await bind(host, vmm, NVME, TRANSLATE, 0x30);
    await detach(host, vmm, NVME);
    const told = host.events.flatMap((event) =>
      event.type === "stageChanged" ? [[event.from, event.trigger, event.to, event.generation, event.session]] : [],
    );
    expect(told).toEqual([
      ["default-domain", "attachAborted", "guest-abort", 1, vmm.session],
      ["guest-abort", "bindTranslate", "guest-nested", 2, vmm.session],
      ["guest-nested", "release", "default-domain", 3, vmm.session],
    ]);
  });

  test("each change has its intent in the journal, and then its outcome", async () => {
    const host = testHost();
    const vmm = await guest(host);
    await attach(host, vmm, NVME, "bypass");
    await bind(host, vmm, NVME, ABORT_VSTE);
    await detach(host, vmm, NVME);
    const subject = `group/${host.core.devices.get(NVME).group}`;
    expect(host.journal).toEqual(
      (["attach", "bindAbort", "release"] as const).flatMap((verb, generation) => [
        { kind: "intent", verb, session: vmm.session, subject, generation, result: "pending" },
        { kind: "outcome", verb, session: vmm.session, subject, generation, result: "done" },
      ]),
    );
  });
});

describe("a group of three", () => {
  test("abort and bypass apply to all three, and all show the same state", async () => {
    const host = testHost();
    const vmm = await guest(host);
    await attach(host, vmm, TRIPLE[1]!);
    expect(TRIPLE.map((id) => steConfig(host, id))).toEqual([0, 0, 0]);
    await bind(host, vmm, TRIPLE[1]!, BYPASS_VSTE);
    expect(TRIPLE.map((id) => steConfig(host, id))).toEqual([0b110, 0b110, 0b110]);
    const views = TRIPLE.map((id) => host.core.devices.get(id));
    expect(views.map(({ attached, state, generation }) => [attached, state, generation])).toEqual([
      [false, "nest-parent", 2],
      [true, "nest-parent", 2],
      [false, "nest-parent", 2],
    ]);
    expect(views[0]!.groupDevices).toEqual(TRIPLE);
  });

  test("the second device joins the group as it stands; the last to leave takes it home", async () => {
    const host = testHost();
    const vmm = await guest(host);
    await attach(host, vmm, TRIPLE[0]!, "bypass");
    expect(await attach(host, vmm, TRIPLE[1]!, "abort")).toMatchObject({ state: "nest-parent", generation: 1 });
    await bind(host, vmm, TRIPLE[0]!, BYPASS_VSTE, 0x40);
    expect(await detach(host, vmm, TRIPLE[0]!)).toMatchObject({ attached: false, state: "nest-parent", generation: 2 });
    expect(host.core.devices.get(TRIPLE[0]!).virtualStreamID).toBeUndefined();
    expect(TRIPLE.map((id) => steConfig(host, id))).toEqual([0b110, 0b110, 0b110]);
    await detach(host, vmm, TRIPLE[1]!);
    expect(TRIPLE.map((id) => steConfig(host, id))).toEqual([0b101, 0b101, 0b101]);
    expect(host.core.devices.get(TRIPLE[1]!)).toMatchObject({ generation: 3, owner: undefined });
  });

  test("the name of a device that left is free again in the backend too", async () => {
    const host = testHost();
    const vmm = await guest(host);
    await attach(host, vmm, TRIPLE[0]!);
    await attach(host, vmm, TRIPLE[1]!);
    await bind(host, vmm, TRIPLE[0]!, ABORT_VSTE, 0x40);
    await detach(host, vmm, TRIPLE[0]!);
    expect(await bind(host, vmm, TRIPLE[1]!, ABORT_VSTE, 0x40)).toMatchObject({ virtualStreamID: 0x40 });
  });
});

describe("one virtual IOMMU over two host SMMUs", () => {
  test("a device of each is attached, has DMA through the same IPAs, and a part of its own", async () => {
    const host = testHost();
    const vmm = await guest(host, { iommus: [SMMU0, SMMU1] });
    await attach(host, vmm, NVME, "bypass");
    await attach(host, vmm, FAR, "bypass");
    vmm.file.data.set([1, 2, 3, 4], 0x5000);
    const access = { iova: 0x4000_5000n, substreamID: undefined, privileged: false, streamIndex: 0 } as const;
    for (const device of [NVME, FAR]) {
      const [read] = await host.core.simulator!.dma(vmm.session, device, [{ ...access, kind: "read", bytes: 4 }]);
      expect([device, read!.end, ...read!.data]).toEqual([device, "ok", 1, 2, 3, 4]);
    }
    const [stes] = [[NVME, FAR].map((id) => host.backend.structures(id, 0, 0, undefined).ste)];
    expect(stes!.map((ste) => Number((ste[0]! >> 1n) & 7n))).toEqual([0b110, 0b110]);
    expect(stes![0]![3]! >> 4n).not.toBe(stes![1]![3]! >> 4n); // S2TTB [247:196]: stage-2 tables of their own
  });
});
