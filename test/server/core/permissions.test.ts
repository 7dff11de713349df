import { expect, test } from "vitest";
import { BrokerError } from "../../../src/backends/errors.ts";
import type { ProcessCaller } from "../../../src/server/core/caller.ts";
import { type BrokerEvent, BrokerEvents } from "../../../src/server/core/events.ts";
import { Permissions } from "../../../src/server/core/permissions.ts";
import { NO_SUBJECT, type Policy, type PolicyRule } from "../../../src/server/core/policy.ts";
import { ManualClock } from "../../support/host.ts";
import { rule } from "../../support/policy.ts";

const VM: ProcessCaller = { kind: "process", uid: 1001, gid: 1001, pid: 42, connection: "uds-1" };
const OTHER: ProcessCaller = { ...VM, uid: 1002 };

function setUp(rules: readonly PolicyRule[], used = 0) {
  const clock = new ManualClock();
  const events = new BrokerEvents();
  const seen: BrokerEvent[] = [];
  events.subscribe((event) => seen.push(event));
  const policy: Policy = { rules };
  const permissions = new Permissions({ policy, clock, events, usage: () => used });
  return { clock, permissions, seen };
}

function refusal(act: () => unknown): BrokerError {
  try {
    act();
  } catch (error) {
    if (error instanceof BrokerError) return error;
    throw error;
  }
  throw new Error("it was let in and should not have been");
}

test("a refusal names rule, identity, verb and device, and where it can be changed", () => {
  const { permissions, seen } = setUp([
    rule("no-nvme", { effect: "deny", devices: { ids: ["0000:01:*"], groups: [] } }),
  ]);
  const subject = { kind: "device", id: "0000:01:00.0", group: 2 } as const;
  const error = refusal(() => permissions.admit(VM, "AttachDevice", subject));
  expect(error.code).toBe("policy_denied");
  expect(error.facts).toEqual({
    rule: "no-nvme",
    identity: "uid:1001",
    verb: "AttachDevice",
    device: "0000:01:00.0",
  });
  for (const word of ['"no-nvme"', "uid 1001", "AttachDevice", "0000:01:00.0", "policy.rules", "--explain-policy"]) {
    expect(error.message).toContain(word);
  }
  expect(seen).toEqual([
    { type: "policyDenied", caller: VM, verb: "AttachDevice", rule: "no-nvme", subject: "0000:01:00.0" },
  ]);
});

test("what no rule allows is refused by default deny, by that name", () => {
  const { permissions } = setUp([]);
  const error = refusal(() => permissions.admitCall(VM, "OpenSession"));
  expect(error.facts).toEqual({ rule: "default deny", identity: "uid:1001", verb: "OpenSession" });
  expect(error.message).toContain("default deny");
});

test("a policy that allows nothing any more lets owners keep and give back", () => {
  const { permissions } = setUp([rule("everything")]);
  permissions.admitCall(VM, "AttachDevice");
  permissions.replace({ rules: [] });
  for (const verb of ["KeepSessionAlive", "UnbindGuestStage", "DetachDevice", "UnmapMemory", "CloseSession"]) {
    expect(() => permissions.admitCall(VM, verb), verb).not.toThrow();
  }
  for (const verb of ["AttachDevice", "MapMemory", "BindGuestStage", "OpenSession", "GetDevice"]) {
    expect(refusal(() => permissions.admitCall(VM, verb)).code, verb).toBe("policy_denied");
  }
});

test("a verb that a caller was let in with is refused once the policy says so, and the other way round", () => {
  const { permissions } = setUp([rule("all")]);
  permissions.admitCall(VM, "OpenSession");
  permissions.replace({ rules: [] });
  expect(refusal(() => permissions.admitCall(VM, "OpenSession")).code).toBe("policy_denied");
  permissions.replace({ rules: [rule("all")] });
  permissions.admitCall(VM, "OpenSession");
});

test("what was decided for a caller and a verb is nobody else's and no other verb's", () => {
  const { permissions } = setUp([rule("vm", { who: [{ fact: "uid", oneOf: [VM.uid] }], verbs: ["OpenSession"] })]);
  permissions.admitCall(VM, "OpenSession");
  expect(refusal(() => permissions.admitCall(OTHER, "OpenSession")).code).toBe("policy_denied");
  expect(refusal(() => permissions.admitCall(VM, "AttachDevice")).code).toBe("policy_denied");
  permissions.admitCall(VM, "OpenSession");
});

test("calls per second are counted for an identity, and the refusal says when to come again", () => {
  const { clock, permissions, seen } = setUp([rule("slow", { rate: { perSecond: 4, burst: 2 } })]);
  permissions.admitCall(VM, "GetDevice");
  permissions.admitCall({ ...VM, pid: 43, connection: "uds-2" }, "ListDevices");
  const error = refusal(() => permissions.admitCall(VM, "GetDevice"));
  expect(error).toMatchObject({ code: "limit_reached", retryAfterMs: 250 });
  expect(error.facts).toEqual({ limit: "quota_calls_per_second", maximum: 4, identity: "uid:1001", rule: "slow" });
  expect(seen).toEqual([{ type: "quotaReached", quota: "calls_per_second", identity: "uid:1001", rule: "slow" }]);
  permissions.admitCall(OTHER, "GetDevice");
  permissions.admitCall(VM, "KeepSessionAlive");
  clock.advance(250);
  permissions.admitCall(VM, "GetDevice");
});

test("what is set aside counts until it is settled, for its identity alone", () => {
  const { permissions } = setUp([rule("two", { quotas: { devices: 3 } })], 1);
  const request = { verb: "AttachDevice", subject: NO_SUBJECT, quota: "devices", amount: 1 } as const;
  const first = permissions.reserve(VM, request);
  permissions.reserve(VM, request);
  const error = refusal(() => permissions.reserve(VM, request));
  expect(error.facts).toEqual({ limit: "quota_devices", maximum: 3, identity: "uid:1001", rule: "two" });
  expect(error.message).toContain("detach a device");
  permissions.reserve(OTHER, request)();
  first();
  permissions.reserve(VM, request);
  expect(refusal(() => permissions.reserve(VM, request)).code).toBe("limit_reached");
});

test("a rule without quotas sets no bound, and one of 0 grants none", () => {
  const request = { verb: "OpenSession", subject: NO_SUBJECT, quota: "sessions", amount: 1 } as const;
  expect(() => setUp([rule("free")], 10 ** 6).permissions.reserve(VM, request)).not.toThrow();
  expect(refusal(() => setUp([rule("none", { quotas: { sessions: 0 } })]).permissions.reserve(VM, request)).code).toBe(
    "limit_reached",
  );
});

test("the rule that decides is given: its priority and whether it may preempt", () => {
  const { permissions } = setUp([rule("first", { priority: 7, mayPreempt: true })]);
  expect(permissions.admit(VM, "AttachDevice", NO_SUBJECT)).toMatchObject({ priority: 7, mayPreempt: true });
});
