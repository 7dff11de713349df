import { describe, expect, test } from "vitest";
import type { BrokerErrorCode } from "../../../src/backends/errors.ts";
import { deviceID, virtualStreamID } from "../../../src/backends/ids.ts";
import { ABORT_VSTE, BYPASS_VSTE, checkVSTE, type VSTE } from "../../../src/backends/vste.ts";
import {
  attach,
  bind,
  DISK,
  detach,
  FAR,
  type Guest,
  guest,
  NIC,
  NVME,
  refusal,
  SMMU0,
  SMMU1,
  steConfig,
  type TestHost,
  TRIPLE,
  testHost,
} from "../../support/host.ts";

const TRANSLATE = checkVSTE(0x4000_000bn, 0xd4n); // V=1, Config 0b101, S1ContextPtr 0x4000_0000 (§5.2)
const unfenced = { expectedGeneration: undefined };

/** Everything a refusal must leave alone: views, STEs, what was journaled as done. */
function stateOf(host: TestHost): unknown {
  const devices = host.core.devices.list();
  return {
    devices,
    configs: devices.map(({ id }) => steConfig(host, id)),
    census: host.core.census(),
    done: host.journal.filter((entry) => entry.result === "done").length,
  };
}

async function expectRefused(host: TestHost, code: BrokerErrorCode, act: () => Promise<unknown>) {
  const before = stateOf(host);
  const error = await refusal(act);
  expect(error.code).toBe(code);
  expect(stateOf(host)).toEqual(before);
  return error;
}

async function attached(options: { name?: string } = {}): Promise<{ host: TestHost; vmm: Guest }> {
  const host = testHost();
  const vmm = await guest(host, options);
  await attach(host, vmm, NVME);
  return { host, vmm };
}

describe("a device of another session", () => {
  test.each(["attach", "bind", "unbind", "detach"] as const)("%s is refused, naming owner and state", async (verb) => {
    const { host } = await attached({ name: "first vmm" });
    const other = await guest(host, { name: "second" });
    const act = {
      attach: () => attach(host, other, NVME),
      bind: () => bind(host, other, NVME, TRANSLATE, 0x30),
      unbind: () => host.core.stages.unbind(other.session, { device: NVME, ...unfenced }),
      detach: () => detach(host, other, NVME),
    }[verb];
    const error = await expectRefused(host, "device_owned", act);
    expect(error.facts).toMatchObject({ device: NVME, owner: "first vmm", state: "guest-abort" });
    expect(error.message).toContain('"first vmm"');
    expect(JSON.stringify([error.message, error.facts])).not.toContain("token");
    expect(host.events.at(-1)).toMatchObject({
      type: "leaseConflict",
      device: NVME,
      session: other.session,
      ownerState: "live",
    });
  });

  test("a sibling in its group is refused as well", async () => {
    const host = testHost();
    const [first, second] = [await guest(host, { name: "a" }), await guest(host, { name: "b" })];
    await attach(host, first, TRIPLE[0]!);
    await expectRefused(host, "device_owned", () => attach(host, second, TRIPLE[2]!));
  });
});

describe("fences", () => {
  test.each([0n, 2n, 2n ** 63n])(
    "generation %d, when the group is at 1, is fenced for every verb",
    async (expectedGeneration) => {
      const { host, vmm } = await attached();
      const { stages } = host.core;
      const { session, virtualIommu } = vmm;
      const verbs = [
        () => stages.attach(session, { device: NVME, virtualIommu, initial: "abort", expectedGeneration }),
        () =>
          stages.bind(session, {
            device: NVME,
            virtualStreamID: undefined,
            vste: BYPASS_VSTE,
            validateOnly: false,
            expectedGeneration,
          }),
        () => stages.unbind(session, { device: NVME, expectedGeneration }),
        () => stages.detach(session, { device: NVME, expectedGeneration }),
      ];
      for (const verb of verbs) {
        const error = await expectRefused(host, "fenced", verb);
        expect(error.facts).toMatchObject({ expected_generation: expectedGeneration, generation: 1 });
      }
    },
  );

  test("the right generation passes", async () => {
    const { host, vmm } = await attached();
    const unbound = await host.core.stages.unbind(vmm.session, { device: NVME, expectedGeneration: 1n });
    expect(unbound.generation).toBe(2);
  });
});

