import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type CallerFacts,
  type Condition,
  decide,
  factsOf,
  mismatch,
  NO_SUBJECT,
  type Policy,
  type PolicyRule,
  policyWith,
  type Subject,
} from "../../../src/server/core/policy.ts";
import { rule } from "../../support/policy.ts";

const NOBODY: CallerFacts = {
  uid: undefined,
  gid: undefined,
  executable: undefined,
  cgroup: undefined,
  certificateNames: [],
  isUnauthenticatedTcp: false,
};
const VM = { ...NOBODY, uid: 1001, gid: 36, executable: "/usr/bin/qemu-kvm", cgroup: "/machine.slice/vm-1" };
const ROOT = { ...NOBODY, uid: 0, gid: 0 };
const TCP = { ...NOBODY, isUnauthenticatedTcp: true };
const NVME: Subject = { kind: "device", id: "0000:01:00.0", group: 2 };
const NIC: Subject = { kind: "device", id: "0000:00:01.0", group: 0 };

function uid(...oneOf: number[]): Condition[] {
  return [{ fact: "uid", oneOf }];
}

function deciderOf(policy: Policy, caller: CallerFacts, verb: string, subject: Subject = NO_SUBJECT): string {
  const verdict = decide(policy, caller, verb, subject);
  return `${verdict.kind} by ${verdict.rule?.name ?? "default deny"}`;
}

describe("without rules", () => {
  const policy = policyWith([], { daemonUid: 990, adminUids: [0, 500] });

  test.each<[string, CallerFacts, string, string]>([
    ["root", ROOT, "AttachDevice", "allow by built-in: root and the daemon"],
    ["the daemon's uid", { ...NOBODY, uid: 990 }, "Dma", "allow by built-in: root and the daemon"],
    ["another uid", VM, "OpenSession", "deny by default deny"],
    ["another uid, to look", VM, "ListDevices", "deny by default deny"],
    ["an admin uid, to administer", { ...NOBODY, uid: 500 }, "RevokeSession", "allow by built-in: admin uids"],
    ["an admin uid, to look", { ...NOBODY, uid: 500 }, "GetDevice", "allow by built-in: admin uids"],
    ["an admin uid, to use", { ...NOBODY, uid: 500 }, "AttachDevice", "deny by default deny"],
    ["TCP without a certificate", TCP, "AttachDevice", "allow by built-in: unauthenticated TCP"],
    ["a caller of whom nothing is known", NOBODY, "GetDevice", "deny by default deny"],
  ])("%s: %#", (_who, caller, verb, expected) => {
    expect(deciderOf(policy, caller, verb)).toBe(expected);
  });

  test("one rule of one's own, and TCP without a certificate needs a rule too", () => {
    const one = policyWith([rule("vms", { who: uid(1001) })], { daemonUid: 990, adminUids: [0] });
    expect(deciderOf(one, TCP, "GetDevice")).toBe("deny by default deny");
    expect(deciderOf(one, ROOT, "GetDevice")).toBe("allow by built-in: root and the daemon");
  });
});

