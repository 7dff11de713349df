import { beforeEach, describe, expect, test } from "vitest";
import type { DeviceID } from "../../../src/backends/ids.ts";
import type { SimulatedConfig } from "../../../src/backends/sim/inventory.ts";
import { checkVSTE } from "../../../src/backends/vste.ts";
import type { DeviceView } from "../../../src/server/core/views.ts";
import {
  attach,
  bind,
  detach,
  Failures,
  type Guest,
  guest,
  NIC,
  NVME,
  readEnds,
  refusal,
  steConfig,
  type TestHost,
  TRIPLE,
  TWO_SMMUS,
  testHost,
  turn,
} from "../../support/host.ts";

const TRANSLATE = checkVSTE(0x4000_000bn, 0xd4n); // V=1, Config 0b101, S1ContextPtr 0x4000_0000 (§5.2)
const CMD_CFGI_CD = { dword0: 0x05n + (0x30n << 32n), dword1: 0n }; // §4.3.3, StreamID [63:32]
const CMD_TLBI_NH_ALL = { dword0: 0x10n, dword1: 0n }; // §4.4.2

let host: TestHost;
let failures: Failures;
let vmm: Guest;
beforeEach(async () => {
  await start();
});

/** @param behaviour  of NVME and of the middle one of the group of three */
async function start(behaviour: "works" | "fails" | "absent" = "works"): Promise<void> {
  failures = new Failures();
  const config: SimulatedConfig = {
    ...TWO_SMMUS,
    devices: TWO_SMMUS.devices.map((device) =>
      device.id === NVME || device.id === TRIPLE[1] ? { ...device, reset: behaviour } : device,
    ),
  };
  host = testHost({ wrap: failures.wrap, config });
  vmm = await guest(host);
  await attach(host, vmm, NVME, "bypass");
}

function reset(who: Guest = vmm, device: DeviceID = NVME): Promise<DeviceView> {
  return host.core.stages.reset(who.session, { device, expectedGeneration: undefined });
}

/** Resets wait until the returned function is called. */
function held(): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  failures.before = async (verb) => {
    if (verb === "reset") await promise;
  };
  return resolve;
}

const quarantined = () => host.events.filter(({ type }) => type === "quarantined");
const results = () => host.events.flatMap((event) => (event.type === "deviceReset" ? [event.result] : []));

describe("a reset at the owner's wish", () => {
  test("changes neither stage nor generation nor name", async () => {
    await bind(host, vmm, NVME, TRANSLATE, 0x30);
    const before = host.core.devices.get(NVME);
    expect(await reset()).toEqual(before);
    expect(steConfig(host, NVME)).toBe(0b111);
    expect(results()).toEqual(["done"]);
  });

  test("is for the owner alone, of the generation it has seen", async () => {
    const other = await guest(host, { name: "other" });
    expect((await refusal(() => reset(other))).code).toBe("device_owned");
    expect((await refusal(() => reset(vmm, NIC))).code).toBe("not_owner");
    const stale = { device: NVME, expectedGeneration: 7n };
    expect((await refusal(() => host.core.stages.reset(vmm.session, stale))).code).toBe("fenced");
    expect(failures.calls).not.toContain("reset");
  });

  test("of one of a group resets that one only", async () => {
    for (const id of TRIPLE) await attach(host, vmm, id);
    await reset(vmm, TRIPLE[0]);
    expect(host.events.filter(({ type }) => type === "deviceReset")).toEqual([
      { type: "deviceReset", device: TRIPLE[0], result: "done" },
    ]);
  });

  test.each([
    ["absent", "backend_unsupported", "cannot be reset: it has no function-level reset"],
    ["fails", "backend_failed", "did not come out of its reset: it does not answer any more"],
  ] as const)("that is %s is refused with the reason, and the device stays its owner's", async (how, code, why) => {
    await start(how);
    const error = await refusal(() => reset());
    expect([error.code, error.message]).toEqual([code, `device ${NVME} ${why}`]);
    expect(host.core.devices.get(NVME)).toMatchObject({ state: "nest-parent", owner: { displayName: "vmm" } });
  });
});

