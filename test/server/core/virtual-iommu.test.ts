import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { BrokerError } from "../../../src/backends/errors.ts";
import { iommuID } from "../../../src/backends/ids.ts";
import { BYPASS_VSTE, checkVSTE } from "../../../src/backends/vste.ts";
import {
  attach,
  bind,
  DISK,
  detach,
  FAR,
  Failures,
  type Guest,
  guest,
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

let host: TestHost;
let vmm: Guest;
let failures: Failures;
beforeEach(async () => {
  failures = new Failures();
  host = testHost({ wrap: failures.wrap });
  vmm = await guest(host);
});

const create = (iommus = [SMMU0], registers = undefined as never) =>
  host.core.virtualIommus.create(vmm.session, { addressSpace: vmm.addressSpace, iommus, registers });

describe("making one", () => {
  test("its registers are frozen at what the host allows, and it has no part before a device needs one", async () => {
    const view = await create();
    expect(view).toMatchObject({ addressSpace: vmm.addressSpace, iommus: [SMMU0], devices: [] });
    expect(view.registers).toEqual(host.core.capabilities.iommus(SMMU0, undefined)[0]!.virtualRegisters);
    expect(Object.isFrozen(view.registers)).toBe(true);
    expect(failures.calls).not.toContain("createPart");
  });

  test("wished registers are kept exactly, once every named host accepts them", async () => {
    const [one, other] = host.core.capabilities.iommus(undefined, undefined);
    const { addressSpace, session } = vmm;
    const wish = { ...other!.virtualRegisters!, idr1: (8 << 6) | 10 };
    const both = { addressSpace, iommus: [SMMU0, SMMU1] };
    const error = await refusal(() =>
      host.core.virtualIommus.create(session, { ...both, registers: one!.virtualRegisters }),
    );
    expect(error).toMatchObject({ code: "registers_unfit", facts: { iommu: "smmu1" } });
    expect((await host.core.virtualIommus.create(session, { ...both, registers: wish })).registers).toEqual(wish);
  });

  test.each([
    ["none", [], "argument_invalid"],
    ["one twice", [SMMU0, SMMU0], "argument_invalid"],
    ["one that is not there", [iommuID("smmu9")], "iommu_unknown"],
  ] as const)("naming %s of the host's IOMMUs is refused", async (_, iommus, code) => {
    expect((await refusal(() => create([...iommus]))).code).toBe(code);
  });

  test("the address space must be there and one's own", async () => {
    const other = await guest(host, { name: "other" });
    const ask = { iommus: [SMMU0], registers: undefined };
    const { virtualIommus } = host.core;
    const foreign = await refusal(() =>
      virtualIommus.create(other.session, { ...ask, addressSpace: vmm.addressSpace }),
    );
    expect(foreign.code).toBe("not_owner");
    const unknown = await refusal(() => virtualIommus.create(other.session, { ...ask, addressSpace: "none" }));
    expect(unknown.code).toBe("address_space_unknown");
  });

  test("one more than a session may have is refused by the limit's name", async () => {
    await create();
    expect((await refusal(() => create())).facts).toEqual({ limit: "virtual_iommus_per_session_max", maximum: 2 });
  });
});

describe("deleting one", () => {
  test("with devices it is refused and names them; without it goes, its part too, and again", async () => {
    await attach(host, vmm, NVME);
    await attach(host, vmm, DISK);
    const remove = () => host.core.virtualIommus.remove(vmm.session, vmm.virtualIommu);
    const error = await refusal(remove);
    expect(error).toMatchObject({ code: "in_use", facts: { devices: `${DISK}, ${NVME}` } });
    await detach(host, vmm, NVME);
    await detach(host, vmm, DISK);
    await remove();
    expect(failures.calls.filter((verb) => verb === "destroyPart")).toHaveLength(1);
    expect(host.core.census().virtualIommus).toBe(0);
    await remove();
  });

  test("of two parts one that fails stays, and the next call takes only that down", async () => {
    vmm = await guest(host, { name: "wide", iommus: [SMMU0, SMMU1] });
    await attach(host, vmm, NVME);
    await attach(host, vmm, FAR);
    await detach(host, vmm, NVME);
    await detach(host, vmm, FAR);
    let calls = 0;
    failures.before = async (verb) => {
      if (verb === "destroyPart" && ++calls === 2) failures.fail("destroyPart");
    };
    const remove = () => host.core.virtualIommus.remove(vmm.session, vmm.virtualIommu);
    expect((await refusal(remove)).code).toBe("backend_failed");
    await remove();
    expect(calls).toBe(3);
    expect(host.core.census().virtualIommus).toBe(1); // the first guest's
  });

  test("another session's is refused", async () => {
    const other = await guest(host, { name: "other" });
    const error = await refusal(() => host.core.virtualIommus.remove(other.session, vmm.virtualIommu));
    expect(error.code).toBe("not_owner");
  });
});

describe("setting the mode of all devices", () => {
  test("every group goes to it, a group of three once, guest tables are dropped, names kept", async () => {
    await attach(host, vmm, NVME);
    await attach(host, vmm, TRIPLE[0]!);
    await attach(host, vmm, TRIPLE[2]!);
    await bind(host, vmm, NVME, TRANSLATE, 0x30);
    const results = await host.core.virtualIommus.setMode(vmm.session, vmm.virtualIommu, "bypass");
    expect(results).toEqual([
      { device: NVME, error: undefined, generation: 3 },
      { device: TRIPLE[0], error: undefined, generation: 2 },
      { device: TRIPLE[2], error: undefined, generation: 2 },
    ]);
    expect([NVME, ...TRIPLE].map((id) => steConfig(host, id))).toEqual([0b110, 0b110, 0b110, 0b110]);
    expect(host.core.devices.get(NVME)).toMatchObject({ vste: BYPASS_VSTE, virtualStreamID: 0x30 });
    await host.core.virtualIommus.setMode(vmm.session, vmm.virtualIommu, "abort");
    expect(steConfig(host, NVME)).toBe(0b000);
  });

  test("one group that fails is told by itself, and the others are done", async () => {
    await attach(host, vmm, NVME);
    await attach(host, vmm, DISK);
    failures.fail("setPlainStage");
    const results = await host.core.virtualIommus.setMode(vmm.session, vmm.virtualIommu, "bypass");
    expect(results.map(({ error, generation }) => [error?.code, generation])).toEqual([
      ["backend_failed", 1],
      [undefined, 2],
    ]);
  });

  test("a group whose last device is being unplugged at the same time is told by itself", async () => {
    await attach(host, vmm, NVME);
    const unplugging = host.core.simulator?.removeDevice(vmm.session, NVME);
    const results = await host.core.virtualIommus.setMode(vmm.session, vmm.virtualIommu, "abort");
    await unplugging;
    expect(results.map(({ device, error, generation }) => [device, error?.code, generation])).toEqual([
      [NVME, "transition_illegal", 0],
    ]);
  });

  test("of an unknown or another session's virtual IOMMU it is refused", async () => {
    const other = await guest(host, { name: "other" });
    const { virtualIommus } = host.core;
    expect((await refusal(() => virtualIommus.setMode(vmm.session, "none", "abort"))).code).toBe(
      "virtual_iommu_unknown",
    );
    expect((await refusal(() => virtualIommus.setMode(other.session, vmm.virtualIommu, "abort"))).code).toBe(
      "not_owner",
    );
  });
});

describe("invalidating", () => {
  const NSNH_ALL = { dword0: 0x30n, dword1: 0n };
  const invalidate = (commands: readonly { dword0: bigint; dword1: bigint }[]) =>
    host.core.virtualIommus.invalidate(vmm.session, vmm.virtualIommu, commands);

  test("the whole batch runs, and no generation moves", async () => {
    await attach(host, vmm, NVME);
    await bind(host, vmm, NVME, TRANSLATE, 0x30);
    expect(await invalidate([NSNH_ALL, { dword0: 0x06n | (0x30n << 32n), dword1: 0n }])).toBe(2);
    expect(host.core.devices.get(NVME).generation).toBe(2);
  });

  test("one bad command and none runs", async () => {
    await attach(host, vmm, NVME);
    const before = host.backend.counters().iommus[0]!.commands;
    expect((await refusal(() => invalidate([NSNH_ALL, { dword0: 0x46n, dword1: 0n }]))).code).toBe("argument_invalid");
    expect(host.backend.counters().iommus[0]!.commands).toBe(before);
    expect(failures.calls).not.toContain("invalidate");
  });

  test("empty and too long batches are refused", async () => {
    expect((await refusal(() => invalidate([]))).fields[0]!.path).toBe("commands");
    const error = await refusal(() => invalidate(new Array(9).fill(NSNH_ALL)));
    expect(error.facts).toEqual({ limit: "commands_per_call_max", maximum: 8 });
  });

  test("a name that was given up is no longer one", async () => {
    await attach(host, vmm, NVME);
    await bind(host, vmm, NVME, TRANSLATE, 0x30);
    await detach(host, vmm, NVME);
    expect((await refusal(() => invalidate([{ dword0: 0x06n | (0x30n << 32n), dword1: 0n }]))).message).toMatch(
      /no device has virtual StreamID 48/,
    );
  });

  test("whatever bits a guest sends, the batch is refused as a whole or runs as a whole: never a CERROR", async () => {
    await attach(host, vmm, NVME);
    await bind(host, vmm, NVME, TRANSLATE, 0x30);
    const stream = 0x30n << 32n;
    // Opcode, and the bits of both doublewords that are fields a guest may fill (§4.3, §4.4); few are refused then.
    const shapes = [
      [0x05n | stream, 0xffff_f000n, 1n],
      [0x06n | stream, 0n, 0n],
      [0x11n, 0xffff_0000_0000_0000n, 0n],
      [0x12n, 0xffff_0000_01f1_f000n, 0xffff_ffff_ffff_ff01n & ~0xf0n],
      [0x13n, 0x01f1_f000n, 0xffff_ffff_ffff_ff01n & ~0xf0n],
      [0x13n, 0n, 0xf00n],
      [0x30n, 0n, 0n],
      [0x40n | stream, 0xffff_fa00n, 0x3fn],
    ] as const;
    const word = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    const command = fc
      .tuple(fc.constantFrom(...shapes), word, word, fc.nat({ max: 9 }))
      .map(([[fixed, low, high], one, other, wild]) =>
        wild === 0 ? { dword0: one, dword1: other } : { dword0: fixed | (one & low), dword1: other & high },
      );
    let ran = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 3 }), async (commands) => {
        try {
          expect(await invalidate(commands)).toBe(commands.length);
          ran += 1;
        } catch (error) {
          if (!(error instanceof BrokerError)) throw error;
          expect(error.code).toBe("argument_invalid");
        }
      }),
      { numRuns: 2000 },
    );
    expect(ran).toBeGreaterThan(300);
  });
});