describe("rules", () => {
  test.each<[string, Partial<PolicyRule>, CallerFacts, string, Subject, boolean]>([
    ["uid", { who: uid(1000, 1001) }, VM, "GetDevice", NO_SUBJECT, true],
    ["another uid", { who: uid(1000) }, VM, "GetDevice", NO_SUBJECT, false],
    ["gid", { who: [{ fact: "gid", oneOf: [36] }] }, VM, "GetDevice", NO_SUBJECT, true],
    ["executable", { who: [{ fact: "executable", oneOf: ["/usr/bin/qemu*"] }] }, VM, "GetDevice", NO_SUBJECT, true],
    ["another executable", { who: [{ fact: "executable", oneOf: ["/opt/*"] }] }, VM, "GetDevice", NO_SUBJECT, false],
    ["cgroup", { who: [{ fact: "cgroup", oneOf: ["/machine.slice/**"] }] }, VM, "GetDevice", NO_SUBJECT, true],
    [
      "all facts must hold",
      { who: [...uid(1001), { fact: "executable", oneOf: ["/opt/*"] }] },
      VM,
      "GetDevice",
      NO_SUBJECT,
      false,
    ],
    [
      "a SPIFFE id",
      { who: [{ fact: "certificate", oneOf: ["spiffe://example.org/vmm/*"] }] },
      { ...NOBODY, certificateNames: ["host.example.org", "spiffe://example.org/vmm/7"] },
      "GetDevice",
      NO_SUBJECT,
      true,
    ],
    ["the verb itself", { verbs: ["AttachDevice"] }, VM, "AttachDevice", NVME, true],
    ["another verb", { verbs: ["AttachDevice"] }, VM, "OpenSession", NO_SUBJECT, false],
    ["its group", { verbs: ["use"] }, VM, "AttachDevice", NVME, true],
    ["another group", { verbs: ["read", "simulate", "admin"] }, VM, "AttachDevice", NVME, false],
    ["a device glob", { devices: { ids: ["0000:01:*"], groups: [] } }, VM, "AttachDevice", NVME, true],
    ["another device", { devices: { ids: ["0000:01:*"], groups: [] } }, VM, "AttachDevice", NIC, false],
    ["an IOMMU group", { devices: { ids: [], groups: [2] } }, VM, "AttachDevice", NVME, true],
    ["another IOMMU group", { devices: { ids: [], groups: [3] } }, VM, "AttachDevice", NVME, false],
    [
      "a device whose group is not known, against a rule by groups",
      { devices: { ids: [], groups: [2] } },
      VM,
      "AttachDevice",
      { kind: "device", id: "0000:09:00.0", group: undefined },
      false,
    ],
    [
      "a path",
      { memoryPaths: ["/dev/hugepages/**"] },
      VM,
      "MapMemory",
      { kind: "memory", path: "/dev/hugepages/vm/1" },
      true,
    ],
    [
      "another path",
      { memoryPaths: ["/dev/hugepages/**"] },
      VM,
      "MapMemory",
      { kind: "memory", path: "/dev/shm/1" },
      false,
    ],
  ])("%s matches or not: %#", (_what, given, caller, verb, subject, expected) => {
    expect(mismatch(rule("r", given), caller, verb, subject) === undefined).toBe(expected);
  });

  test("the first that matches decides", () => {
    const allow = rule("allow", { who: uid(1001) });
    const deny = rule("deny", { effect: "deny", who: uid(1001) });
    expect(deciderOf({ rules: [allow, deny] }, VM, "GetDevice")).toBe("allow by allow");
    expect(deciderOf({ rules: [deny, allow] }, VM, "GetDevice")).toBe("deny by deny");
  });

  test("a rule limited to devices may allow a call before it names one, and not deny it", () => {
    const limited = { devices: { ids: ["0000:01:*"], groups: [] } };
    const allowing = { rules: [rule("only nvme", limited), rule("rest", { effect: "deny" })] };
    expect(deciderOf(allowing, VM, "AttachDevice")).toBe("allow by only nvme");
    expect(deciderOf(allowing, VM, "AttachDevice", NVME)).toBe("allow by only nvme");
    expect(deciderOf(allowing, VM, "AttachDevice", NIC)).toBe("deny by rest");
    const denying = { rules: [rule("not nvme", { ...limited, effect: "deny" }), rule("rest")] };
    expect(deciderOf(denying, VM, "AttachDevice")).toBe("allow by rest");
    expect(deciderOf(denying, VM, "AttachDevice", NVME)).toBe("deny by not nvme");
    expect(deciderOf(denying, VM, "AttachDevice", NIC)).toBe("allow by rest");
  });
});