describe("while a device is being reset", () => {
  test.each<[string, () => Promise<unknown>]>([
    ["bind", () => bind(host, vmm, NVME, TRANSLATE, 0x30)],
    ["unbind", () => host.core.stages.unbind(vmm.session, { device: NVME, expectedGeneration: undefined })],
    ["another reset", () => reset()],
    ["attach", () => attach(host, vmm, NVME)],
    ["a command that names it", () => host.core.virtualIommus.invalidate(vmm.session, vmm.virtualIommu, [CMD_CFGI_CD])],
  ])("%s is refused at once, to be tried again", async (_name, act) => {
    await bind(host, vmm, NVME, TRANSLATE, 0x30);
    const goOn = held();
    const resetting = reset();
    await turn();
    const error = await refusal(act);
    expect([error.code, error.facts.device, error.retryAfterMs]).toEqual(["device_resetting", NVME, 100]);
    goOn();
    await resetting;
    failures.before = async () => {};
    await act();
  });

  test("commands that do not name it pass, and so do other devices", async () => {
    await attach(host, vmm, NIC);
    const goOn = held();
    const resetting = reset();
    await turn();
    expect(await host.core.virtualIommus.invalidate(vmm.session, vmm.virtualIommu, [CMD_TLBI_NH_ALL])).toBe(1);
    expect((await bind(host, vmm, NIC, TRANSLATE, 0x31)).state).toBe("guest-nested");
    goOn();
    await resetting;
  });

  test("setting the mode of its virtual IOMMU goes on over it and answers for each", async () => {
    await attach(host, vmm, NIC);
    const goOn = held();
    const resetting = reset();
    await turn();
    const modes = await host.core.virtualIommus.setMode(vmm.session, vmm.virtualIommu, "abort");
    expect(modes.map(({ device, error }) => [device, error?.code])).toEqual([
      [NIC, undefined],
      [NVME, "device_resetting"],
    ]);
    goOn();
    await resetting;
  });

  test("somebody who may wait gets it when the reset after its owner is over", async () => {
    const other = await guest(host, { name: "other" });
    const goOn = held();
    const leaving = detach(host, vmm, NVME);
    await turn();
    const { session, virtualIommu } = other;
    const request = { device: NVME, virtualIommu, initial: "abort", expectedGeneration: undefined } as const;
    expect((await refusal(() => host.core.stages.attach(session, request))).code).toBe("device_resetting");
    const waiting = host.core.stages.attach(session, { ...request, waitMs: 5000 });
    await turn();
    goOn();
    await leaving;
    expect((await waiting).owner?.displayName).toBe("other");
  });
});

