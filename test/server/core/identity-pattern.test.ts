import { expect, test } from "vitest";
import { matchesIdentity, patternProblem } from "../../../src/server/core/identity-pattern.ts";
import { CALLER } from "../../support/host.ts";

const VMM = { kind: "certificate", name: "spiffe://hosts.example/vmm/7", connection: "tls-1" } as const;
const UNKNOWN = { kind: "unknown", connection: "tcp-1" } as const;

test.each([
  "uid:0",
  "uid:4294967294",
  "spiffe://hosts.example/vmm/7",
  "spiffe://hosts.example/*",
  "vmm-7.example",
  "x".repeat(256),
])("%s is a pattern", (pattern) => {
  expect(patternProblem(pattern)).toBeUndefined();
});

test.each([
  "",
  "uid:",
  "uid:-1",
  "uid:01",
  "uid:4294967295",
  "uid:*",
  "*",
  "/*",
  "spiffe://hosts.example*",
  "spiffe://*/vmm/*",
  "two words",
  "line\n",
  "grüße",
  "x".repeat(257),
])("%j is none, and the reason says so", (pattern) => {
  expect(patternProblem(pattern)).toMatch(/^m(ust be|ay have)/);
});

test("a uid is matched by the uid that the kernel tells, as a whole", () => {
  expect(matchesIdentity("uid:1000", CALLER)).toBe(true);
  expect(["uid:100", "uid:10000", "uid:1001"].filter((pattern) => matchesIdentity(pattern, CALLER))).toEqual([]);
});

test("a certificate is matched by its name, or by what it lies beneath", () => {
  const matching = ["spiffe://hosts.example/vmm/7", "spiffe://hosts.example/vmm/*", "spiffe://hosts.example/*"];
  const others = [
    "spiffe://hosts.example/vmm/70",
    "spiffe://hosts.example/vmm",
    "spiffe://hosts.example/vmm/7/*",
    "spiffe://hosts.exam/*",
  ];
  expect([...matching, ...others].filter((pattern) => matchesIdentity(pattern, VMM))).toEqual(matching);
  expect(matchesIdentity("spiffe://hosts.example/*", { ...VMM, name: "spiffe://hosts.example/" })).toBe(false);
});

test("a certificate that is named like a uid is not taken for it, and nobody vouches for a TCP client", () => {
  expect(matchesIdentity("uid:1000", { ...VMM, name: "uid:1000" })).toBe(false);
  expect(["tcp", "uid:0"].filter((pattern) => matchesIdentity(pattern, UNKNOWN))).toEqual([]);
});
