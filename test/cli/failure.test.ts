import { status } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { describeFailure, EXIT, EXIT_CODES, exitCodeOf, UsageError } from "../../src/cli/failure.ts";
import { Unreachable } from "../../src/cli/unreachable.ts";
import { BrokerCallError } from "../../src/client/client.ts";

function callError(
  code: status,
  reason: string,
  message = "as it is",
  metadata: Readonly<Record<string, string>> = {},
): BrokerCallError {
  return new BrokerCallError(message, { code, reason, metadata, fields: [], retryAfterMs: undefined });
}

test.each([
  ["an argument", new UsageError("no broker is named"), 64, /^no broker is named \(--help explains\)$/],
  [
    "a refusal",
    callError(status.FAILED_PRECONDITION, "TRANSITION_ILLEGAL", "bind it first"),
    3,
    /^refused \(TRANSITION_ILLEGAL\): bind it first$/,
  ],
  [
    "another's device",
    callError(status.FAILED_PRECONDITION, "DEVICE_OWNED", "vm 1 has it"),
    3,
    /vm 1 has it\n {2}.*owner's session/,
  ],
  ["a name that is taken", callError(status.ALREADY_EXISTS, "ALREADY_EXISTS"), 3, /^refused/],
  ["a generation of before", callError(status.ABORTED, "FENCED"), 3, /^refused \(FENCED\)[\s\S]*generation/],
  ["a device that is not there", callError(status.NOT_FOUND, "DEVICE_UNKNOWN"), 5, /iommuctl devices/],
  [
    "a token that is none",
    callError(status.UNAUTHENTICATED, "UNAUTHENTICATED"),
    6,
    /--token-file or IOMMUBROKER_SESSION_TOKEN$/,
  ],
  [
    "the policy",
    callError(status.PERMISSION_DENIED, "POLICY_DENIED", "no", { verb: "MapMemory" }),
    6,
    /docs\/policy\.md/,
  ],
  ["a daemon that drains", callError(status.UNAVAILABLE, "DRAINING"), 8, /^refused \(DRAINING\)/],
  ["a limit", callError(status.RESOURCE_EXHAUSTED, "LIMIT_REACHED"), 8, /^refused/],
  ["a method that an older broker has not", callError(status.UNIMPLEMENTED, ""), 9, /^refused \(UNIMPLEMENTED\)/],
  ["a value", callError(status.INVALID_ARGUMENT, "ARGUMENT_INVALID"), 10, /^refused/],
  ["hardware", callError(status.INTERNAL, "BACKEND_FAILED"), 11, /^refused \(BACKEND_FAILED\)/],
  ["nobody there", new Unreachable("h:1", "connect ECONNREFUSED"), 4, /^cannot reach a broker at h:1: .*\n.*--socket/],
  ["a connection that broke", callError(status.CANCELLED, ""), 4, /^cannot reach a broker/],
  ["no answer in time", callError(status.DEADLINE_EXCEEDED, ""), 7, /^no answer in time.*\n.*--timeout/],
  ["a bug", new TypeError("x is not a function"), 70, /^bug: TypeError: x is not a function/],
])("%s has its exit code and its remedy", (_what, error, code, text) => {
  expect(exitCodeOf(error)).toBe(code);
  expect(describeFailure(error)).toMatch(text);
});

test.each([
  [
    callError(status.NOT_FOUND, "DEVICE_UNKNOWN", "no device x; ListDevices tells which there are"),
    "refused (DEVICE_UNKNOWN): no device x\n  iommuctl devices lists what there is",
  ],
  [
    callError(
      status.UNAUTHENTICATED,
      "UNAUTHENTICATED",
      "no session token: send the one of OpenSession in the metadata k",
    ),
    "refused (UNAUTHENTICATED): no session token\n  give a session's token (iommuctl session open makes one), in --token-file or IOMMUBROKER_SESSION_TOKEN",
  ],
  [
    callError(status.PERMISSION_DENIED, "POLICY_DENIED", "memory file /x is outside the roots (/m): put it there", {
      path: "/x",
    }),
    "refused (POLICY_DENIED): memory file /x is outside the roots (/m): put it there",
  ],
  [
    callError(status.FAILED_PRECONDITION, "NOT_OWNER", "device x: nobody has it"),
    "refused (NOT_OWNER): device x: nobody has it\n  attach the device first: iommuctl attach",
  ],
])("a refusal has one remedy, and that is no RPC", (error, text) => {
  expect(describeFailure(error)).toBe(text);
});

test("what a broker says is escaped", () => {
  const evil = callError(status.NOT_FOUND, "X\u001b[2J", "\u001b]0;owned\u0007\nmore");
  expect(describeFailure(evil)).toBe("refused (X\\u{1b}[2J): \\u{1b}]0;owned\\u{7}\\u{a}more");
});

test("the table of exit codes has each code once, in order", () => {
  const codes = EXIT_CODES.map(([code]) => code);
  expect(codes).toEqual(Object.values(EXIT));
  expect(codes).toEqual([...new Set(codes)].sort((a, b) => a - b));
});
