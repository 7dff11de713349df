import { beforeEach, describe, expect, test } from "vitest";
import { type DeviceID, deviceID } from "../../../src/backends/ids.ts";
import { type BrokerEvent, BrokerEvents } from "../../../src/server/core/events.ts";
import type { SessionNotice } from "../../../src/server/core/session-notices.ts";
import type { TermsWish } from "../../../src/server/core/session-terms.ts";
import { Sessions } from "../../../src/server/core/sessions.ts";
import { CALLER, FakeProcesses, ManualClock, refusal, TEST_LIMITS } from "../../support/host.ts";

describe("sessions", () => {
  let clock: ManualClock;
  let events: BrokerEvent[];
  let sessions: Sessions;
  let serial: number;
  let processes: FakeProcesses;
  beforeEach(() => {
    clock = new ManualClock();
    events = [];
    serial = 0;
    processes = new FakeProcesses();
    const broker = new BrokerEvents();
    broker.subscribe((event) => events.push(event));
    sessions = new Sessions({
      clock,
      processes,
      events: broker,
      limits: { ...TEST_LIMITS, sessionsMax: 2 },
      identifiers: { uuid: () => `id-${++serial}`, token: () => `token-${++serial}`, digest: (token) => `#${token}` },
    });
  });
  const open = (ttlMs?: number) => sessions.open({ displayName: "vmm", ttlMs, caller: CALLER });

  test("what remains of a lease shrinks with time and is nothing once it has lapsed or the session is gone", () => {
    const { session } = open(1000);
    clock.advance(400);
    expect(sessions.remaining(session.id)).toBe(600);
    sessions.renew(session.id);
    expect(sessions.remaining(session.id)).toBe(1000);
    clock.advance(5000);
    expect(sessions.remaining(session.id)).toBe(0);
    sessions.end(session.id, "lease_expired");
    expect([sessions.remaining(session.id), sessions.remaining("nobody")]).toEqual([0, 0]);
  });

  test("a token opens its own session and no other", async () => {
    const first = open();
    const second = open();
    expect(sessions.authenticate(first.token, CALLER)).toBe(first.session.id);
    expect(sessions.authenticate(second.token, CALLER)).toBe(second.session.id);
    expect((await refusal(() => sessions.authenticate("token-99", CALLER))).code).toBe("unauthenticated");
    expect((await refusal(() => sessions.authenticate(`#${first.token}`, CALLER))).code).toBe("unauthenticated");
  });

  test("a token is of no use to another uid, and the owner keeps its session", async () => {
    const { session, token } = open();
    const other = { ...CALLER, uid: 1001, pid: 77 };
    const error = await refusal(() => sessions.authenticate(token, other));
    expect(error).toMatchObject({ code: "unauthenticated", message: expect.stringContaining("pid 77 of uid 1001") });
    expect(sessions.authenticate(token, { ...CALLER, pid: 43, connection: "uds-9" })).toBe(session.id);
  });

  test("the token is nowhere in what a session shows or tells", () => {
    const { session, token } = open();
    expect(session).toEqual({
      id: "id-2",
      displayName: "vmm",
      liveness: "ttl",
      ttlMs: 10_000,
      state: "live",
      graceMs: 0,
      transferableTo: [],
      openedMs: 1_700_000_001_000,
      seenMs: 1_700_000_001_000,
    });
    expect(JSON.stringify([session, events, sessions.view(session.id)])).not.toContain(token);
  });

  test("a call at the deadline is refused, one a millisecond before is not, reaped or not", async () => {
    const { session, token } = open(100);
    clock.advance(99);
    expect(sessions.authenticate(token, CALLER)).toBe(session.id);
    clock.advance(1);
    const error = await refusal(() => sessions.authenticate(token, CALLER));
    expect(error).toMatchObject({ code: "lease_expired", facts: { reason: "lease_expired" } });
    expect(sessions.lapsed()).toEqual([{ id: session.id, state: "live", reason: "lease_expired" }]);
  });

  test("renewing puts the deadline off, and comes too late at the deadline", async () => {
    const { session, token } = open(100);
    clock.advance(99);
    expect(sessions.renew(session.id)).toBe(100);
    clock.advance(99);
    expect(sessions.authenticate(token, CALLER)).toBe(session.id);
    clock.advance(1);
    expect((await refusal(() => sessions.renew(session.id))).code).toBe("lease_expired");
  });

  test("after the end a token says whether it was closed or expired", async () => {
    const [a, b] = [open(), open()];
    expect(sessions.end(a.session.id, "closed")).toBe(true);
    expect(sessions.end(b.session.id, "lease_expired")).toBe(true);
    expect((await refusal(() => sessions.authenticate(a.token, CALLER))).facts).toEqual({ reason: "closed" });
    expect((await refusal(() => sessions.authenticate(b.token, CALLER))).facts).toEqual({ reason: "lease_expired" });
    expect(sessions.end(a.session.id, "closed")).toBe(false);
  });

  test("an ended session still counts against the limit until what it held is given back", async () => {
    const [a] = [open(), open()];
    const error = await refusal(() => open());
    expect(error).toMatchObject({ code: "limit_reached", facts: { limit: "sessions_max", maximum: 2 } });
    sessions.end(a.session.id, "closed");
    expect(sessions.ending()).toEqual([a.session.id]);
    expect((await refusal(() => open())).code).toBe("limit_reached");
    sessions.forget(a.session.id);
    expect(open().session.displayName).toBe("vmm");
    expect(sessions.count()).toBe(2);
  });

  test.each([99, 60_001, -1])("a lease of %d ms is outside the limits and refused by field", async (ttlMs) => {
    const error = await refusal(() => open(ttlMs));
    expect(error.code).toBe("argument_invalid");
    expect(error.fields[0]!.path).toBe("lease_ttl_ms");
  });

  test("the limits themselves are leases", () => {
    expect([open(100), open(60_000)].map(({ session }) => session.ttlMs)).toEqual([100, 60_000]);
  });

  test("notices reach the listeners of their session until they unsubscribe, and the end is one", async () => {
    const device: DeviceID = deviceID("nic");
    const [a, b] = [open(), open()];
    const heard: SessionNotice[] = [];
    const stop = sessions.onNotice(a.session.id, (notice) => heard.push(notice));
    sessions.notifyDeviceRemoved(b.session.id, device);
    sessions.notifyDeviceRemoved(a.session.id, device);
    stop();
    sessions.notifyDeviceRemoved(a.session.id, device);
    sessions.onNotice(a.session.id, (notice) => heard.push(notice));
    sessions.end(a.session.id, "closed");
    expect(heard).toEqual([{ kind: "deviceRemoved", device }, { kind: "ended" }]);
    expect((await refusal(() => sessions.onNotice(a.session.id, () => {}))).code).toBe("lease_expired");
  });

  test("opening and ending are told, with the reason", () => {
    const { session } = open();
    sessions.end(session.id, "lease_expired");
    expect(events).toEqual([
      { type: "sessionOpened", session: session.id, displayName: "vmm" },
      { type: "sessionEnded", session: session.id, displayName: "vmm", reason: "lease_expired" },
    ]);
  });

  test("of very many ended sessions the oldest are forgotten, and their tokens are then unknown", async () => {
    const first = open();
    sessions.end(first.session.id, "closed");
    sessions.forget(first.session.id);
    for (let count = 0; count < 1024; count += 1) {
      const { session } = open();
      sessions.end(session.id, "closed");
      sessions.forget(session.id);
    }
    expect((await refusal(() => sessions.authenticate(first.token, CALLER))).code).toBe("unauthenticated");
  });

  describe("on what terms", () => {
    const terms = (wish: Partial<TermsWish>) =>
      sessions.open({ displayName: "vmm", ttlMs: undefined, caller: CALLER, ...wish }).session;

    test("a process that can be watched is what a session hangs on, and then it has no lease", () => {
      processes.running.set(CALLER.pid, "noon");
      expect(terms({})).toMatchObject({ liveness: "peer-process", ttlMs: 0 });
      clock.advance(1e9);
      expect(sessions.lapsed()).toEqual([]);
    });

    test("one that cannot be watched has a lease of the default length instead", () => {
      expect(terms({})).toMatchObject({ liveness: "ttl", ttlMs: 10_000 });
    });

    test("who asks for a lease length asks for a lease", () => {
      processes.running.set(CALLER.pid, "noon");
      expect(terms({ ttlMs: 500 })).toMatchObject({ liveness: "ttl", ttlMs: 500 });
      expect(terms({ liveness: "ttl" })).toMatchObject({ liveness: "ttl", ttlMs: 10_000 });
      expect(processes.watches).toBe(0);
    });

    test("peer-process asked for where it cannot be is refused with the reason and the remedy", async () => {
      const error = await refusal(() => terms({ liveness: "peer-process" }));
      expect(error).toMatchObject({ code: "argument_invalid", fields: [{ path: "liveness" }] });
      expect(error.message).toMatch(/pid 42 is out of sight; ask for LIVENESS_TTL/);
      expect(sessions.count()).toBe(0);
    });

    test("a process that is dead by now opens nothing", async () => {
      processes.running.set(CALLER.pid, "dead");
      expect((await refusal(() => terms({}))).code).toBe("call_over");
      expect(sessions.count()).toBe(0);
    });

    test.each<[string, Partial<TermsWish>]>([
      ["lease_ttl_ms", { liveness: "peer-process", ttlMs: 1000 }],
      ["grace_ms", { graceMs: 100_001 }],
      ["grace_ms", { graceMs: -1 }],
      ["transferable_to", { transferableTo: Array(9).fill("uid:1") }],
      ["transferable_to[1]", { transferableTo: ["uid:1", "uid:-1"] }],
    ])("what is wrong is refused by the field %s", async (path, wish) => {
      const error = await refusal(() => terms(wish));
      expect([error.code, error.fields.map((field) => field.path)]).toEqual(["argument_invalid", [path]]);
      expect(sessions.count()).toBe(0);
    });

    test("the limits themselves are terms", () => {
      const transferableTo = Array(8).fill("uid:1");
      expect(terms({ graceMs: 100_000, transferableTo })).toMatchObject({ graceMs: 100_000, transferableTo });
    });
  });

  test("a session was last seen at its last call or renewal", () => {
    const { session, token } = open();
    clock.advance(250);
    sessions.authenticate(token, CALLER);
    expect(sessions.view(session.id)?.seenMs).toBe(session.openedMs + 250);
    clock.advance(250);
    sessions.renew(session.id);
    expect(sessions.view(session.id)?.seenMs).toBe(session.openedMs + 500);
  });

  test("a device that is to be taken away is told with the deadline, for whom, and why", () => {
    const { session } = open();
    const heard: SessionNotice[] = [];
    sessions.onNotice(session.id, (notice) => heard.push(notice));
    const preemption = { deadlineMs: 500, by: "important vm", reason: "class gold" };
    sessions.notifyPreempted(session.id, deviceID("nic"), preemption);
    expect(heard).toEqual([{ kind: "preempted", device: "nic", ...preemption }]);
  });
});
