import { beforeEach, describe, expect, test } from "vitest";
import { checkVSTE } from "../../../src/backends/vste.ts";
import type { SessionNotice } from "../../../src/server/core/session-notices.ts";
import {
  attach,
  bind,
  CALLER,
  DISK,
  FAR,
  Failures,
  type Guest,
  guest,
  NIC,
  NVME,
  refusal,
  SMMU0,
  SMMU1,
  steConfig,
  type TestHost,
  testHost,
  turn,
} from "../../support/host.ts";

const TRANSLATE = checkVSTE(0x4000_000bn, 0xd4n); // V=1, Config 0b101, S1ContextPtr 0x4000_0000 (§5.2)
const LEASE_MS = 10_000;

let host: TestHost;
let vmm: Guest;
let failures: Failures;
beforeEach(async () => {
  failures = new Failures();
  host = testHost({ wrap: failures.wrap });
  vmm = await guest(host, { iommus: [SMMU0, SMMU1] });
  await attach(host, vmm, NVME);
  await attach(host, vmm, FAR, "bypass");
  await bind(host, vmm, NVME, TRANSLATE, 0x30);
});

const stages = () =>
  host.events.flatMap((event) => (event.type === "stageChanged" ? [`${event.trigger} → ${event.to}`] : []));
const empty = { sessions: 0, addressSpaces: 0, virtualIommus: 0, mappedBytes: 0 };

describe("an expired lease", () => {
  test("a millisecond before it nothing is taken; at it everything is", async () => {
    host.clock.advance(LEASE_MS - 1);
    await host.core.reapExpired();
    expect(host.core.census()).toMatchObject({ sessions: 1, virtualIommus: 1 });
    host.clock.advance(1);
    await host.core.reapExpired();
    expect(host.core.census()).toMatchObject(empty);
  });

  test("each device goes to abort first and then home: two generations, in that order", async () => {
    const before = stages().length;
    host.clock.advance(LEASE_MS);
    await host.core.reapExpired();
    expect(stages().slice(before)).toEqual([
      "ownerLost → guest-abort",
      "release → default-domain",
      "ownerLost → guest-abort",
      "release → default-domain",
    ]);
    expect(host.core.devices.get(NVME)).toMatchObject({
      state: "default-domain",
      generation: 4,
      owner: undefined,
      vste: undefined,
    });
    expect([NVME, FAR].map((id) => steConfig(host, id))).toEqual([0b101, 0b101]);
  });

  test("a device that was in abort already goes straight home", async () => {
    await attach(host, vmm, DISK);
    host.clock.advance(LEASE_MS);
    await host.core.reapExpired();
    expect(host.core.devices.get(DISK)).toMatchObject({ state: "default-domain", generation: 2 });
  });

  test("files are let go, parts and address spaces are taken down, and it is told", async () => {
    const heard: SessionNotice[] = [];
    host.core.sessions.onNotice(vmm.session, (notice) => heard.push(notice));
    host.clock.advance(LEASE_MS);
    await host.core.reapExpired();
    expect(vmm.file.references).toBe(1);
    expect(failures.calls.filter((verb) => verb.startsWith("destroy"))).toEqual([
      "destroyPart",
      "destroyPart",
      "destroyAddressSpace",
    ]);
    expect(heard).toEqual([{ kind: "ended" }]);
    expect(host.events.slice(-1)).toEqual([{ type: "reaped", session: vmm.session, devices: 2 }]);
    expect(host.events).toContainEqual({
      type: "sessionEnded",
      session: vmm.session,
      displayName: "vmm",
      reason: "lease_expired",
    });
  });

  test("reaping again finds nothing", async () => {
    host.clock.advance(LEASE_MS);
    await host.core.reapExpired();
    const { length } = host.events;
    await host.core.reapExpired();
    expect(host.events).toHaveLength(length);
  });

  test("another session's lease is its own", async () => {
    const other = await guest(host, { name: "other" });
    await attach(host, other, NIC);
    host.clock.advance(LEASE_MS - 1);
    host.core.sessions.renew(other.session);
    host.clock.advance(1);
    await host.core.reapExpired();
    expect(host.core.devices.get(NIC)).toMatchObject({ attached: true, generation: 1 });
    expect(host.core.census().sessions).toBe(1);
  });
});

describe("closing", () => {
  test("resolves when all is given back, and the journal has every step", async () => {
    await host.core.sessions.close(vmm.session);
    expect(host.core.census()).toMatchObject(empty);
    expect(vmm.file.references).toBe(1);
    expect(host.journal.slice(-2).map(({ verb, result }) => [verb, result])).toEqual([
      ["release", "pending"],
      ["release", "done"],
    ]);
    expect((await refusal(() => host.core.sessions.authenticate(vmm.token, CALLER))).facts).toEqual({
      reason: "closed",
    });
  });

  test("a session that is closed already is closed: nothing more is told", async () => {
    await host.core.sessions.close(vmm.session);
    const { length } = host.events;
    await host.core.sessions.close(vmm.session);
    expect(host.events).toHaveLength(length);
  });

  test("twice at once is one run", async () => {
    await Promise.all([
      host.core.sessions.close(vmm.session),
      host.core.sessions.close(vmm.session),
      host.core.reapExpired(),
    ]);
    expect(host.events.filter((event) => event.type === "reaped")).toHaveLength(1);
    expect(failures.calls.filter((verb) => verb === "destroyAddressSpace")).toHaveLength(1);
  });
});