describe("what is not there", () => {
  test("an unknown device is device_unknown for every verb", async () => {
    const { host, vmm } = await attached();
    const ghost = deviceID("ffff:00:00.0");
    await expectRefused(host, "device_unknown", () => attach(host, vmm, ghost));
    await expectRefused(host, "device_unknown", () => bind(host, vmm, ghost, BYPASS_VSTE));
    await expectRefused(host, "device_unknown", () =>
      host.core.stages.unbind(vmm.session, { device: ghost, ...unfenced }),
    );
    await expectRefused(host, "device_unknown", () => detach(host, vmm, ghost));
    expect((await refusal(() => host.core.devices.get(ghost))).code).toBe("device_unknown");
  });

  test("an unknown virtual IOMMU, and another session's", async () => {
    const { host, vmm } = await attached();
    const other = await guest(host, { name: "other" });
    await expectRefused(host, "virtual_iommu_unknown", () => attach(host, { ...vmm, virtualIommu: "none" }, NIC));
    await expectRefused(host, "not_owner", () => attach(host, { ...vmm, virtualIommu: other.virtualIommu }, NIC));
  });

  test("a session that is closed, and one that has lapsed", async () => {
    const { host, vmm } = await attached();
    host.clock.advance(10_000);
    for (const act of [
      () => attach(host, vmm, NIC),
      () => bind(host, vmm, NVME, TRANSLATE, 1),
      () => detach(host, vmm, NVME),
    ]) {
      await expectRefused(host, "lease_expired", act);
    }
  });
});

describe("a device that is not attached", () => {
  test("binding one in the default domain says to attach it first", async () => {
    const { host, vmm } = await attached();
    for (const vste of [TRANSLATE, BYPASS_VSTE, ABORT_VSTE]) {
      const error = await expectRefused(host, "transition_illegal", () => bind(host, vmm, NIC, vste, 1));
      expect(error.facts).toMatchObject({ state: "default-domain" });
      expect(error.message).toMatch(/attach the device first/);
    }
  });

  test("binding a sibling that was not itself attached is refused", async () => {
    const host = testHost();
    const vmm = await guest(host);
    await attach(host, vmm, TRIPLE[0]!);
    const error = await expectRefused(host, "transition_illegal", () => bind(host, vmm, TRIPLE[1]!, BYPASS_VSTE));
    expect(error.facts).toMatchObject({ device: TRIPLE[1], state: "guest-abort" });
  });

  test("an attached group cannot move to another virtual IOMMU", async () => {
    const { host, vmm } = await attached();
    const second = await host.core.virtualIommus.create(vmm.session, {
      addressSpace: vmm.addressSpace,
      iommus: [SMMU0],
      registers: undefined,
    });
    const error = await expectRefused(host, "transition_illegal", () =>
      attach(host, { ...vmm, virtualIommu: second.id }, NVME),
    );
    expect(error.facts).toMatchObject({ virtual_iommu: vmm.virtualIommu });
  });
});

describe("a group of three", () => {
  test("TRANSLATE is refused and names the siblings", async () => {
    const host = testHost();
    const vmm = await guest(host);
    await attach(host, vmm, TRIPLE[1]!);
    const error = await expectRefused(host, "group_not_singleton", () => bind(host, vmm, TRIPLE[1]!, TRANSLATE, 1));
    expect(error.facts).toMatchObject({ siblings: `${TRIPLE[0]},${TRIPLE[2]}` });
  });
});

