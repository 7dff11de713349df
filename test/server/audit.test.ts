import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { BrokerError } from "../../src/backends/errors.ts";
import { groupID } from "../../src/backends/ids.ts";
import { checkVSTE } from "../../src/backends/vste.ts";
import { Audit, type AuditedCall } from "../../src/server/audit.ts";
import { type BrokerEvent, BrokerEvents } from "../../src/server/core/events.ts";
import { Throttle } from "../../src/server/event-log.ts";
import type { AuditLine } from "../../src/server/log.ts";
import { attach, bind, CALLER, detach, guest, ManualClock, NIC, NVME, refusal, testHost } from "../support/host.ts";
import { rule } from "../support/policy.ts";

const SECRET = "s3cr3t-t0ken";
const TRANSLATE = checkVSTE(0x4000_000bn, 0xd4n); // V=1, Config 0b101, S1ContextPtr 0x4000_0000 (§5.2)
const CALL: AuditedCall = {
  verb: "AttachDevice",
  caller: CALLER,
  session: "s",
  requestID: "r-1",
  subjects: [`devices/${NVME}`],
  reason: "",
  code: 0,
  error: undefined,
};

let lines: AuditLine[];
let clock: ManualClock;

beforeEach(() => {
  lines = [];
  clock = new ManualClock();
});

/** Whose every session is: with what a record of core has besides, to show that it stays there. */
const OWNER = { displayName: "vm 1", caller: CALLER, tokenDigest: SECRET, token: SECRET };

function audit(): Audit {
  return new Audit({ write: (line) => lines.push(line), throttle: new Throttle(clock), ownerOf: () => OWNER });
}

/** Without what is undefined, as a JSON line has it. */
function written(): Record<string, unknown>[] {
  return lines.map((line) => JSON.parse(JSON.stringify(line)));
}

const WHO = { identity: "uid:1000", caller: "pid 42 of uid 1000", pid: 42 };

test("a life cycle: each change with whose it is, the states, the STEs and the generation", async () => {
  const host = testHost();
  const { administration, events } = host.core;
  const write = (line: AuditLine): number => lines.push(line);
  const throttle = new Throttle(clock);
  new Audit({ write, throttle, ownerOf: (session) => administration.ownerOf(session) }).follow(events);
  const vmm = await guest(host, { name: "vm 1", bytes: 2 ** 21 });
  await attach(host, vmm, NVME);
  await bind(host, vmm, NVME, TRANSLATE, 1);
  await detach(host, vmm, NVME);
  await host.core.sessions.close(vmm.session);
  const whose = { ...WHO, session: vmm.session, owner: "vm 1" };
  const stage = { event: "stage", ...whose, devices: [NVME], group: 2 };
  // ABORT as core keeps it: V=1, Config 0b000; TRANSLATE as the guest gave it (§5.2).
  const abort = ["0x1", "0x0"];
  const translate = ["0x4000000b", "0xd4"];
  expect(written()).toEqual([
    { event: "session", change: "opened", ...whose },
    { event: "memory", change: "mapped", ...whose, address_space: vmm.addressSpace, ranges: 1, bytes: 2 ** 21 },
    { ...stage, trigger: "attachAborted", from: "default-domain", to: "guest-abort", generation: 1, ste_to: abort },
    {
      ...stage,
      trigger: "bindTranslate",
      from: "guest-abort",
      to: "guest-nested",
      generation: 2,
      ste_from: abort,
      ste_to: translate,
    },
    { event: "device", change: "reset", device: NVME, result: "done" },
    { ...stage, trigger: "release", from: "guest-nested", to: "default-domain", generation: 3, ste_from: translate },
    { event: "session", change: "closed", ...whose },
    { event: "session", change: "given back", session: vmm.session, devices: 0 },
  ]);
});

describe("calls", () => {
  test("one that may change something has a line with who, what, for which session, and the outcome", () => {
    audit().call(CALL);
    expect(written()).toEqual([
      {
        event: "call",
        ...WHO,
        session: "s",
        owner: "vm 1",
        verb: "AttachDevice",
        subjects: [`devices/${NVME}`],
        request_id: "r-1",
        code: 0,
        outcome: "done",
      },
    ]);
  });

  test("a refusal has the error's code and words", () => {
    const error = new BrokerError("device_owned", "device d belongs to another", { device: "d" });
    audit().call({ ...CALL, code: 9, error });
    expect(written()).toMatchObject([{ outcome: "device_owned", code: 9, error: "device d belongs to another" }]);
  });

  test("a bug's words stay in the log: the line says internal", () => {
    audit().call({ ...CALL, code: 13, error: new TypeError(SECRET) });
    expect(written()).toMatchObject([{ outcome: "internal", code: 13 }]);
    expect(JSON.stringify(lines)).not.toContain(SECRET);
  });

  test.each(["GetDevice", "ListDevices", "ExplainTranslation", "Dma", "GetLogLevel"])("%s only looks", (verb) => {
    audit().call({ ...CALL, verb });
    expect(lines).toEqual([]);
  });
});

