// Answers to calls with a request_id, kept so that a call that is repeated is answered again instead of executed again.
// A scope is a session: its answers outlive the daemon, noted in the same turn as what the call changed, and go with the
// session, or with its token when it is claimed. The edge keeps a caller's OpenSession in one of these too, in memory only.
// Bounded by number and bytes for a scope, where the oldest go, and by bytes in all, where the scope unused for longest goes.

import { BrokerError } from "../../backends/errors.ts";
import type { DurableAnswer, DurableRecord } from "./durable.ts";

export interface AnswerBounds {
  readonly scopesMax: number;
  readonly entriesPerScopeMax: number;
  /** The newest answer of a scope is kept however long it is. */
  readonly bytesPerScopeMax: number;
  readonly bytesMax: number;
  /** What is longer is not written to the disk: after a restart only that there was an answer is known. */
  readonly durableBytesMax: number;
}

export const SESSION_ANSWERS = {
  entriesPerScopeMax: 256,
  bytesPerScopeMax: 2 ** 20,
  bytesMax: 2 ** 26,
  durableBytesMax: 2 ** 16,
} as const;

export interface ReplayKey {
  readonly scope: string;
  readonly requestID: string;
  /** Of the method and the request's bytes. */
  readonly digest: string;
}

export interface KeptAnswer {
  readonly digest: string;
  /** Undefined: too long to have been kept over a restart. */
  readonly answer: Buffer | undefined;
}

/** What an entry costs besides its answer. */
const ENTRY_BYTES = 256;

interface Scope {
  readonly entries: Map<string, KeptAnswer>;
  bytes: number;
}

export class Answers {
  readonly #bounds: AnswerBounds;
  /** Last used goes last. */
  readonly #scopes = new Map<string, Scope>();
  #bytes = 0;
  #listener: (records: readonly DurableRecord[]) => void = () => {};

  constructor(bounds: AnswerBounds) {
    this.#bounds = bounds;
  }

  /** One listener for what shall outlive the daemon: the recorder. */
  onChange(listener: (records: readonly DurableRecord[]) => void): void {
    this.#listener = listener;
  }

  /** All that is kept, as records, oldest first in each scope. */
  durable(): readonly DurableRecord[] {
    return [...this.#scopes].flatMap(([scope, { entries }]) =>
      [...entries].map(([requestID, kept]) => this.#record(scope, requestID, kept)),
    );
  }

  /**
   * The answer to the call of this key, when there was one.
   * @throws BrokerError request_conflict when the request_id was used with other content, or its answer is not known any more
   */
  find({ scope, requestID, digest }: ReplayKey): Buffer | undefined {
    const found = this.#scopes.get(scope);
    const kept = found?.entries.get(requestID);
    if (found === undefined || kept === undefined) return undefined;
    if (kept.digest !== digest) throw requestConflict(requestID);
    if (kept.answer === undefined) throw answerNotKept(requestID);
    this.#scopes.delete(scope);
    this.#scopes.set(scope, found);
    return kept.answer;
  }

  keep({ scope, requestID, digest }: ReplayKey, answer: Buffer): void {
    const kept = { digest, answer };
    this.#put(scope, requestID, kept);
    this.#listener([this.#record(scope, requestID, kept)]);
  }

  /** Takes in an answer of before a restart. */
  restore({ session, requestID, digest, answer }: DurableAnswer): void {
    this.#put(session, requestID, { digest, answer: answer === null ? undefined : Buffer.from(answer, "base64") });
  }

  /** Forgets a scope: its session has ended, or is another's now. */
  drop(scope: string): void {
    this.#bytes -= this.#scopes.get(scope)?.bytes ?? 0;
    this.#scopes.delete(scope);
  }

  #put(name: string, requestID: string, kept: KeptAnswer): void {
    const scope = this.#scopes.get(name) ?? { entries: new Map<string, KeptAnswer>(), bytes: 0 };
    this.#scopes.delete(name);
    this.#scopes.set(name, scope);
    this.#forget(scope, requestID);
    scope.entries.set(requestID, kept);
    this.#count(scope, costOf(kept));
    const { bytesMax, bytesPerScopeMax, entriesPerScopeMax, scopesMax } = this.#bounds;
    for (const oldest of scope.entries.keys()) {
      if (scope.entries.size <= entriesPerScopeMax && scope.bytes <= bytesPerScopeMax) break;
      if (oldest !== requestID) this.#forget(scope, oldest);
    }
    for (const unused of this.#scopes.keys()) {
      if (this.#scopes.size <= scopesMax && this.#bytes <= bytesMax) break;
      if (unused !== name) this.drop(unused);
    }
  }

  #forget(scope: Scope, requestID: string): void {
    const kept = scope.entries.get(requestID);
    if (kept === undefined) return;
    scope.entries.delete(requestID);
    this.#count(scope, -costOf(kept));
  }

  #count(scope: Scope, bytes: number): void {
    scope.bytes += bytes;
    this.#bytes += bytes;
  }

  #record(session: string, requestID: string, { digest, answer }: KeptAnswer): DurableRecord {
    const isShort = answer !== undefined && answer.length <= this.#bounds.durableBytesMax;
    return {
      type: "answer",
      value: { session, requestID, digest, answer: isShort ? answer.toString("base64") : null },
    };
  }
}

function costOf({ answer }: KeptAnswer): number {
  return ENTRY_BYTES + (answer?.length ?? 0);
}

export function requestConflict(requestID: string): BrokerError {
  return requestRefused(requestID, "was used with other content", "use a new one");
}

function answerNotKept(requestID: string): BrokerError {
  const what = "was executed before the broker was restarted, and its answer was too long to be kept";
  return requestRefused(requestID, what, "look at what it did, and use a new one");
}

/** @param what  reads on after the request_id */
export function requestRefused(requestID: string, what: string, remedy: string): BrokerError {
  return new BrokerError(
    "request_conflict",
    `request_id ${JSON.stringify(requestID)} ${what}: ${remedy}`,
    { request_id: requestID },
    { fields: [{ path: "request_id", description: what }] },
  );
}
