import { beforeEach, describe, expect, test } from "vitest";
import { type DeviceID, deviceID } from "../../../src/backends/ids.ts";
import type { SessionNotice } from "../../../src/server/core/core.ts";
import { type BrokerEvent, BrokerEvents } from "../../../src/server/core/events.ts";
import { isLapsed, openSession, renewed } from "../../../src/server/core/session.ts";
import { Sessions } from "../../../src/server/core/sessions.ts";
import { CALLER, ManualClock, refusal, TEST_LIMITS } from "../../support/host.ts";

describe("lease arithmetic", () => {
  const session = openSession({ id: "s", displayName: "vmm", caller: CALLER, tokenDigest: "d", ttlMs: 100 }, 1000);

  test("a lease lasts until its deadline and is over at it", () => {
    expect(session.deadlineMs).toBe(1100);
    expect([1000, 1099, 1100, 1101].map((now) => isLapsed(session, now))).toEqual([false, false, true, true]);
  });

  test("renewing counts the whole lease from now, and changes nothing else", () => {
    expect(renewed(session, 1099)).toEqual({ ...session, deadlineMs: 1199 });
  });
});

describe("sessions", () => {
  let clock: ManualClock;
  let events: BrokerEvent[];
  let sessions: Sessions;
  let serial: number;
  beforeEach(() => {
    clock = new ManualClock();
    events = [];
    serial = 0;
    const broker = new BrokerEvents();
    broker.subscribe((event) => events.push(event));
    sessions = new Sessions({
      clock,
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
    expect(session).toEqual({ id: "id-2", displayName: "vmm", ttlMs: 10_000 });
    expect(JSON.stringify([session, events, sessions.view(session.id)])).not.toContain(token);
  });

  test("a call at the deadline is refused, one a millisecond before is not, reaped or not", async () => {
    const { session, token } = open(100);
    clock.advance(99);
    expect(sessions.authenticate(token, CALLER)).toBe(session.id);
    clock.advance(1);
    const error = await refusal(() => sessions.authenticate(token, CALLER));
    expect(error).toMatchObject({ code: "lease_expired", facts: { reason: "lease_expired" } });
    expect(sessions.lapsed()).toEqual([session.id]);
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
});
