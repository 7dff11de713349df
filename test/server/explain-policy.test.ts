import { expect, test } from "vitest";
import { type Config, loadConfig } from "../../src/server/config.ts";
import { explainPolicy, type PolicyQuestion } from "../../src/server/explain-policy.ts";
import { writeYaml } from "../support/yaml-file.ts";

const RULES = `
policy:
  rules:
    - { name: no-disk, effect: deny, who: { uid: [1001] }, verbs: [AttachDevice], devices: ["0000:00:*"] }
    - { name: third-group, who: { gid: [36] }, verbs: [AttachDevice], groups: [2] }
    - { name: vms, who: { uid: [1001], executable: ["/usr/bin/qemu*"] }, verbs: [read, use], memory_paths: ["/dev/shm/*"],
        quotas: { devices: 2, calls_per_second: 100 }, priority: 5, may_preempt: true }
`;

function config(): Config {
  const loaded = loadConfig({ file: writeYaml(RULES), environment: {}, assignments: [] });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded.config;
}

function ask(as: string, verb: string, about: Partial<PolicyQuestion> = {}) {
  return explainPolicy(config(), 990, { device: undefined, path: undefined, ...about, as, verb });
}

test("an allowed call names its rule, why each before it does not match, and what it grants", () => {
  expect(ask("uid=1001,gid=1,exe=/usr/bin/qemu-kvm", "AttachDevice", { device: "0000:01:00.0" })).toEqual({
    kind: "allowed",
    lines: [
      "allowed: AttachDevice of 0000:01:00.0, by vms",
      "  no match  no-disk: devices: 0000:00:* are not 0000:01:00.0",
      "  no match  third-group: who: gid 36, the caller has 1",
      "  decides   vms: allow",
      "  quotas    devices 2, calls_per_second 100 (burst 100)",
      "  priority  5, may preempt",
    ],
  });
});

test("the group is that of the configured inventory", () => {
  expect(ask("uid=5,gid=36", "AttachDevice", { device: "0000:01:00.0" })).toMatchObject({ kind: "allowed" });
  expect(ask("uid=5,gid=36", "AttachDevice", { device: "0000:00:01.0" })).toMatchObject({ kind: "denied" });
  expect(ask("uid=5,gid=36", "AttachDevice", { device: "0000:ff:00.0" })).toMatchObject({ kind: "denied" });
});

test("a denied call names the rule that denies, or every rule that did not match", () => {
  expect(ask("uid=1001,exe=/usr/bin/qemu", "AttachDevice", { device: "0000:00:01.0" })).toEqual({
    kind: "denied",
    lines: ["denied: AttachDevice of 0000:00:01.0, by no-disk", "  decides   no-disk: deny"],
  });
  expect(ask("uid=1001", "OpenSession")).toEqual({
    kind: "denied",
    lines: [
      "denied: OpenSession, by default deny",
      "  no match  no-disk: verbs: AttachDevice do not cover OpenSession",
      "  no match  third-group: who: gid 36, the caller has no known gid",
      "  no match  vms: who: executable /usr/bin/qemu*, the caller has no known executable",
      "  no match  built-in: root and the daemon: who: uid 0 or 990, the caller has 1001",
      expect.stringMatching(/^ {2}no match {2}built-in: admin uids: who: uid /),
    ],
  });
});

test.each([
  ["/dev/shm/ram", "allowed"],
  ["/srv/ram", "denied"],
])("guest memory at %s is %s", (path, kind) => {
  expect(ask("uid=1001,exe=/usr/bin/qemu", "MapMemory", { path })).toMatchObject({ kind });
});

test("what gives back is allowed to a session's owner, and the answer says why", () => {
  const { lines = [] } = { lines: [], ...ask("uid=77", "CloseSession") };
  expect(lines[0]).toBe(
    "allowed: CloseSession, to the session's owner: it keeps or gives back, and needs no permission",
  );
});

test("the daemon's uid and root are allowed, a TCP client without a certificate is not once there are rules", () => {
  expect(ask("uid=990", "Drain")).toMatchObject({ kind: "allowed" });
  expect(ask("uid=0", "Dma")).toMatchObject({ kind: "allowed" });
  expect(ask("tcp", "GetDevice")).toMatchObject({ kind: "denied" });
});

test.each([
  ["", "GetDevice", {}, '"" is no fact'],
  ["uid", "GetDevice", {}, "write uid=VALUE"],
  ["uid=root", "GetDevice", {}, "uid must be a number"],
  ["uid=1,uid=2", "GetDevice", {}, "uid is given twice"],
  ["name=x", "GetDevice", {}, '"name" is no fact; known are uid=N'],
  ["tcp,uid=1", "GetDevice", {}, "tcp stands alone"],
  ["uid=1", "GetDevices", {}, "--verb GetDevices: is the name of no RPC"],
  ["uid=1", "MapMemory", { device: "d", path: "/x" }, "give one of them"],
])("--as %j --verb %s is refused: %#", (as, verb, about, problem) => {
  expect(ask(as, verb, about)).toEqual({ kind: "unclear", problem: expect.stringContaining(problem) });
});
