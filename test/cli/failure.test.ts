import { status } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { describeFailure, exitCodeOf, UsageError } from "../../src/cli/failure.ts";
import { BrokerCallError } from "../../src/client/client.ts";

function callError(code: status, reason: string, message = "as it is"): BrokerCallError {
  return new BrokerCallError(message, { code, reason, metadata: {}, fields: [], retryAfterMs: undefined });
}

test.each([
  ["an argument", new UsageError("no broker is named"), 2, /^no broker is named \(--help explains\)$/],
  [
    "a refusal",
    callError(status.FAILED_PRECONDITION, "NOT_OWNER", "attach it first"),
    3,
    /^refused \(NOT_OWNER\): attach it first$/,
  ],
  [
    "another's device",
    callError(status.FAILED_PRECONDITION, "DEVICE_OWNED", "vm 1 has it"),
    3,
    /vm 1 has it\n {2}.*owner's session$/,
  ],
  [
    "a token that is none",
    callError(status.UNAUTHENTICATED, "UNAUTHENTICATED"),
    3,
    /--token-file or IOMMUBROKER_SESSION_TOKEN$/,
  ],
  ["a daemon that drains", callError(status.UNAVAILABLE, "DRAINING"), 3, /^refused \(DRAINING\)/],
  ["a method that an older broker has not", callError(status.UNIMPLEMENTED, ""), 3, /^refused \(UNIMPLEMENTED\)/],
  [
    "nobody there",
    callError(status.UNAVAILABLE, "", "connect ENOENT /x. Resolution note: "),
    4,
    /^cannot reach a broker: connect ENOENT \/x\.\n.*--socket, --address or --admin-socket/,
  ],
  ["no answer in time", callError(status.DEADLINE_EXCEEDED, "", "Deadline exceeded"), 4, /^cannot reach a broker/],
  ["a bug", new TypeError("x is not a function"), 70, /^bug: TypeError: x is not a function/],
])("%s has its exit code and its remedy", (_what, error, code, text) => {
  expect(exitCodeOf(error)).toBe(code);
  expect(describeFailure(error)).toMatch(text);
});

test("what a broker says is escaped", () => {
  const evil = callError(status.NOT_FOUND, "X\u001b[2J", "\u001b]0;owned\u0007\nmore");
  expect(describeFailure(evil)).toBe("refused (X\\u{1b}[2J): \\u{1b}]0;owned\\u{7}\\u{a}more");
});
