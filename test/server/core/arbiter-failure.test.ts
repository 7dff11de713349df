import { describe, expect, test } from "vitest";
import type { Backend } from "../../../src/backends/backend.ts";
import { ABORT_VSTE, BYPASS_VSTE, checkVSTE } from "../../../src/backends/vste.ts";
import {
  attach,
  bind,
  DISK,
  detach,
  Failures,
  type Guest,
  guest,
  NVME,
  readEnds,
  refusal,
  steConfig,
  type TestHost,
  TRIPLE,
  testHost,
} from "../../support/host.ts";

const TRANSLATE = checkVSTE(0x4000_000bn, 0xd4n); // V=1, Config 0b101, S1ContextPtr 0x4000_0000 (§5.2)
const unfenced = { expectedGeneration: undefined };

async function flaky(): Promise<{ host: TestHost; vmm: Guest; failures: Failures }> {
  const failures = new Failures();
  const host = testHost({ wrap: failures.wrap });
  return { host, vmm: await guest(host), failures };
}

/** The verb fails at the backend: the caller hears it, records and hardware are as they were, the journal knows. */
async function expectUnchanged(
  { host, failures }: { host: TestHost; failures: Failures },
  verb: keyof Backend,
  act: () => Promise<unknown>,
): Promise<void> {
  const before = { devices: host.core.devices.list(), census: host.core.census() };
  const ste = host.backend.structures(NVME, 0, 0, undefined).ste;
  const lines = host.journal.length;
  failures.fail(verb);
  expect((await refusal(act)).facts).toEqual({ verb });
  expect({ devices: host.core.devices.list(), census: host.core.census() }).toEqual(before);
  expect(host.backend.structures(NVME, 0, 0, undefined).ste).toEqual(ste);
  expect(host.journal.slice(lines).map(({ kind, result }) => [kind, result])).toEqual([
    ["intent", "pending"],
    ["outcome", "failed"],
  ]);
}

describe("a backend that fails", () => {
  test("attach: no owner, no part left behind, and the next attach works", async () => {
    const { host, vmm, failures } = await flaky();
    await expectUnchanged({ host, failures }, "attach", () => attach(host, vmm, NVME));
    expect(failures.calls.filter((verb) => verb.endsWith("Part"))).toEqual(["createPart", "destroyPart"]);
    expect(await attach(host, vmm, NVME)).toMatchObject({ generation: 1, attached: true });
  });

  test("making the part: nothing is journaled, for nothing was tried on the group", async () => {
    const { host, vmm, failures } = await flaky();
    failures.fail("createPart");
    expect((await refusal(() => attach(host, vmm, NVME))).code).toBe("backend_failed");
    expect(host.journal).toEqual([]);
    expect(host.core.devices.get(NVME)).toMatchObject({ owner: undefined, generation: 0 });
  });

  test("a failing second attach does not take the first one's part", async () => {
    const { host, vmm, failures } = await flaky();
    await attach(host, vmm, DISK, "bypass");
    await expectUnchanged({ host, failures }, "attach", () => attach(host, vmm, NVME));
    expect(failures.calls).not.toContain("destroyPart");
    expect(await readEnds(host, DISK, 0x4000_0000)).toBe("ok");
  });

  test("bind, from each stage: the previous one stays installed", async () => {
    const { host, vmm, failures } = await flaky();
    await attach(host, vmm, NVME);
    await expectUnchanged({ host, failures }, "bindGuestStage", () => bind(host, vmm, NVME, TRANSLATE, 0x30));
    await bind(host, vmm, NVME, TRANSLATE, 0x30);
    await expectUnchanged({ host, failures }, "bindGuestStage", () => bind(host, vmm, NVME, TRANSLATE));
    await expectUnchanged({ host, failures }, "setPlainStage", () => bind(host, vmm, NVME, BYPASS_VSTE));
    await expectUnchanged({ host, failures }, "setPlainStage", () => bind(host, vmm, NVME, ABORT_VSTE));
  });

  test("a failing stage takes the new name back, so the name is free for another device", async () => {
    const { host, vmm, failures } = await flaky();
    await attach(host, vmm, NVME);
    await attach(host, vmm, DISK);
    await bind(host, vmm, NVME, ABORT_VSTE, 0x30);
    await expectUnchanged({ host, failures }, "setPlainStage", () => bind(host, vmm, NVME, BYPASS_VSTE, 0x31));
    expect(await bind(host, vmm, DISK, ABORT_VSTE, 0x31)).toMatchObject({ virtualStreamID: 0x31 });
    await expectUnchanged({ host, failures }, "setVirtualStreamID", () => bind(host, vmm, NVME, BYPASS_VSTE, 0x32));
  });

  test("unbind and detach", async () => {
    const { host, vmm, failures } = await flaky();
    await attach(host, vmm, NVME);
    await bind(host, vmm, NVME, TRANSLATE, 0x30);
    await expectUnchanged({ host, failures }, "setPlainStage", () =>
      host.core.stages.unbind(vmm.session, { device: NVME, ...unfenced }),
    );
    await expectUnchanged({ host, failures }, "detach", () => detach(host, vmm, NVME));
    expect(await detach(host, vmm, NVME)).toMatchObject({ state: "default-domain", generation: 3 });
  });

  test("taking the name of a device that leaves its group: the device stays attached", async () => {
    const { host, vmm, failures } = await flaky();
    await attach(host, vmm, TRIPLE[0]!);
    await attach(host, vmm, TRIPLE[1]!);
    await bind(host, vmm, TRIPLE[0]!, ABORT_VSTE, 0x40);
    failures.fail("setVirtualStreamID");
    await refusal(() => detach(host, vmm, TRIPLE[0]!));
    expect(host.core.devices.get(TRIPLE[0]!)).toMatchObject({ attached: true, virtualStreamID: 0x40 });
  });
});

