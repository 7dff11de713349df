// Failures as iommuctl tells them: one exit code for each kind, the broker's own words, and what to do.

import { BrokerCallError } from "../client/client.ts";
import { printable } from "./terminal.ts";

export const EXIT = { DONE: 0, USAGE: 2, REFUSED: 3, UNREACHABLE: 4, BUG: 70 } as const;

/** Arguments that cannot be used. The message says the remedy, and never a token. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Codes with which a call ends that no broker answered: such an answer has no ErrorInfo. */
const UNANSWERED: readonly string[] = ["UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "UNKNOWN", "INTERNAL"];

/** By reason; for others the broker's text says it. */
const REMEDIES: Readonly<Record<string, string>> = {
  UNAUTHENTICATED: "give the token that OpenSession answered with, in --token-file or IOMMUBROKER_SESSION_TOKEN",
  LEASE_EXPIRED: "its session is over: give the token of one that lives",
  DEVICE_OWNED: "it is shown to its owner alone: give the token of the owner's session",
};

export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT.USAGE;
  if (!(error instanceof BrokerCallError)) return EXIT.BUG;
  return isUnanswered(error) ? EXIT.UNREACHABLE : EXIT.REFUSED;
}

/** One or two lines without a line break at the end. */
export function describeFailure(error: unknown): string {
  if (error instanceof UsageError) return `${printable(error.message)} (--help explains)`;
  if (!(error instanceof BrokerCallError)) {
    return `bug: ${printable(error instanceof Error ? (error.stack ?? error.message) : String(error), "\n")}`;
  }
  if (isUnanswered(error)) {
    const why = printable(error.message.replace(/ Resolution note: *$/, "")); // grpc-js has none for a Unix socket
    return `cannot reach a broker: ${why}\n  is iommu-brokerd running there? --socket, --address or --admin-socket names another`;
  }
  const remedy = REMEDIES[error.reason];
  const what = `refused (${printable(error.reason === "" ? error.codeName : error.reason)}): ${printable(error.message)}`;
  return remedy === undefined ? what : `${what}\n  ${remedy}`;
}

function isUnanswered(error: BrokerCallError): boolean {
  return error.reason === "" && UNANSWERED.includes(error.codeName);
}
