import { expect, test } from "vitest";
import { BrokerError, limitReached } from "../../src/backends/errors.ts";
import { type DeviceID, deviceID, groupID } from "../../src/backends/ids.ts";
import { type BrokerEvent, BrokerEvents } from "../../src/server/core/events.ts";
import { logEvents, logLimit, Throttle } from "../../src/server/event-log.ts";
import { logTo } from "../../src/server/log.ts";

const DEVICE = deviceID("0000:00:01.0");
const OTHER = deviceID("0000:00:02.0");

function setUp() {
  const written: Record<string, unknown>[] = [];
  const events = new BrokerEvents();
  const clock = { nowMs: 0, monotonicMs: () => clock.nowMs, wallMs: () => 0 };
  const log = logTo({ write: (line: string) => written.push(JSON.parse(line)) }, "debug");
  const throttle = new Throttle(clock);
  logEvents(events, log, throttle);
  return { events, clock, written, log, throttle };
}

const EVENTS: readonly BrokerEvent[] = [
  {
    type: "stageChanged",
    group: groupID(3),
    devices: [DEVICE],
    from: "nest-parent",
    to: "guest-nested",
    trigger: "bindTranslate",
    generation: 2,
    session: "s",
    vste: { from: undefined, to: undefined },
  },
  { type: "sessionOpened", session: "s", displayName: "vmm" },
  { type: "sessionEnded", session: "s", displayName: "vmm", reason: "closed" },
  { type: "sessionEnded", session: "s", displayName: "vmm", reason: "lease_expired" },
  { type: "sessionEnded", session: "s", displayName: "vmm", reason: "revoked" },
  { type: "reaped", session: "s", devices: 1 },
  { type: "reapFailed", session: "s", subject: "group/3", error: new Error("stuck") },
  { type: "leaseConflict", device: DEVICE, session: "s", owner: "other", ownerState: "live" },
  { type: "preempted", device: DEVICE, session: "s", by: "t", graceMs: 500 },
  { type: "preemptionEnded", group: groupID(3), session: "s", outcome: "taken" },
  { type: "preemptionEnded", group: groupID(4), session: "s", outcome: "failed" },
  { type: "deviceReset", device: DEVICE, result: "done" },
  { type: "deviceReset", device: DEVICE, result: "failed" },
  { type: "quarantined", device: DEVICE, group: groupID(3), reason: "it does not answer any more" },
  { type: "deviceAdded", device: DEVICE },
  { type: "deviceRemoved", device: DEVICE, session: undefined },
  { type: "ticketUsed" },
  { type: "ticketExpired", label: "guest-ram", uid: 1000, pid: 42 },
  { type: "putRefused", uid: 1000, pid: 42, why: "full", limit: "tickets_max" },
  { type: "memoryChanged", session: "s", addressSpace: "a", change: "mapped", ranges: 1, bytes: 4096 },
  {
    type: "policyDenied",
    caller: { kind: "process", uid: 1001, gid: 1001, pid: 42, connection: "uds-1" },
    verb: "AttachDevice",
    rule: "default deny",
    subject: DEVICE,
  },
  { type: "quotaReached", quota: "devices", identity: "uid:1001", rule: "vms" },
  { type: "deviceForced", device: DEVICE, session: "s", reason: "stuck" },
  { type: "groupHeld", session: "s", group: groupID(3), devices: [DEVICE], generation: 5, error: new Error("no") },
];

test("every event becomes one line, severe when an operator should act", () => {
  const { events, written } = setUp();
  for (const event of EVENTS) events.emit(event);
  expect(written.map((line) => `${line.level} ${line.msg}`)).toEqual([
    "debug stage changed",
    "debug session opened",
    "debug session closed",
    "warn lease expired",
    "warn session revoked by an administrator",
    "debug session given back",
    "error could not be given back; will be tried again",
    "info refused: another session owns the device",
    "info a session of higher priority asked for the device",
    "info preemption ended",
    "error preemption ended",
    "debug device reset",
    "warn device not reset",
    "error quarantined: the device could not be reset after its owner",
    "info device appeared",
    "warn device disappeared",
    "debug passed descriptor mapped",
    "warn a passed descriptor was not mapped in time: closed",
    "info descriptor refused",
    "debug mapped",
    "info refused by the policy",
    "warn quota reached",
    "warn device taken back by an administrator",
    "warn a group did not come back to its session: a process still has its device's node open",
  ]);
  expect(written.find(({ msg }) => msg === "a passed descriptor was not mapped in time: closed")?.facts).toEqual({
    label: "guest-ram",
    uid: 1000,
    pid: 42,
  });
  expect(written[0]).toMatchObject({
    group: 3,
    device: DEVICE,
    from: "nest-parent",
    to: "guest-nested",
    generation: 2,
  });
});

test("a line that a client can repeat is written once in ten seconds, and then says how many were left out", () => {
  const { events, clock, written } = setUp();
  const conflict = (device: DeviceID): void =>
    events.emit({ type: "leaseConflict", device, session: "s", owner: "o", ownerState: "live" });
  for (let attempt = 0; attempt < 5; attempt++) conflict(DEVICE);
  conflict(OTHER);
  expect(written.map((line) => line.device)).toEqual([DEVICE, OTHER]);
  clock.nowMs = 9_999;
  conflict(DEVICE);
  expect(written).toHaveLength(2);
  clock.nowMs = 10_000;
  conflict(DEVICE);
  expect(written[2]).toMatchObject({ device: DEVICE, left: 5 });
});

test("a call that a limit refused is told by the limit's name, rarely; other refusals are the client's", () => {
  const { log, throttle, written } = setUp();
  const refused = (error: unknown): void => logLimit(error, log, throttle);
  for (const limit of ["sessions_max", "sessions_max", "queue_depth_max"]) refused(limitReached(limit, 4, "wait"));
  refused(new BrokerError("fenced", "stale"));
  refused(undefined);
  expect(written.map(({ level, msg, limit }) => [level, msg, limit])).toEqual([
    ["warn", "limit reached", "sessions_max"],
    ["warn", "limit reached", "queue_depth_max"],
  ]);
});

test("the memory of what was written is bounded: the oldest key is forgotten first", () => {
  const written: string[] = [];
  const throttle = new Throttle({ monotonicMs: () => 0, wallMs: () => 0 });
  const run = (key: string): void => throttle.run(key, () => written.push(key));
  for (let key = 0; key < 257; key++) run(`key ${key}`);
  run("key 256");
  run("key 0");
  expect(written).toHaveLength(258);
  expect(written.at(-1)).toBe("key 0");
});