describe("between owners", () => {
  test("a device is reset before it goes to the host's domain", async () => {
    const before = failures.calls.length;
    await detach(host, vmm, NVME);
    expect(failures.calls.slice(before)).toEqual(["reset", "detach"]);
  });

  test("after a lost owner it is aborted first", async () => {
    const before = failures.calls.length;
    host.clock.advance(10_000);
    await host.core.reapExpired();
    expect(failures.calls.slice(before, before + 3)).toEqual(["setPlainStage", "reset", "detach"]);
  });

  test("one that disappears need not be; those that stay in its group are", async () => {
    await attach(host, vmm, TRIPLE[0]!);
    await host.core.simulator?.removeDevice(vmm.session, TRIPLE[0]!);
    await host.core.simulator?.removeDevice(vmm.session, NVME);
    const reset = host.events.flatMap((event) => (event.type === "deviceReset" ? [event.device] : []));
    expect(reset).toEqual([TRIPLE[1], TRIPLE[2]]);
  });

  test.each(["absent", "fails"] as const)("one whose reset is %s is quarantined", async (how) => {
    await start(how);
    const { generation } = host.core.devices.get(NVME);
    expect(await detach(host, vmm, NVME)).toMatchObject({
      state: "quarantined",
      generation: generation + 1,
      owner: undefined,
      attached: false,
      virtualIommu: undefined,
    });
    expect(steConfig(host, NVME)).toBe(0b000);
    expect(await readEnds(host, NVME, 0x4000_0000)).toBe("abort");
    expect(quarantined()).toHaveLength(1);
    await host.core.sessions.close(vmm.session); // what it held besides goes all the same
    expect(host.core.census()).toMatchObject({ virtualIommus: 0, addressSpaces: 0 });
  });

  test("one of a group that cannot be reset quarantines the whole group", async () => {
    await start("fails");
    await attach(host, vmm, TRIPLE[0]!);
    await detach(host, vmm, TRIPLE[0]!);
    expect(TRIPLE.map((id) => [host.core.devices.get(id).state, steConfig(host, id)])).toEqual([
      ["quarantined", 0],
      ["quarantined", 0],
      ["quarantined", 0],
    ]);
  });

  test("a backend that breaks during the reset counts as a failed one", async () => {
    failures.fail("reset");
    expect((await detach(host, vmm, NVME)).state).toBe("quarantined");
    expect(quarantined()).toMatchObject([{ device: NVME, reason: "reset fails on purpose" }]);
  });

  test("where not even the quarantine succeeds the dead owner keeps it, and the next tick tries again", async () => {
    await start("fails");
    failures.fail("block");
    host.clock.advance(10_000);
    await host.core.reapExpired();
    expect(host.core.devices.get(NVME)).toMatchObject({ state: "guest-abort", owner: { displayName: "vmm" } });
    await host.core.reapExpired();
    expect(host.core.devices.get(NVME)).toMatchObject({ state: "quarantined", owner: undefined });
  });
});

describe("a quarantined device", () => {
  beforeEach(async () => {
    await start("absent");
    await detach(host, vmm, NVME);
  });

  test("is nobody's to attach, and says who can help", async () => {
    const error = await refusal(() => attach(host, vmm, NVME));
    expect(error.code).toBe("device_quarantined");
    expect(error.message).toContain("an administrator must release it");
  });

  test("is not waited for either", async () => {
    const { session, virtualIommu } = vmm;
    const request = { device: NVME, virtualIommu, initial: "abort", expectedGeneration: undefined } as const;
    const error = await refusal(() => host.core.stages.attach(session, { ...request, waitMs: 5000 }));
    expect(error.code).toBe("device_quarantined");
  });

  test("takes no other device into its group", async () => {
    const device = host.backend.inventory.devices().find(({ id }) => id === NVME)!;
    const error = await refusal(() => host.core.simulator?.addDevice(vmm.session, { ...device, streamIDs: [] }));
    expect(error.code).toBe("device_quarantined");
  });

  test("is the host's again when an administrator says so, and anybody's then", async () => {
    const { generation } = host.core.devices.get(NVME);
    expect(await host.core.devices.unquarantine(NVME)).toMatchObject({
      state: "default-domain",
      generation: generation + 1,
    });
    expect(steConfig(host, NVME)).toBe(0b101);
    expect((await attach(host, vmm, NVME)).owner?.displayName).toBe("vmm");
  });

  test("stays so when it can be reset but does not come out of it", async () => {
    await start("fails");
    await detach(host, vmm, NVME);
    expect((await refusal(() => host.core.devices.unquarantine(NVME))).code).toBe("backend_failed");
    expect(host.core.devices.get(NVME).state).toBe("quarantined");
  });

  test("can be removed; one that comes back under its name is the host's, and counts on", async () => {
    const device = host.backend.inventory.devices().find(({ id }) => id === NVME)!;
    const { generation } = host.core.devices.get(NVME);
    await host.core.simulator?.removeDevice(vmm.session, NVME);
    host.core.simulator?.addDevice(vmm.session, device);
    expect(host.core.devices.get(NVME)).toMatchObject({ state: "default-domain", generation: generation + 1 });
    expect(steConfig(host, NVME)).toBe(0b101);
  });
});

test("a device that is not quarantined cannot be released from quarantine", async () => {
  expect((await refusal(() => host.core.devices.unquarantine(NVME))).facts).toMatchObject({ state: "nest-parent" });
});
