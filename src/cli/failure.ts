// Failures as iommuctl tells them: one exit code for each kind, the broker's own words, and what to do.
// EXIT_CODES is the only table of exit codes: help, the man page and docs/iommuctl.md are made from it.

import { BrokerCallError } from "../client/client.ts";
import { printable } from "./terminal.ts";
import { Unreachable } from "./unreachable.ts";

export const EXIT = {
  DONE: 0,
  WARNING: 1,
  PROBLEM: 2,
  REFUSED: 3,
  UNREACHABLE: 4,
  NOT_FOUND: 5,
  NOT_PERMITTED: 6,
  TIMEOUT: 7,
  BUSY: 8,
  UNSUPPORTED: 9,
  INVALID: 10,
  FAILED: 11,
  USAGE: 64,
  BUG: 70,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Each code, and what it means to whoever called. */
export const EXIT_CODES: readonly (readonly [code: ExitCode, meaning: string])[] = [
  [EXIT.DONE, "done"],
  [EXIT.WARNING, "doctor only: something is left out"],
  [EXIT.PROBLEM, "doctor only: something stands in the way"],
  [EXIT.REFUSED, "refused as things are: owned by another, fenced, in use, a session that is over"],
  [EXIT.UNREACHABLE, "no broker can be reached"],
  [EXIT.NOT_FOUND, "what was named is not there"],
  [EXIT.NOT_PERMITTED, "not permitted: by the policy, without a session's token, or by the socket's permissions"],
  [EXIT.TIMEOUT, "no answer in time"],
  [EXIT.BUSY, "not now: a limit is reached, or the broker or the device is busy; try again"],
  [EXIT.UNSUPPORTED, "this broker, backend or device cannot do it"],
  [EXIT.INVALID, "the broker finds a value unusable"],
  [EXIT.FAILED, "the broker or the hardware failed; the broker's log says more"],
  [EXIT.USAGE, "the command line, or a file that it names, is not usable"],
  [EXIT.BUG, "a bug of iommuctl"],
];

/** Arguments that cannot be used. The message says the remedy, and never a token. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Of what a broker answered: by the name of its gRPC status. */
const BY_STATUS: Readonly<Record<string, ExitCode>> = {
  INVALID_ARGUMENT: EXIT.INVALID,
  OUT_OF_RANGE: EXIT.INVALID,
  NOT_FOUND: EXIT.NOT_FOUND,
  PERMISSION_DENIED: EXIT.NOT_PERMITTED,
  UNAUTHENTICATED: EXIT.NOT_PERMITTED,
  FAILED_PRECONDITION: EXIT.REFUSED,
  ALREADY_EXISTS: EXIT.REFUSED,
  ABORTED: EXIT.REFUSED,
  RESOURCE_EXHAUSTED: EXIT.BUSY,
  UNAVAILABLE: EXIT.BUSY,
  UNIMPLEMENTED: EXIT.UNSUPPORTED,
  DEADLINE_EXCEEDED: EXIT.TIMEOUT,
  CANCELLED: EXIT.TIMEOUT,
};

/** Statuses with which a call ends that no broker answered: such an answer has no ErrorInfo. */
const UNANSWERED: readonly string[] = ["UNAVAILABLE", "CANCELLED", "UNKNOWN", "INTERNAL"];

/** By reason; for others the broker's text says it. */
const REMEDIES: Readonly<Record<string, string>> = {
  UNAUTHENTICATED:
    "give a session's token (iommuctl session open makes one), in --token-file or IOMMUBROKER_SESSION_TOKEN",
  LEASE_EXPIRED: "its session is over: give the token of one that lives (iommuctl session open)",
  DEVICE_OWNED: "give the token of the owner's session, or wait for it (attach --wait); iommuctl devices shows owners",
  DEVICE_UNKNOWN: "iommuctl devices lists what there is",
  IOMMU_UNKNOWN: "iommuctl capabilities lists what there is",
  NOT_OWNER: "attach the device first: iommuctl attach",
  FENCED: "its stage was changed by somebody else: look (iommuctl devices), then give the generation that you saw",
};

/** What brokers tell those to call who call them without iommuctl. */
const RPC_TO_CALL = /\b(?:ListDevices|OpenSession|ResumeSession)\b/;

/** Of a call that a rule refuses. What is refused with POLICY_DENIED for another reason has its remedy in the broker's text. */
const RULES = "docs/policy.md has the rules; an administrator sees those in force";

const REVIVE = "within its grace iommuctl session resume brings it back";

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof UsageError) return EXIT.USAGE;
  if (error instanceof Unreachable) return error.isForbidden ? EXIT.NOT_PERMITTED : EXIT.UNREACHABLE;
  if (!(error instanceof BrokerCallError)) return EXIT.BUG;
  return isUnanswered(error) ? EXIT.UNREACHABLE : (BY_STATUS[error.codeName] ?? EXIT.FAILED);
}

/** Some lines without a line break at the end. */
export function describeFailure(error: unknown): string {
  if (error instanceof UsageError) return `${printable(error.message)} (--help explains)`;
  if (error instanceof Unreachable) return printable(error.message, "\n");
  if (!(error instanceof BrokerCallError)) {
    return `bug: ${printable(error instanceof Error ? (error.stack ?? error.message) : String(error), "\n")}`;
  }
  if (isUnanswered(error)) return `cannot reach a broker: ${printable(error.message)}`;
  if (isLate(error)) {
    return `no answer in time: ${printable(error.message)}\n  --timeout gives it longer`;
  }
  const remedy = remedyOf(error);
  const name = printable(error.reason === "" ? error.codeName : error.reason);
  if (remedy === undefined) return `refused (${name}): ${printable(error.message)}`;
  return `refused (${name}): ${printable(withoutRpc(error.message))}\n  ${remedy}`;
}

function remedyOf({ metadata, reason }: BrokerCallError): string | undefined {
  if (metadata.reason === "lost") return REVIVE;
  if (reason === "POLICY_DENIED") return metadata.verb === undefined ? undefined : RULES;
  return REMEDIES[reason];
}

/** The message without a last clause that has the remedy for other clients. */
function withoutRpc(message: string): string {
  const [, fact, remedy] = /^(.+)[;:] (.+)$/s.exec(message) ?? [];
  return fact !== undefined && remedy !== undefined && RPC_TO_CALL.test(remedy) ? fact : message;
}

/** True when no broker said this: the connection did not stand, or broke. */
export function isUnanswered(error: unknown): error is BrokerCallError & { readonly reason: "" } {
  return error instanceof BrokerCallError && error.reason === "" && UNANSWERED.includes(error.codeName);
}

/** Nobody answered in time: as good as away, to a command that goes on asking. */
export function isLate(error: unknown): boolean {
  return error instanceof BrokerCallError && error.reason === "" && error.codeName === "DEADLINE_EXCEEDED";
}