describe("refusals by the policy", () => {
  test("have a line with the rule, and the call no second one", async () => {
    const host = testHost();
    const subject = audit();
    subject.follow(host.core.events);
    const vmm = await guest(host);
    host.core.permissions.replace({ rules: [rule("no-nic", { effect: "deny", devices: { ids: [NIC], groups: [] } })] });
    lines = [];
    const error = await refusal(() => attach(host, vmm, NIC));
    subject.call({ ...CALL, code: 7, error });
    expect(written()).toEqual([{ event: "denied", ...WHO, verb: "AttachDevice", rule: "no-nic", subject: NIC }]);
  });

  test("that come by the thousand are written once in ten seconds, with how many were left out", () => {
    const events = new BrokerEvents();
    audit().follow(events);
    const denied = { type: "policyDenied", caller: CALLER, verb: "OpenSession", rule: "default deny" } as const;
    for (let call = 0; call < 1000; call++) events.emit({ ...denied, subject: undefined });
    clock.advance(10_000);
    events.emit({ ...denied, subject: undefined });
    expect(written().map(({ left }) => left)).toEqual([undefined, 999]);
  });

  test("one verb's do not hide another's", () => {
    const events = new BrokerEvents();
    audit().follow(events);
    for (const verb of ["OpenSession", "GetDevice"]) {
      events.emit({ type: "policyDenied", caller: CALLER, verb, rule: "default deny", subject: undefined });
    }
    expect(written().map(({ verb }) => verb)).toEqual(["OpenSession", "GetDevice"]);
  });
});

test("whatever happens, a line has nothing of a session but its id, its name and its owner", () => {
  const text = fc.string();
  const session = fc.option(text, { nil: undefined });
  const states = fc.constantFrom("default-domain" as const, "guest-abort" as const, "guest-nested" as const);
  const stes = fc.option(fc.constant(TRANSLATE), { nil: undefined });
  const events: fc.Arbitrary<BrokerEvent> = fc.oneof(
    fc.record({
      type: fc.constant("stageChanged" as const),
      group: fc.nat(9).map(groupID),
      devices: fc.constant([NVME]),
      from: states,
      to: states,
      trigger: fc.constantFrom("attach" as const, "release" as const),
      generation: fc.nat(),
      session,
      vste: fc.record({ from: stes, to: stes }),
    }),
    fc.record({
      type: fc.constantFrom("sessionOpened" as const, "sessionRestored" as const),
      session: text,
      displayName: text,
    }),
    fc.record({
      type: fc.constant("sessionEnded" as const),
      session: text,
      displayName: text,
      reason: fc.constantFrom("closed" as const, "lease_expired" as const, "revoked" as const),
    }),
    fc.record({
      type: fc.constant("sessionGivenUp" as const),
      session: text,
      displayName: text,
      error: fc.constant(new Error(SECRET)),
    }),
    fc.record({
      type: fc.constant("groupHeld" as const),
      session: text,
      group: fc.nat(9).map(groupID),
      devices: fc.constant([NVME]),
      generation: fc.nat(),
      error: fc.constant(new Error(SECRET)),
    }),
    fc.record({
      type: fc.constant("memoryChanged" as const),
      session: text,
      addressSpace: text,
      change: fc.constantFrom("mapped" as const, "unmapped" as const),
      ranges: fc.nat(),
      bytes: fc.nat(),
    }),
    fc.record({ type: fc.constant("deviceForced" as const), device: fc.constant(NVME), session: text, reason: text }),
    fc.record({ type: fc.constant("deviceRemoved" as const), device: fc.constant(NVME), session }),
    fc.record({
      type: fc.constant("reapFailed" as const),
      session: text,
      subject: text,
      error: fc.constant(new Error(SECRET)),
    }),
  );
  const secrets = { token: SECRET, tokenDigest: SECRET, metadata: { "iommubroker-session-token": SECRET } };
  fc.assert(
    fc.property(events, (event) => {
      lines = [];
      const broker = new BrokerEvents();
      const subject = audit();
      subject.follow(broker);
      broker.emit({ ...event, ...secrets });
      subject.call({ ...CALL, ...secrets });
      expect(lines.length).toBeGreaterThan(0);
      expect(JSON.stringify(lines)).not.toContain(SECRET);
    }),
  );
});
