import { beforeEach, describe, expect, test } from "vitest";
import { ABORT_VSTE, BYPASS_VSTE, checkVSTE } from "../../../src/backends/vste.ts";
import {
  attach,
  bind,
  DISK,
  Failures,
  type Guest,
  guest,
  NVME,
  readEnds,
  refusal,
  type TestHost,
  testHost,
  translationOf,
  turn,
} from "../../support/host.ts";

const TRANSLATE = checkVSTE(0x4000_000bn, 0xd4n); // V=1, Config 0b101, S1ContextPtr 0x4000_0000 (§5.2)
const BASE = 0x4000_0000;

let host: TestHost;
let vmm: Guest;
let failures: Failures;
beforeEach(async () => {
  failures = new Failures();
  host = testHost({ wrap: failures.wrap });
  vmm = await guest(host, { pinning: "on-first-bind" });
});

const isPopulated = async (): Promise<boolean> => {
  const { addressSpace } = vmm;
  const sources = [vmm.file.path];
  const page = { ipa: 0x9000_0000n, bytes: 4096n };
  const mappings = [{ ...page, source: 0, offset: 0n, readable: true, writable: true }];
  const { populated } = await host.core.addressSpaces.map(vmm.session, {
    addressSpace,
    sources,
    mappings,
  });
  await host.core.addressSpaces.unmap(vmm.session, { addressSpace, ranges: [page] });
  return populated;
};

describe("EAGER", () => {
  test("memory mapped before the attach is there when the attach returns", async () => {
    const eager = await guest(host, { name: "eager" });
    await attach(host, eager, NVME, "bypass");
    expect(await readEnds(host, NVME, BASE)).toBe("ok");
  });
});

describe("ON_FIRST_BIND", () => {
  test("DMA faults in stage 2 after the attach, even in bypass: nothing is pinned", async () => {
    await attach(host, vmm, NVME, "bypass");
    expect(await translationOf(host, NVME, BASE)).toBe("F_TRANSLATION stage 2");
    expect(failures.calls).not.toContain("map");
    expect(vmm.file.references).toBe(2); // the table's own
  });

  test("abort binds and unbinds do not pin", async () => {
    await attach(host, vmm, NVME);
    await bind(host, vmm, NVME, ABORT_VSTE, 0x30);
    await host.core.stages.unbind(vmm.session, { device: NVME, expectedGeneration: undefined });
    expect(await translationOf(host, NVME, BASE)).toBe("F_TRANSLATION stage 2");
    expect(await isPopulated()).toBe(false);
  });

  test.each([
    ["BYPASS", BYPASS_VSTE],
    ["TRANSLATE", TRANSLATE],
  ])("the first %s bind maps everything, and unbinding keeps it mapped", async (_, vste) => {
    await attach(host, vmm, NVME);
    await bind(host, vmm, NVME, vste, 0x30);
    expect(await isPopulated()).toBe(true);
    await host.core.stages.unbind(vmm.session, { device: NVME, expectedGeneration: undefined });
    expect(await readEnds(host, NVME, BASE)).toBe("ok");
    await bind(host, vmm, NVME, ABORT_VSTE);
    await bind(host, vmm, NVME, BYPASS_VSTE);
    expect(failures.calls.filter((verb) => verb === "map")).toHaveLength(2); // the bind's and isPopulated's
  });

  test("setting the virtual IOMMU to bypass is such a bind; with no device in it there is nothing to pin for", async () => {
    await host.core.virtualIommus.setMode(vmm.session, vmm.virtualIommu, "bypass");
    expect(failures.calls).not.toContain("map");
    expect(await isPopulated()).toBe(false);
    await attach(host, vmm, NVME);
    await host.core.virtualIommus.setMode(vmm.session, vmm.virtualIommu, "abort");
    expect(await isPopulated()).toBe(false);
    await host.core.virtualIommus.setMode(vmm.session, vmm.virtualIommu, "bypass");
    expect(await readEnds(host, NVME, BASE)).toBe("ok");
  });

  test("maps and unmaps before the first bind are kept here and arrive with it", async () => {
    await attach(host, vmm, NVME);
    const { addressSpace } = vmm;
    const page = { ipa: 0x9000_0000n, bytes: 4096n };
    const mappings = [{ ...page, source: 0, offset: 0n, readable: true, writable: true }];
    await host.core.addressSpaces.map(vmm.session, {
      addressSpace,
      sources: [vmm.file.path],
      mappings,
    });
    await host.core.addressSpaces.unmap(vmm.session, {
      addressSpace,
      ranges: [{ ipa: BigInt(BASE), bytes: 2n ** 21n }],
    });
    await bind(host, vmm, NVME, BYPASS_VSTE);
    expect(await readEnds(host, NVME, page.ipa)).toBe("ok");
    expect(await translationOf(host, NVME, BASE)).toBe("F_TRANSLATION stage 2");
  });

  test("validate_only pins nothing", async () => {
    await attach(host, vmm, NVME);
    const ask = { device: NVME, virtualStreamID: undefined, expectedGeneration: undefined };
    await host.core.stages.bind(vmm.session, { ...ask, vste: BYPASS_VSTE, validateOnly: true });
    expect(await isPopulated()).toBe(false);
  });
});

