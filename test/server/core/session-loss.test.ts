// What becomes of a session whose owner is gone, and how somebody takes it up again: with devices, on the hardware.

import { beforeEach, describe, expect, test } from "vitest";
import { checkVSTE } from "../../../src/backends/vste.ts";
import type { DurableRecord } from "../../../src/server/core/durable.ts";
import type { SessionNotice } from "../../../src/server/core/session-notices.ts";
import {
  addFile,
  attach,
  bind,
  CALLER,
  FAR,
  Failures,
  FakeProcesses,
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
const GRACE_MS = 5000;
const HEIR = { ...CALLER, pid: 43, connection: "uds-2" };
const OTHER = { ...CALLER, uid: 1001, pid: 50, connection: "uds-3" };
/** STE.Config of a group at abort, with both stages, and in the host's default domain (§5.2). */
const [ABORT, NESTED, HOST] = [0b000, 0b111, 0b101];

let host: TestHost;
let failures: Failures;
beforeEach(() => {
  failures = new Failures();
  host = testHost({ wrap: failures.wrap });
  for (const [pid, birth] of [
    [42, "noon"],
    [43, "one"],
    [50, "two"],
  ] as const) {
    host.processes.running.set(pid, birth);
  }
});

/** A guest on process 42 with a nested device, one at abort by its own wish and one in bypass. */
async function busy(graceMs = GRACE_MS, transferableTo: readonly string[] = []): Promise<Guest> {
  const vmm = await guest(host, { iommus: [SMMU0, SMMU1], terms: { graceMs, transferableTo } });
  await attach(host, vmm, NVME);
  await attach(host, vmm, NIC);
  await attach(host, vmm, FAR, "bypass");
  await bind(host, vmm, NVME, TRANSLATE, 0x30);
  return vmm;
}

const sessions = () => host.core.sessions;
const told = () =>
  host.events.flatMap((event) => {
    if (event.type === "stageChanged") return [`${event.devices[0]} ${event.trigger} → ${event.to}`];
    return "session" in event ? [event.type] : [];
  });
const rebinds = (held: { readonly devices: readonly { readonly id: string; readonly rebindRequired: boolean }[] }) =>
  held.devices.map(({ id, rebindRequired }) => [id, rebindRequired]);

describe("a process that dies", () => {
  test("takes its devices to abort and home at once, without a look of the reaper", async () => {
    const vmm = await busy(0);
    const before = told().length;
    host.processes.die(42);
    await turn();
    expect(told().slice(before)).toEqual([
      "sessionLost",
      "sessionEnded",
      `${NIC} release → default-domain`,
      `${NVME} ownerLost → guest-abort`,
      `${NVME} release → default-domain`,
      `${FAR} ownerLost → guest-abort`,
      `${FAR} release → default-domain`,
      "reaped",
    ]);
    expect([NVME, NIC, FAR].map((id) => steConfig(host, id))).toEqual([HOST, HOST, HOST]);
    const error = await refusal(() => sessions().authenticate(vmm.token, CALLER));
    expect(error).toMatchObject({ code: "lease_expired", facts: { reason: "peer_died" } });
  });

  test("leaves them at abort for as long as its session's grace, and then home", async () => {
    const vmm = await busy();
    host.processes.die(42);
    await turn();
    expect([NVME, NIC, FAR].map((id) => steConfig(host, id))).toEqual([ABORT, ABORT, ABORT]);
    expect(host.core.devices.get(NVME)).toMatchObject({ state: "guest-abort", owner: { id: vmm.session } });
    expect(host.core.census()).toMatchObject({ sessionStates: { live: 0, lost: 1 } });
    host.clock.advance(GRACE_MS - 1);
    await host.core.reapExpired();
    expect(host.core.census()).toMatchObject({ sessions: 1 });
    host.clock.advance(1);
    await host.core.reapExpired();
    expect(host.core.census()).toMatchObject({ sessions: 0, addressSpaces: 0, virtualIommus: 0, mappedBytes: 0 });
    expect([NVME, NIC, FAR].map((id) => steConfig(host, id))).toEqual([HOST, HOST, HOST]);
    expect(host.events.at(-2)).toMatchObject({ type: "stageChanged" });
    expect(host.events).toContainEqual({
      type: "sessionEnded",
      session: vmm.session,
      displayName: "vmm",
      reason: "peer_died",
    });
  });

  test("refuses every call of its session meanwhile, by what is left to do", async () => {
    const vmm = await busy();
    host.processes.die(42);
    const error = await refusal(() => sessions().authenticate(vmm.token, HEIR));
    expect(error).toMatchObject({
      code: "lease_expired",
      facts: { reason: "lost", loss: "peer_died", grace_ms: 5000 },
    });
    expect(error.message).toMatch(/call ResumeSession$/);
    expect((await refusal(() => bind(host, vmm, NVME, TRANSLATE, 0x30))).facts.reason).toBe("lost");
    expect((await refusal(() => sessions().renew(vmm.session))).facts.reason).toBe("lost");
  });

  test("is told on the keep-alive stream of whoever else listens", async () => {
    const vmm = await busy();
    const heard: SessionNotice[] = [];
    sessions().onNotice(vmm.session, (notice) => heard.push(notice));
    host.processes.die(42);
    expect(heard).toEqual([{ kind: "lost", reason: "peer_died", graceMs: GRACE_MS }]);
  });

  test("whose devices could not all be set to abort is tried again at the next look", async () => {
    await busy();
    failures.fail("setPlainStage");
    host.processes.die(42);
    await turn();
    expect([NVME, FAR].map((id) => steConfig(host, id))).toEqual([NESTED, ABORT]);
    expect(host.events.at(-2)).toMatchObject({ type: "reapFailed", subject: "group/2" });
    await host.core.reapExpired();
    expect(steConfig(host, NVME)).toBe(ABORT);
  });

  test("in the middle of a bind: the bind completes, and the abort comes after it", async () => {
    const vmm = await busy();
    const gate = Promise.withResolvers<void>();
    failures.before = async (verb) => {
      if (verb === "bindGuestStage") await gate.promise;
    };
    const binding = bind(host, vmm, NIC, TRANSLATE, 0x31);
    await turn();
    host.processes.die(42);
    gate.resolve();
    await binding;
    await turn();
    expect(steConfig(host, NIC)).toBe(ABORT);
  });
});

test("an attach under way when its session is lost ends at abort like the rest", async () => {
  const vmm = await busy();
  await host.core.stages.detach(vmm.session, { device: FAR, expectedGeneration: undefined });
  const gate = Promise.withResolvers<void>();
  failures.before = async (verb) => {
    if (verb === "attach") await gate.promise;
  };
  const attaching = attach(host, vmm, FAR, "bypass");
  await turn();
  host.processes.die(42);
  await turn();
  gate.resolve();
  await attaching;
  await turn();
  expect(steConfig(host, FAR)).toBe(ABORT);
});

describe("a lease that lapses", () => {
  test("leaves its session lost for its grace, refused so before the reaper looks and after", async () => {
    const vmm = await guest(host, { terms: { ttlMs: 100, graceMs: 50 } });
    host.clock.advance(100);
    const reason = async () => (await refusal(() => sessions().authenticate(vmm.token, CALLER))).facts.reason;
    expect(await reason()).toBe("lost");
    await host.core.reapExpired();
    expect(await reason()).toBe("lost");
    host.clock.advance(50);
    expect(await reason()).toBe("lease_expired");
    await host.core.reapExpired();
    expect(await reason()).toBe("lease_expired");
  });
});

describe("ResumeSession", () => {
  test("brings a lost session back with the same token, and says which devices must be bound again", async () => {
    const vmm = await busy();
    host.processes.die(42);
    await turn();
    const { session, held } = await sessions().resume(vmm.token, HEIR);
    expect(session).toMatchObject({ id: vmm.session, state: "live", liveness: "peer-process" });
    expect(rebinds(held)).toEqual([
      [NIC, false], // at abort by its own wish
      [NVME, true],
      [FAR, true],
    ]);
    expect(held).toMatchObject({ addressSpaces: [vmm.addressSpace], virtualIommus: [vmm.virtualIommu] });
    expect(sessions().authenticate(vmm.token, HEIR)).toBe(vmm.session);
    const { generation } = await bind(host, vmm, NVME, TRANSLATE, 0x30);
    expect(steConfig(host, NVME)).toBe(NESTED);
    const again = await sessions().resume(vmm.token, HEIR);
    expect(again.held.devices.find(({ id }) => id === NVME)).toMatchObject({ generation, rebindRequired: false });
    host.clock.advance(GRACE_MS);
    await host.core.reapExpired();
    expect(host.core.census()).toMatchObject({ sessions: 1 });
  });

  test("waits for an abort that is under way, and tells its device as one to bind again", async () => {
    const vmm = await busy();
    const gate = Promise.withResolvers<void>();
    failures.before = async (verb) => {
      if (verb === "setPlainStage") await gate.promise;
    };
    host.processes.die(42);
    await turn();
    const resuming = sessions().resume(vmm.token, HEIR);
    await turn();
    gate.resolve();
    const { held } = await resuming;
    // The one under way is aborted; the one behind it is spared, because the session is live again.
    expect(rebinds(held)).toEqual([
      [NIC, false],
      [NVME, true],
      [FAR, false],
    ]);
    expect([NVME, FAR].map((id) => steConfig(host, id))).toEqual([ABORT, 0b110]);
  });

  test("hangs the session on the process that calls: the death of the one before is of no matter any more", async () => {
    const vmm = await busy();
    await sessions().resume(vmm.token, HEIR);
    host.processes.die(42);
    expect(host.core.census()).toMatchObject({ sessionStates: { live: 1, lost: 0 } });
    host.processes.die(43);
    expect(host.core.census()).toMatchObject({ sessionStates: { live: 0, lost: 1 } });
    expect(host.processes.watches).toBe(0);
  });

  test("is for the same identity, and for a token that is one", async () => {
    const vmm = await busy();
    host.processes.die(42);
    const codes = [
      await refusal(() => sessions().resume(vmm.token, OTHER)),
      await refusal(() => sessions().resume("token-99", HEIR)),
    ].map(({ code }) => code);
    expect(codes).toEqual(["unauthenticated", "unauthenticated"]);
    expect(host.core.census()).toMatchObject({ sessionStates: { lost: 1 } });
  });

  test("comes too late when the grace is over, whether the reaper has looked or not", async () => {
    const vmm = await busy();
    host.processes.die(42);
    host.clock.advance(GRACE_MS);
    const reasons = [(await refusal(() => sessions().resume(vmm.token, HEIR))).facts.reason];
    await host.core.reapExpired();
    reasons.push((await refusal(() => sessions().resume(vmm.token, HEIR))).facts.reason);
    expect(reasons).toEqual(["peer_died", "peer_died"]);
  });

  test("by a process that cannot be watched is refused, and the session stays as it was", async () => {
    const vmm = await busy();
    const error = await refusal(() => sessions().resume(vmm.token, { ...CALLER, pid: 99 }));
    expect(error.fields.map(({ path }) => path)).toEqual(["liveness"]);
    expect(sessions().authenticate(vmm.token, CALLER)).toBe(vmm.session);
    host.processes.die(42);
    expect(host.core.census()).toMatchObject({ sessionStates: { lost: 1 } });
  });

  test("gives a lease its full length again", async () => {
    const vmm = await guest(host, { terms: { ttlMs: 100, graceMs: 50 } });
    host.clock.advance(120);
    await sessions().resume(vmm.token, CALLER);
    expect(sessions().remaining(vmm.session)).toBe(100);
  });
});

describe("ClaimSession", () => {
  const claim = (id: string, caller = OTHER, transferableTo: readonly string[] = []) =>
    sessions().claim(id, caller, { ttlMs: undefined, transferableTo });

  test("gives the session to whom its opener named: a new token, the old one void, the devices as they were", async () => {
    const vmm = await busy(GRACE_MS, ["uid:1001"]);
    const heard: SessionNotice[] = [];
    sessions().onNotice(vmm.session, (notice) => heard.push(notice));
    const { session, token, held } = await claim(vmm.session);
    expect(session).toMatchObject({ id: vmm.session, state: "live", transferableTo: [] });
    expect(held.devices.map(({ id }) => id)).toEqual([NIC, NVME, FAR]);
    expect(steConfig(host, NVME)).toBe(NESTED);
    expect(sessions().authenticate(token, OTHER)).toBe(vmm.session);
    const before = await refusal(() => sessions().authenticate(vmm.token, CALLER));
    expect(before).toMatchObject({ code: "lease_expired", facts: { reason: "transferred" } });
    expect((await refusal(() => sessions().resume(vmm.token, CALLER))).facts.reason).toBe("transferred");
    expect(heard).toEqual([{ kind: "transferred", to: "pid 50 of uid 1001" }]);
    host.processes.die(42); // the opener's death is of no matter any more
    expect(host.core.census()).toMatchObject({ sessionStates: { live: 1 } });
  });

  test("ends the fault streams of who had it", async () => {
    const vmm = await busy(GRACE_MS, ["uid:1001"]);
    const subscription = host.core.faults.subscribe(vmm.session, { devices: [], resumeAfter: new Map() });
    await claim(vmm.session);
    expect(await subscription.next()).toBeUndefined();
  });

  test("is refused to whom it does not name, and to whoever guesses a name", async () => {
    const vmm = await busy(GRACE_MS, ["uid:1002"]);
    const error = await refusal(() => claim(vmm.session));
    expect(error).toMatchObject({ code: "policy_denied", message: expect.stringContaining("pid 50 of uid 1001") });
    expect(error.message).toContain("OpenSession.transferable_to");
    expect((await refusal(() => claim("00000000-0000-4000-8000-999999999999"))).code).toBe("session_unknown");
    expect(sessions().authenticate(vmm.token, CALLER)).toBe(vmm.session);
  });

  test("works once, and again for whom the claimer names in turn", async () => {
    const vmm = await busy(GRACE_MS, ["uid:1001"]);
    await claim(vmm.session, OTHER, ["uid:1000"]);
    expect((await refusal(() => claim(vmm.session))).code).toBe("policy_denied");
    const { token } = await claim(vmm.session, CALLER);
    expect(sessions().authenticate(token, CALLER)).toBe(vmm.session);
    expect((await refusal(() => claim(vmm.session, CALLER))).code).toBe("policy_denied");
  });

  test("takes up what an orchestrator left that has gone in the meantime", async () => {
    const vmm = await busy(GRACE_MS, ["uid:1001"]);
    host.processes.die(42);
    await turn();
    const { session, held } = await claim(vmm.session);
    expect(session.state).toBe("live");
    expect(rebinds(held)).toContainEqual([NVME, true]);
  });
});

test("a session that is revoked is told so, and why, and gives back what it had", async () => {
  const vmm = await busy();
  const heard: SessionNotice[] = [];
  sessions().onNotice(vmm.session, (notice) => heard.push(notice));
  expect(await sessions().revoke(vmm.session, "maintenance")).toBe(true);
  expect(heard).toEqual([{ kind: "revoked", reason: "maintenance" }]);
  expect(steConfig(host, NVME)).toBe(HOST);
  expect((await refusal(() => sessions().authenticate(vmm.token, CALLER))).facts.reason).toBe("revoked");
  expect(await sessions().revoke(vmm.session, "again")).toBe(false);
  expect(host.processes.watches).toBe(0);
});

describe("after a restart of the daemon", () => {
  async function restarted(processes: FakeProcesses, records: readonly DurableRecord[] = host.durable) {
    const next = testHost({ processes });
    for (const [path, file] of host.files) addFile(next, path, file.bytes);
    await next.core.recover(records);
    return next;
  }

  beforeEach(async () => host.core.recover([]));

  test("a session whose process runs on is live at once, and its death is seen", async () => {
    await busy();
    const processes = new FakeProcesses();
    processes.running.set(42, "noon");
    const next = await restarted(processes);
    expect(next.core.census()).toMatchObject({ sessionStates: { live: 1, restored: 0 } });
    expect(steConfig(next, NVME)).toBe(NESTED);
    next.clock.advance(1e9);
    await next.core.reapExpired();
    expect(next.core.census()).toMatchObject({ sessionStates: { live: 1 } });
    processes.die(42);
    await turn();
    expect(steConfig(next, NVME)).toBe(ABORT);
  });

  test("one whose pid is another process's now waits for somebody to come, and is lost without", async () => {
    await busy();
    const processes = new FakeProcesses();
    processes.running.set(42, "midnight");
    const next = await restarted(processes);
    expect(next.core.census()).toMatchObject({ sessionStates: { restored: 1 } });
    next.clock.advance(4999); // the window of the test's limits is 5,000
    await next.core.reapExpired();
    expect(steConfig(next, NVME)).toBe(NESTED);
    next.clock.advance(1);
    await next.core.reapExpired();
    expect(next.core.census()).toMatchObject({ sessionStates: { lost: 1 } });
    expect(steConfig(next, NVME)).toBe(ABORT);
    expect(next.events).toContainEqual(expect.objectContaining({ type: "sessionLost", reason: "not_resumed" }));
  });

  test("the first call of its owner makes a session live, and hangs it on the process that calls", async () => {
    const vmm = await busy();
    const processes = new FakeProcesses();
    const next = await restarted(processes);
    processes.running.set(43, "one");
    next.core.sessions.authenticate(vmm.token, HEIR);
    expect(next.core.census()).toMatchObject({ sessionStates: { live: 1 } });
    processes.die(43);
    expect(next.core.census()).toMatchObject({ sessionStates: { lost: 1 } });
  });

  test("a call of a process that cannot be watched is answered, and leaves the session on probation", async () => {
    const vmm = await busy();
    const next = await restarted(new FakeProcesses());
    expect(next.core.sessions.authenticate(vmm.token, HEIR)).toBe(vmm.session);
    next.core.sessions.renew(vmm.session);
    expect(next.core.census()).toMatchObject({ sessionStates: { restored: 1 } });
    next.clock.advance(5000);
    await next.core.reapExpired();
    expect(next.core.census()).toMatchObject({ sessionStates: { lost: 1 } });
  });

  test("a lost session is lost still, with its devices at abort, and may be resumed", async () => {
    const vmm = await busy();
    host.processes.die(42);
    await turn();
    const processes = new FakeProcesses();
    processes.running.set(43, "one");
    const next = await restarted(processes);
    expect(next.core.census()).toMatchObject({ sessionStates: { lost: 1 } });
    expect(steConfig(next, NVME)).toBe(ABORT);
    const { held } = await next.core.sessions.resume(vmm.token, HEIR);
    expect(rebinds(held)).toEqual([
      [NIC, false],
      [NVME, true],
      [FAR, true],
    ]);
  });

  test("a claimed session is the claimer's, and what was said of it stays", async () => {
    const vmm = await busy(GRACE_MS, ["uid:1001"]);
    const { token } = await sessions().claim(vmm.session, OTHER, { ttlMs: 700, transferableTo: ["uid:7"] });
    const next = await restarted(new FakeProcesses(), host.core.image());
    expect(next.core.sessions.authenticate(token, OTHER)).toBe(vmm.session);
    expect((await refusal(() => next.core.sessions.authenticate(vmm.token, CALLER))).code).toBe("unauthenticated");
    const { session } = await next.core.sessions.resume(token, OTHER);
    expect(session).toMatchObject({ liveness: "ttl", ttlMs: 700, graceMs: GRACE_MS, transferableTo: ["uid:7"] });
  });
});