describe("a backend that fails while it is given back", () => {
  test("the group stays with its dead owner, in the stage it had, until a later reap succeeds", async () => {
    failures.fail("setPlainStage");
    await host.core.sessions.close(vmm.session);
    expect(host.core.devices.get(NVME)).toMatchObject({
      state: "guest-nested",
      generation: 2,
      owner: { displayName: "vmm" },
    });
    const other = await guest(host, { name: "other" });
    const error = await refusal(() => attach(host, other, NVME));
    expect(error).toMatchObject({ code: "device_owned", facts: { owner: "vmm", state: "guest-nested" } });
    expect(host.core.devices.get(FAR)).toMatchObject({ owner: undefined }); // the other group went home
    await host.core.reapExpired();
    expect(await attach(host, other, NVME)).toMatchObject({ generation: 5 });
    expect(host.core.census()).toMatchObject({ sessions: 1, addressSpaces: 1 });
  });

  test("when only the release fails the device waits in abort", async () => {
    failures.fail("detach");
    await host.core.sessions.close(vmm.session);
    expect(host.core.devices.get(NVME)).toMatchObject({ state: "guest-abort", generation: 3 });
    expect(steConfig(host, NVME)).toBe(0b000);
    await host.core.reapExpired();
    expect(host.core.devices.get(NVME)).toMatchObject({ state: "default-domain", generation: 4 });
  });

  test.each(["destroyPart", "destroyAddressSpace"] as const)("%s: tried again, and told each time", async (verb) => {
    failures.fail(verb, 2);
    await host.core.sessions.close(vmm.session);
    const failed = () => host.events.filter((event) => event.type === "reapFailed").map((event) => event.subject);
    expect(failed()[0]).toMatch(verb === "destroyPart" ? /^virtualIommu\// : /^addressSpace\//);
    expect(vmm.file.references).toBeGreaterThan(1);
    await host.core.reapExpired();
    await host.core.reapExpired();
    await host.core.reapExpired();
    expect(host.core.census()).toMatchObject(empty);
    expect(vmm.file.references).toBe(1);
  });
});

describe("a call in flight while its session ends", () => {
  /** Holds the backend at a verb until it is let go. */
  function hold(verb: string): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    failures.before = async (called) => {
      if (called === verb) await promise;
    };
    return resolve;
  }

  test.each([
    ["attach", () => attach(host, vmm, DISK)],
    ["bindGuestStage", () => bind(host, vmm, NVME, TRANSLATE)],
    [
      "createPart",
      async () => {
        const { addressSpace, session } = vmm;
        const view = await host.core.virtualIommus.create(session, {
          addressSpace,
          iommus: [SMMU0],
          registers: undefined,
        });
        return await attach(host, { ...vmm, virtualIommu: view.id }, DISK);
      },
    ],
  ])("%s comes to its end, and then goes the way of all", async (verb, act) => {
    const release = hold(verb);
    const call = act().catch(() => undefined);
    await turn();
    const closed = host.core.sessions.close(vmm.session);
    release();
    await Promise.all([call, closed]);
    await host.core.reapExpired();
    expect(host.core.census()).toMatchObject(empty);
    expect(host.core.devices.list().every((device) => device.owner === undefined)).toBe(true);
    expect(vmm.file.references).toBe(1);
  });

  test("a map that was waiting is refused and keeps no file", async () => {
    const release = hold("map");
    const { addressSpace, session, file } = vmm;
    const mapping = { ipa: 0x9000_0000n, bytes: 4096n, source: 0, offset: 0n, readable: true, writable: true };
    const map = (ipa: bigint) =>
      host.core.addressSpaces.map(session, {
        addressSpace,
        sources: [file.path],
        mappings: [{ ...mapping, ipa }],
      });
    const [first, second] = [map(0x9000_0000n), refusal(() => map(0xa000_0000n))];
    await turn();
    const closed = host.core.sessions.close(session);
    release();
    await Promise.all([first, closed]);
    expect((await second).code).toBe("lease_expired");
    await host.core.reapExpired();
    expect(file.references).toBe(1);
  });

  test("an address space whose session ended while it was made is taken down again", async () => {
    const release = hold("createAddressSpace");
    const created = refusal(() => host.core.addressSpaces.create(vmm.session, "eager"));
    await turn();
    const closed = host.core.sessions.close(vmm.session);
    release();
    expect((await created).code).toBe("lease_expired");
    await closed;
    expect(host.core.census()).toMatchObject(empty);
    expect(failures.calls.filter((verb) => verb === "destroyAddressSpace")).toHaveLength(2);
  });
});