describe("virtual StreamIDs", () => {
  test("TRANSLATE without one is refused by field", async () => {
    const { host, vmm } = await attached();
    const error = await expectRefused(host, "argument_invalid", () => bind(host, vmm, NVME, TRANSLATE));
    expect(error.fields[0]!.path).toBe("virtual_stream_id");
  });

  test("one that another device of the virtual IOMMU has is refused, naming it", async () => {
    const { host, vmm } = await attached();
    await attach(host, vmm, DISK);
    await bind(host, vmm, NVME, TRANSLATE, 0x30);
    for (const vste of [TRANSLATE, BYPASS_VSTE, ABORT_VSTE]) {
      const error = await expectRefused(host, "already_exists", () => bind(host, vmm, DISK, vste, 0x30));
      expect(error.facts).toEqual({ virtual_stream_id: 0x30, device: NVME });
    }
    await detach(host, vmm, NVME);
    expect(await bind(host, vmm, DISK, TRANSLATE, 0x30)).toMatchObject({ virtualStreamID: 0x30 });
  });

  test("the same one in another virtual IOMMU is free", async () => {
    const { host, vmm } = await attached();
    const other = await guest(host, { name: "other" });
    await attach(host, other, DISK);
    await bind(host, vmm, NVME, TRANSLATE, 0x30);
    expect(await bind(host, other, DISK, TRANSLATE, 0x30)).toMatchObject({ virtualStreamID: 0x30 });
  });

  test("one wider than the virtual IOMMU's SIDSIZE is refused; the widest passes", async () => {
    const { host, vmm } = await attached();
    const error = await expectRefused(host, "argument_invalid", () => bind(host, vmm, NVME, TRANSLATE, 0x1_0000));
    expect(error.facts).toMatchObject({ virtual_stream_id: 0x1_0000, bits: 16 });
    expect(await bind(host, vmm, NVME, TRANSLATE, 0xffff)).toMatchObject({ virtualStreamID: 0xffff });
  });

  test("a change while the guest's tables are bound is refused, whatever comes next", async () => {
    const { host, vmm } = await attached();
    await bind(host, vmm, NVME, TRANSLATE, 0x30);
    for (const vste of [TRANSLATE, BYPASS_VSTE, ABORT_VSTE]) {
      const error = await expectRefused(host, "transition_illegal", () => bind(host, vmm, NVME, vste, 0x31));
      expect(error.facts).toMatchObject({ virtual_stream_id: 0x30, asked: 0x31 });
    }
    expect(await bind(host, vmm, NVME, TRANSLATE, 0x30)).toMatchObject({ virtualStreamID: 0x30 });
  });

  test("in bypass and in abort it can be changed, and once given it need not be given again", async () => {
    const { host, vmm } = await attached();
    expect(await bind(host, vmm, NVME, ABORT_VSTE, 0x30)).toMatchObject({ virtualStreamID: 0x30 });
    expect(await bind(host, vmm, NVME, BYPASS_VSTE, 0x31)).toMatchObject({ virtualStreamID: 0x31 });
    expect(await bind(host, vmm, NVME, BYPASS_VSTE, 0x32)).toMatchObject({ virtualStreamID: 0x32 });
    expect(await bind(host, vmm, NVME, TRANSLATE)).toMatchObject({ virtualStreamID: 0x32, state: "guest-nested" });
  });
});

