// Quotas as the verbs keep them: over all sessions of an identity, also when calls run at once.

import { describe, expect, test } from "vitest";
import type { ProcessCaller } from "../../../src/server/core/caller.ts";
import type { Policy, PolicyRule } from "../../../src/server/core/policy.ts";
import {
  addFile,
  attach,
  CALLER,
  DISK,
  Failures,
  guest,
  NIC,
  NVME,
  refusal,
  TRIPLE,
  testHost,
} from "../../support/host.ts";
import { rule } from "../../support/policy.ts";

const OTHER: ProcessCaller = { ...CALLER, uid: 1002 };
const RAM = 2 ** 21;

function granting(quotas: PolicyRule["quotas"]): Policy {
  return { rules: [rule("vms", { who: [{ fact: "uid", oneOf: [CALLER.uid] }], quotas }), rule("others")] };
}

const open = (host: ReturnType<typeof testHost>, caller: ProcessCaller = CALLER) =>
  host.core.sessions.open({ displayName: "vmm", ttlMs: undefined, caller });

describe("sessions", () => {
  test("an identity has so many and no more, whichever of its processes asks", async () => {
    const host = testHost({ policy: granting({ sessions: 2 }) });
    const first = open(host);
    open(host, { ...CALLER, pid: 43 });
    const error = await refusal(() => open(host, { ...CALLER, pid: 44 }));
    expect(error).toMatchObject({ code: "limit_reached", facts: { limit: "quota_sessions", identity: "uid:1000" } });
    open(host, OTHER);
    await host.core.sessions.close(first.session.id);
    open(host);
  });
});

describe("devices", () => {
  test("they count over all sessions of an identity", async () => {
    const host = testHost({ policy: granting({ devices: 2 }) });
    const one = await guest(host, { name: "one" });
    const two = await guest(host, { name: "two" });
    await attach(host, one, NVME);
    await attach(host, two, NIC);
    expect((await refusal(() => attach(host, two, DISK))).facts).toMatchObject({ limit: "quota_devices", maximum: 2 });
    expect(host.core.devices.get(DISK).state).toBe("default-domain");
    await attach(host, two, NIC); // it has that one already
    await host.core.sessions.close(one.session);
    await attach(host, two, DISK);
  });

  test("calls that run at once do not get together what none of them would get alone", async () => {
    const host = testHost({ policy: granting({ devices: 2 }) });
    const one = await guest(host, { name: "one" });
    const two = await guest(host, { name: "two" });
    const wishes = [
      attach(host, one, NVME),
      attach(host, two, NIC),
      attach(host, one, DISK),
      attach(host, two, TRIPLE[0]!),
    ];
    const ends = await Promise.allSettled(wishes);
    const attached = host.core.devices.list().filter(({ attached: isAttached }) => isAttached);
    expect(attached).toHaveLength(2);
    expect(ends.filter(({ status }) => status === "rejected")).toHaveLength(2);
  });

  test("an attach that failed leaves its share to the next", async () => {
    const failures = new Failures();
    const host = testHost({ policy: granting({ devices: 1 }), wrap: failures.wrap });
    const one = await guest(host);
    failures.fail("attach");
    expect((await refusal(() => attach(host, one, NVME))).code).toBe("backend_failed");
    await attach(host, one, NVME);
  });
});

describe("mapped bytes", () => {
  test("address spaces filled at once stay within the quota, and unmapping gives it back", async () => {
    const host = testHost({ policy: granting({ mapped_bytes: 3 * RAM }), limits: { addressSpacesPerSessionMax: 9 } });
    const vmm = await guest(host, { bytes: RAM });
    const file = addFile(host, "/memory/more", RAM);
    const spaces = await Promise.all([1, 2, 3, 4].map(() => host.core.addressSpaces.create(vmm.session, "eager")));
    const whole = { ipa: 0x4000_0000n, bytes: BigInt(RAM), source: 0, offset: 0n, readable: true, writable: true };
    const ends = await Promise.allSettled(
      spaces.map(({ id: addressSpace }) =>
        host.core.addressSpaces.map(vmm.session, { addressSpace, sources: [file.path], mappings: [whole] }),
      ),
    );
    expect(ends.filter(({ status }) => status === "fulfilled")).toHaveLength(2);
    expect(host.core.census().mappedBytes).toBe(3 * RAM);
    await host.core.addressSpaces.unmap(vmm.session, {
      addressSpace: vmm.addressSpace,
      ranges: [{ ipa: 0x4000_0000n, bytes: BigInt(RAM) }],
    });
    const again = { addressSpace: vmm.addressSpace, sources: [file.path], mappings: [whole] };
    await host.core.addressSpaces.map(vmm.session, again);
    expect(host.core.census().mappedBytes).toBe(3 * RAM);
  });
});

describe("fault streams", () => {
  test("they count over all sessions of an identity, and end with close()", async () => {
    const host = testHost({ policy: granting({ fault_streams: 1 }) });
    const watch = { devices: [], resumeAfter: new Map() };
    const one = open(host).session.id;
    const two = open(host).session.id;
    const stream = host.core.faults.subscribe(one, watch);
    expect((await refusal(() => host.core.faults.subscribe(two, watch))).facts.limit).toBe("quota_fault_streams");
    stream.close();
    host.core.faults.subscribe(two, watch);
  });
});

describe("what a rule is limited to", () => {
  test("a device that is denied stays the host's, whether it is there or not; what is held stays held", async () => {
    const host = testHost();
    const vmm = await guest(host);
    await attach(host, vmm, NIC);
    const devices = { ids: ["0000:01:*"], groups: [1] };
    const only = [rule("one nvme", { who: [{ fact: "uid", oneOf: [CALLER.uid] }], devices })];
    host.core.permissions.replace({ rules: only });
    expect((await refusal(() => attach(host, vmm, TRIPLE[0]!))).code).toBe("policy_denied");
    await attach(host, vmm, NVME);
    await attach(host, vmm, DISK); // in group 1
    expect(host.core.devices.get(NIC).attached).toBe(true);
    expect((await refusal(() => attach(host, vmm, NIC))).code).toBe("policy_denied");
  });

  test("a path that is denied is never opened", async () => {
    const policy = { rules: [rule("huge", { memoryPaths: ["/dev/hugepages/**"] })] };
    const host = testHost({ policy });
    const session = open(host).session.id;
    const { id: addressSpace } = await host.core.addressSpaces.create(session, "eager");
    addFile(host, "/memory/ram", RAM);
    addFile(host, "/dev/hugepages/vm/ram", RAM);
    const map = (path: string) =>
      host.core.addressSpaces.map(session, {
        addressSpace,
        sources: [path],
        mappings: [{ ipa: 0n, bytes: 4096n, source: 0, offset: 0n, readable: true, writable: true }],
      });
    const error = await refusal(() => map("/memory/ram"));
    expect(error).toMatchObject({ code: "policy_denied", fields: [{ path: "sources[0].path" }] });
    expect((await refusal(() => map("/memory/absent"))).code).toBe("policy_denied");
    await map("/dev/hugepages/vm/ram");
  });
});

test("a quota that is lowered below what is held takes nothing away", async () => {
  const host = testHost({ policy: granting({ devices: 2 }) });
  const vmm = await guest(host);
  await attach(host, vmm, NVME);
  await attach(host, vmm, NIC);
  host.core.permissions.replace(granting({ devices: 1 }));
  expect(host.core.devices.list().filter(({ attached }) => attached)).toHaveLength(2);
  expect((await refusal(() => attach(host, vmm, DISK))).code).toBe("limit_reached");
});
