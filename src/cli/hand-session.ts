// Work by hand as a session: each command renews the session's lease first, so that a lease outlives one command and
// lapses when nobody works any more. What the session has, only taking it up (ResumeSession) tells; that would hang a session
// which lives with a VMM's process on this one, so such a session is not taken up: its owner must name what is meant.

import type { BrokerClient, SessionHoldings, SessionVerbs } from "../client/client.ts";
import { type ConnectionOptions, type Environment, sessionTokenOf, withBroker } from "./connection.ts";
import { UsageError } from "./failure.ts";

export const RENEWALS_PER_LEASE = 3;

export interface HandSession {
  readonly client: BrokerClient;
  readonly session: SessionVerbs;
  readonly token: string;
  /** Milliseconds; 0: it lives with a process. */
  readonly leaseMs: number;
}

export async function withHandSession<T>(
  options: ConnectionOptions,
  environment: Environment,
  use: (hand: HandSession) => Promise<T>,
): Promise<T> {
  const token = sessionTokenOf(options, environment);
  return await withBroker(options, environment, async (client) => {
    const leaseMs = await client.renewLease(token, options.timeout);
    return await use({ client, session: client.sessionOf(token), token, leaseMs });
  });
}

/** @param needed  the option that would name what the caller looks for */
export async function holdingsOf({ client, leaseMs, token }: HandSession, needed: string): Promise<SessionHoldings> {
  if (leaseMs === 0) {
    throw new UsageError(`the session lives with its process, which alone knows what it has: give ${needed}`);
  }
  return (await client.resumeSession(token, { keepAlive: false })).holdings;
}

/** The one there is; undefined: none. @throws UsageError when there are several */
export function onlyOne(names: readonly string[], what: string, option: string): string | undefined {
  if (names.length > 1) {
    throw new UsageError(`the session has ${names.length} ${what}: give ${option}, one of ${names.join(", ")}`);
  }
  return names[0];
}

/** Renews the lease while a call stands in line, which may take longer than the lease is. */
export async function renewedDuring<T>({ client, leaseMs, token }: HandSession, waiting: Promise<T>): Promise<T> {
  if (leaseMs === 0) return await waiting;
  // When a renewal fails the session is over or the broker away: the call that waits ends with that, and says it.
  const timer = setInterval(() => void client.renewLease(token).catch(() => undefined), leaseMs / RENEWALS_PER_LEASE);
  try {
    return await waiting;
  } finally {
    clearInterval(timer);
  }
}