describe("whatever the rules", () => {
  const names = fc.constantFrom("a", "b");
  const conditions: fc.Arbitrary<Condition> = fc.oneof(
    fc.record({ fact: fc.constantFrom("uid" as const, "gid" as const), oneOf: fc.array(fc.nat(2), { minLength: 1 }) }),
    fc.record({
      fact: fc.constantFrom("executable" as const, "cgroup" as const, "certificate" as const),
      oneOf: fc.array(fc.constantFrom("*", "**", "/a", "/b", "?a"), { minLength: 1 }),
    }),
    fc.constant({ fact: "tcp_unauthenticated" as const }),
  );
  const rules: fc.Arbitrary<PolicyRule> = fc
    .record({
      name: names,
      effect: fc.constantFrom("allow" as const, "deny" as const),
      who: fc.array(conditions, { maxLength: 2 }),
      verbs: fc.array(fc.constantFrom("all", "read", "use", "AttachDevice", "MapMemory"), { minLength: 1 }),
      devices: fc.option(fc.record({ ids: fc.array(fc.constantFrom("d1", "d*", "*2")), groups: fc.array(fc.nat(2)) }), {
        nil: undefined,
      }),
      memoryPaths: fc.option(fc.array(fc.constantFrom("/m/*", "**"), { minLength: 1 }), { nil: undefined }),
    })
    .map(({ name, ...given }) => rule(name, given));
  const maybe = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: undefined });
  const callers: fc.Arbitrary<CallerFacts> = fc.record({
    uid: maybe(fc.nat(2)),
    gid: maybe(fc.nat(2)),
    executable: maybe(fc.constantFrom("/a", "/b", "/c/a")),
    cgroup: maybe(fc.constantFrom("/a", "/b")),
    certificateNames: fc.array(fc.constantFrom("/a", "x")),
    isUnauthenticatedTcp: fc.boolean(),
  });
  const subjects: fc.Arbitrary<Subject> = fc.oneof(
    fc.constant(NO_SUBJECT),
    fc.record({ kind: fc.constant("device" as const), id: fc.constantFrom("d1", "d2", "e"), group: maybe(fc.nat(2)) }),
    fc.record({ kind: fc.constant("memory" as const), path: fc.constantFrom("/m/1", "/m/1/2", "/n") }),
  );
  const verbs = fc.constantFrom("GetDevice", "AttachDevice", "MapMemory", "Drain", "Nothing");

  test("one more rule that denies, wherever it is put, never allows more", () => {
    fc.assert(
      fc.property(
        fc.array(rules),
        rules,
        fc.nat(),
        callers,
        verbs,
        subjects,
        (before, extra, at, who, verb, subject) => {
          const place = at % (before.length + 1);
          const after = before.toSpliced(place, 0, { ...extra, effect: "deny" });
          const isAllowed = decide({ rules: after }, who, verb, subject).kind === "allow";
          if (isAllowed) expect(decide({ rules: before }, who, verb, subject).kind).toBe("allow");
        },
      ),
      { numRuns: 2000 },
    );
  });

  test("a caller of whom nothing is known matches no rule that asks for a fact", () => {
    const asking = rules.filter((candidate) => candidate.who.length > 0);
    fc.assert(
      fc.property(asking, verbs, subjects, (candidate, verb, subject) => {
        expect(mismatch(candidate, NOBODY, verb, subject)).toMatch(/^who: /);
      }),
    );
  });

  test("what is not allowed by a rule is denied", () => {
    fc.assert(
      fc.property(fc.array(rules), callers, verbs, subjects, (all, who, verb, subject) => {
        const { kind, rule: decider } = decide({ rules: all }, who, verb, subject);
        expect(kind === "allow").toBe(decider?.effect === "allow");
      }),
    );
  });
});

describe("callers", () => {
  const process = { kind: "process", uid: 1001, gid: 36, pid: 42, connection: "uds-1" } as const;

  test("a process is known by its credentials, and by what it runs where that is known", () => {
    expect(factsOf(process)).toEqual({ ...NOBODY, uid: 1001, gid: 36 });
    const whole = { ...process, executable: "/usr/bin/qemu", cgroup: "/vm" };
    expect(factsOf(whole)).toEqual({ ...NOBODY, uid: 1001, gid: 36, executable: "/usr/bin/qemu", cgroup: "/vm" });
  });

  test("the holder of a certificate is known by its name, a TCP client without one by nothing", () => {
    const holder = { kind: "certificate", name: "spiffe://example.org/vmm/7", connection: "tls-1" } as const;
    expect(factsOf(holder)).toEqual({ ...NOBODY, certificateNames: ["spiffe://example.org/vmm/7"] });
    expect(factsOf({ kind: "unknown", connection: "tcp-1" })).toEqual(TCP);
  });
});