describe("two sessions and one device", () => {
  test("of two that attach at once exactly one wins, in whatever order they come", async () => {
    for (const order of [
      [0, 1],
      [1, 0],
    ]) {
      const failures = new Failures();
      const host = testHost({ wrap: failures.wrap });
      const guests = [await guest(host, { name: "a" }), await guest(host, { name: "b" })];
      failures.before = () => new Promise((resolve) => setImmediate(resolve));
      const settled = await Promise.allSettled(order.map((index) => attach(host, guests[index]!, NVME)));
      expect(settled.map((one) => one.status)).toEqual(["fulfilled", "rejected"]);
      expect(settled[1]).toMatchObject({ reason: { code: "device_owned" } });
      expect(host.core.devices.get(NVME)).toMatchObject({ generation: 1, owner: { id: guests[order[0]!]!.session } });
      expect(steConfig(host, NVME)).toBe(0b000);
    }
  });

  test("an attach that waited behind a detach wins the device, and never sees it halfway", async () => {
    const host = testHost();
    const [a, b] = [await guest(host, { name: "a" }), await guest(host, { name: "b" })];
    await attach(host, a, NVME);
    const [, taken] = await Promise.all([detach(host, a, NVME), attach(host, b, NVME)]);
    expect(taken).toMatchObject({ owner: { id: b.session }, generation: 3 });
  });

  test("a bind that waited while its device moved to another virtual IOMMU is fenced", async () => {
    const host = testHost();
    const vmm = await guest(host);
    const { addressSpace } = vmm;
    const second = await host.core.virtualIommus.create(vmm.session, {
      addressSpace,
      iommus: [host.core.devices.get(NVME).iommu],
      registers: undefined,
    });
    await attach(host, vmm, NVME);
    const moves = [detach(host, vmm, NVME), attach(host, { ...vmm, virtualIommu: second.id }, NVME)];
    const late = refusal(() => bind(host, vmm, NVME, TRANSLATE, 0x30));
    await Promise.all(moves);
    expect(["fenced", "transition_illegal"]).toContain((await late).code);
    expect(host.core.devices.get(NVME)).toMatchObject({ virtualIommu: second.id, state: "guest-abort", generation: 3 });
  });
});

describe("ten thousand maps and unmaps with stage 2 alone: the virtio-iommu fallback", () => {
  test("batches go in and out, and the DMA sees exactly what is mapped", async () => {
    const host = testHost();
    const vmm = await guest(host, { bytes: 16 * 2 ** 20 });
    await attach(host, vmm, NVME, "bypass");
    const { addressSpaces } = host.core;
    const { addressSpace, session, file } = vmm;
    const first = 0x8000_0000n;
    const count = 10_000;
    const pageOf = (index: number): bigint => first + BigInt((index * 7919) % count) * 0x1000n;
    const mapping = (index: number) => ({
      ipa: pageOf(index),
      bytes: 4096n,
      source: 0,
      offset: BigInt(index % 4096) * 4096n,
    });
    const mappings = Array.from({ length: count }, (_, index) => ({
      ...mapping(index),
      readable: true,
      writable: true,
    }));
    const view = await addressSpaces.map(session, {
      addressSpace,
      sources: [file.path],
      mappings,
    });
    expect(view.mappingCount).toBe(count + 1);
    for (const index of [0, 1, 4095, 4096, 9999]) {
      file.data[(index % 4096) * 4096] = 0x55;
      expect([index, await readEnds(host, NVME, pageOf(index))]).toEqual([index, "ok"]);
    }
    const every = (from: number) =>
      mappings.filter((_, index) => index % 2 === from).map(({ ipa, bytes }) => ({ ipa, bytes }));
    const { unmappedBytes } = await addressSpaces.unmap(session, { addressSpace, ranges: every(0) });
    expect(unmappedBytes).toBe(5000 * 4096);
    const ends = await Promise.all([0, 1, 4095, 4096, 9999].map((index) => readEnds(host, NVME, pageOf(index))));
    expect(ends).toEqual(["abort", "ok", "ok", "abort", "ok"]); // odd ones stay
    await addressSpaces.unmap(session, { addressSpace, ranges: [{ ipa: first, bytes: BigInt(count) * 4096n }] });
    expect(await readEnds(host, NVME, pageOf(1))).toBe("abort");
    expect(host.core.census().mappedBytes).toBe(16 * 2 ** 20);
    expect(await readEnds(host, NVME, 0x4000_0000)).toBe("ok");
  });
});