describe("a first bind that fails", () => {
  test("at the map: nothing is bound, nothing mapped, and the next bind starts over", async () => {
    await attach(host, vmm, NVME);
    failures.fail("map");
    expect((await refusal(() => bind(host, vmm, NVME, BYPASS_VSTE))).code).toBe("backend_failed");
    expect(host.core.devices.get(NVME)).toMatchObject({ state: "guest-abort", generation: 1 });
    await bind(host, vmm, NVME, BYPASS_VSTE);
    expect(await readEnds(host, NVME, BASE)).toBe("ok");
  });

  test("at the stage: the memory is taken out again", async () => {
    await attach(host, vmm, NVME, "bypass");
    failures.fail("bindGuestStage");
    await refusal(() => bind(host, vmm, NVME, TRANSLATE, 0x30));
    expect(await translationOf(host, NVME, BASE)).toBe("F_TRANSLATION stage 2");
    expect(await isPopulated()).toBe(false);
  });

  test("through the virtual IOMMU's mode: the memory is taken out when no group could be set", async () => {
    await attach(host, vmm, NVME, "bypass");
    failures.fail("setPlainStage");
    const [result] = await host.core.virtualIommus.setMode(vmm.session, vmm.virtualIommu, "bypass");
    expect(result).toMatchObject({ device: NVME, error: { code: "backend_failed" }, generation: 1 });
    expect(await isPopulated()).toBe(false);
  });

  test("it does not take the memory from under a device that was bound meanwhile in another virtual IOMMU", async () => {
    const { addressSpace, session } = vmm;
    const iommus = [host.core.devices.get(DISK).iommu];
    const second = await host.core.virtualIommus.create(session, { addressSpace, iommus, registers: undefined });
    await attach(host, vmm, NVME);
    await attach(host, { ...vmm, virtualIommu: second.id }, DISK);
    // The first bind waits in the backend, with the memory filled; the second comes; then the first fails.
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    failures.fail("bindGuestStage");
    failures.before = async (verb) => {
      if (verb === "bindGuestStage") await released;
    };
    const failing = refusal(() => bind(host, vmm, NVME, TRANSLATE, 0x30));
    await turn();
    const other = bind(host, vmm, DISK, BYPASS_VSTE);
    await turn();
    release();
    expect((await failing).code).toBe("backend_failed");
    expect(await other).toMatchObject({ state: "nest-parent" });
    expect(await readEnds(host, DISK, BASE)).toBe("ok");
    expect(await isPopulated()).toBe(true);
  });
});
