import { expect, test } from "vitest";
import { BYPASS_VSTE } from "../../../src/backends/vste.ts";
import type { ProcessCaller } from "../../../src/server/core/caller.ts";
import { NO_FAULTS } from "../../support/faults.ts";
import { attach, bind, CALLER, DISK, guest, SMMU0, testHost } from "../../support/host.ts";
import { rule } from "../../support/policy.ts";

const RAM = 2 ** 21;
const NOTHING = { sessions: 0, addressSpaces: 0, virtualIommus: 0, mappedBytes: 0, pinnedBytes: 0, clients: [] };

test("what is held is counted, and without a session nothing is", async () => {
  const host = testHost();
  const zero = host.core.census();
  expect(zero).toMatchObject({ ...NOTHING, leases: { live: 0, restored: 0, lost: 0 }, queueDepth: 0 });
  expect(zero.faults).toEqual(NO_FAULTS);
  expect(zero.devices.every((device) => device.state === "default-domain" && !device.attached)).toBe(true);
  const vmm = await guest(host);
  await attach(host, vmm, DISK, "bypass");
  const census = host.core.census();
  expect(census).toMatchObject({ sessions: 1, addressSpaces: 1, virtualIommus: 1, mappedBytes: RAM });
  expect(census.devices.find(({ id }) => id === DISK)).toEqual({
    id: DISK,
    iommu: SMMU0,
    state: "nest-parent",
    generation: 1,
    attached: true,
  });
  await host.core.sessions.close(vmm.session);
  expect(host.core.census()).toMatchObject(NOTHING);
});

test("memory is pinned once it is in stage 2, and not while it waits for a first bind", async () => {
  const host = testHost();
  const vmm = await guest(host, { pinning: "on-first-bind" });
  expect(host.core.census()).toMatchObject({ mappedBytes: RAM, pinnedBytes: 0 });
  await attach(host, vmm, DISK);
  await bind(host, vmm, DISK, BYPASS_VSTE);
  expect(host.core.census()).toMatchObject({ mappedBytes: RAM, pinnedBytes: RAM });
});

test("a session that hangs on a lease is a lease, one that hangs on a process is none", () => {
  const host = testHost();
  host.core.sessions.open({ displayName: "lease", ttlMs: 60_000, caller: CALLER });
  const { leases, sessionStates } = host.core.census();
  expect([leases.live, sessionStates.live]).toEqual([1, 1]);
});

test("clients are counted under the rule that lets them attach, whatever their pid", async () => {
  const other: ProcessCaller = { ...CALLER, uid: 1002 };
  const rules = [rule("vms", { who: [{ fact: "uid", oneOf: [CALLER.uid] }] }), rule("others")];
  const host = testHost({ policy: { rules } });
  const vmm = await guest(host);
  await attach(host, vmm, DISK, "bypass");
  for (const pid of [43, 44]) {
    host.core.sessions.open({ displayName: "x", ttlMs: undefined, caller: { ...CALLER, pid } });
  }
  host.core.sessions.open({ displayName: "y", ttlMs: undefined, caller: other });
  expect(host.core.census().clients).toEqual([
    { name: "vms", sessions: 3, devices: 1, mappedBytes: RAM },
    { name: "others", sessions: 1, devices: 0, mappedBytes: 0 },
  ]);
});
