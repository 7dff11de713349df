// Idempotence: the same request_id with the same content in the same scope gives the same answer again.
// A scope is a session, or for OpenSession a peer. Calls in flight are shared, failures are forgotten (they changed
// nothing, so they may be tried again), and the oldest answers go when a scope holds too many or too much.
// A shared call that ended because its own caller had left says nothing about who joined it: that one executes itself.

import { createHash } from "node:crypto";
import { BrokerError, limitReached } from "../../backends/errors.ts";

export interface ReplayBounds {
  readonly scopesMax: number;
  readonly entriesPerScopeMax: number;
  readonly bytesPerScopeMax: number;
}

export interface ReplayKey {
  readonly scope: string;
  readonly requestID: string;
  /** contentDigest() of the call. */
  readonly digest: string;
}

interface Entry {
  readonly digest: string;
  readonly answer: Promise<Buffer>;
  /** Length of the answer; undefined while the call is in flight. */
  bytes: number | undefined;
}

type Scope = Map<string, Entry>;

/** What makes two calls the same: the method and the bytes of the request. */
export function contentDigest(path: string, request: Uint8Array): string {
  return createHash("sha256").update(path).update("\0").update(request).digest("base64");
}

export class ReplayCache {
  readonly #scopes = new Map<string, Scope>();
  readonly #bounds: ReplayBounds;

  constructor(bounds: ReplayBounds) {
    this.#bounds = bounds;
  }

  /**
   * Answers from an earlier call with this key, or executes and remembers.
   * @throws BrokerError request_conflict when the request_id was used with other content
   */
  async run(key: ReplayKey, execute: () => Promise<Buffer>): Promise<Buffer> {
    const scope = this.#scopeOf(key.scope);
    const earlier = scope.get(key.requestID);
    if (earlier !== undefined) {
      if (earlier.digest === key.digest) return await this.#share(key, scope, earlier, execute);
      throw new BrokerError(
        "request_conflict",
        `request_id ${JSON.stringify(key.requestID)} was used with other content: use a new one`,
        { request_id: key.requestID },
        { fields: [{ path: "request_id", description: "was used with other content" }] },
      );
    }
    this.#makeRoom(scope);
    const entry: Entry = { digest: key.digest, answer: execute(), bytes: undefined };
    scope.set(key.requestID, entry);
    try {
      const answer = await entry.answer;
      entry.bytes = answer.length;
      this.#dropOldBytes(scope, key.requestID);
      return answer;
    } catch (error) {
      forget(scope, key.requestID, entry);
      throw error;
    }
  }

  async #share(key: ReplayKey, scope: Scope, earlier: Entry, execute: () => Promise<Buffer>): Promise<Buffer> {
    try {
      return await earlier.answer;
    } catch (error) {
      if (!(error instanceof BrokerError) || error.code !== "call_over") throw error;
      forget(scope, key.requestID, earlier);
      return await this.run(key, execute);
    }
  }

  /** Forgets a scope: its session has ended. */
  drop(scope: string): void {
    this.#scopes.delete(scope);
  }

  #scopeOf(name: string): Scope {
    const scope = this.#scopes.get(name) ?? new Map<string, Entry>();
    this.#scopes.delete(name);
    this.#scopes.set(name, scope); // last used goes last: the first is the one to forget
    for (const oldest of this.#scopes.keys()) {
      if (this.#scopes.size <= this.#bounds.scopesMax) break;
      this.#scopes.delete(oldest);
    }
    return scope;
  }

  #makeRoom(scope: Scope): void {
    const { entriesPerScopeMax } = this.#bounds;
    if (scope.size < entriesPerScopeMax) return;
    for (const [requestID, entry] of scope) {
      if (entry.bytes === undefined) continue;
      scope.delete(requestID);
      return;
    }
    throw limitReached("request_ids_in_flight", entriesPerScopeMax, "wait for some of the calls to end");
  }

  #dropOldBytes(scope: Scope, newest: string): void {
    let bytes = 0;
    for (const entry of scope.values()) bytes += entry.bytes ?? 0;
    for (const [requestID, entry] of scope) {
      if (bytes <= this.#bounds.bytesPerScopeMax) return;
      if (requestID === newest || entry.bytes === undefined) continue;
      bytes -= entry.bytes;
      scope.delete(requestID);
    }
  }
}

/** Only the entry itself: another call may stand in its place by now. */
function forget(scope: Scope, requestID: string, entry: Entry): void {
  if (scope.get(requestID) === entry) scope.delete(requestID);
}