describe("registers and reach", () => {
  test("a device whose host does not fit the frozen registers is refused field by field", async () => {
    const host = testHost();
    const vmm = await guest(host, { iommus: [SMMU0] }); // SSIDSIZE 20, OAS 48, 16K: more than smmu1 has
    const error = await expectRefused(host, "registers_unfit", () => attach(host, vmm, FAR));
    expect(error.facts).toMatchObject({ iommu: SMMU1 });
    expect(String(error.facts.fields).split(", ")).toEqual(
      expect.arrayContaining(["IDR1.SSIDSIZE", "IDR3.RIL", "IDR5.OAS", "IDR5.GRAN16K"]),
    );
  });

  test("a device whose host cannot reach what is mapped is refused", async () => {
    const host = testHost();
    const vmm = await guest(host, { iommus: [SMMU0, SMMU1] });
    await host.core.addressSpaces.map(vmm.session, {
      addressSpace: vmm.addressSpace,
      sources: [vmm.file.path],
      mappings: [{ ipa: 2n ** 44n, bytes: 4096n, source: 0, offset: 0n, readable: true, writable: true }],
    });
    const error = await expectRefused(host, "registers_unfit", () => attach(host, vmm, FAR)); // smmu1: 44-bit IPAs
    expect(error.facts).toMatchObject({ ipa_bits: 44 });
    expect(await attach(host, vmm, NVME)).toMatchObject({ attached: true });
  });

  test("one device more than a session may have is refused by the limit's name", async () => {
    const host = testHost({ limits: { devicesPerSessionMax: 2 } });
    const vmm = await guest(host);
    await attach(host, vmm, NVME);
    await attach(host, vmm, NIC);
    const error = await expectRefused(host, "limit_reached", () => attach(host, vmm, DISK));
    expect(error.facts).toMatchObject({ limit: "devices_per_session_max", maximum: 2 });
  });
});

describe("validate_only", () => {
  const ask = (host: TestHost, vmm: Guest, vste: VSTE) =>
    host.core.stages.bind(vmm.session, {
      device: NVME,
      virtualStreamID: virtualStreamID(0x30),
      vste,
      validateOnly: true,
      ...unfenced,
    });

  test("tells the host STE and installs nothing", async () => {
    const { host, vmm } = await attached();
    const before = stateOf(host);
    const { preview, disposition, device } = await ask(host, vmm, TRANSLATE);
    expect(stateOf(host)).toEqual(before);
    expect([disposition, device.generation, device.virtualStreamID]).toEqual(["translate", 1, undefined]);
    expect(preview!.hostSTE).toHaveLength(8);
    expect(preview!.hostSTE[0]).toBe(0x4000_000fn); // Config 0b111, the guest's pointer
    expect(preview!.wouldFault).toMatchObject([{ eventType: "C_BAD_CD" }]); // the guest's RAM is still empty: V=0
    await bind(host, vmm, NVME, TRANSLATE, 0x30);
    expect(host.backend.structures(NVME, 0, 0, undefined).ste).toEqual(preview!.hostSTE);
  });

  test("S1CDMax above SSIDSIZE would be C_BAD_STE, and is exactly that once it is bound", async () => {
    const { host, vmm } = await attached();
    const wide = checkVSTE(0x4000_000bn | (21n << 59n), 0xd4n); // S1CDMax 21, SSIDSIZE is 20
    const { preview } = await ask(host, vmm, wide);
    expect(preview!.wouldFault).toEqual([{ eventType: "C_BAD_STE", reason: "S1CDMax 21 exceeds SSIDSIZE 20" }]);
    await bind(host, vmm, NVME, wide, 0x30);
    const access = { iova: 0n, substreamID: undefined, privileged: false, streamIndex: 0, access: "read" } as const;
    const [outcome] = await host.core.simulator!.translate(vmm.session, NVME, [access]);
    expect(outcome!.fault?.type).toBe("C_BAD_STE");
  });

  test("abort and bypass have a preview too", async () => {
    const { host, vmm } = await attached();
    expect((await ask(host, vmm, ABORT_VSTE)).preview!.hostSTE).toEqual([1n, 0n, 0n, 0n, 0n, 0n, 0n, 0n]);
    expect((await ask(host, vmm, BYPASS_VSTE)).preview!.hostSTE[0]).toBe(0b1101n); // Config 0b110
  });

  test("it is refused for what a bind would be refused for", async () => {
    const { host, vmm } = await attached();
    await attach(host, vmm, DISK);
    await bind(host, vmm, DISK, ABORT_VSTE, 0x30);
    await expectRefused(host, "already_exists", () => ask(host, vmm, TRANSLATE));
  });
});
