// Idempotence: the same request_id with the same content in the same scope gives the same answer again.
// A scope is a session, or for OpenSession a peer. Calls in flight are shared, failures are forgotten (they changed
// nothing, so they may be tried again), and answers go to core/answers.ts, which bounds them.
// A shared call that ended because its own caller had left says nothing about who joined it: that one executes itself.

import { createHash } from "node:crypto";
import { BrokerError, limitReached } from "../../backends/errors.ts";
import { type ReplayKey, requestConflict } from "../core/answers.ts";

/** Where answers are kept: core's, or one of the edge's own. */
export interface AnswerStore {
  /** @throws BrokerError request_conflict when the request_id was used with other content */
  find(key: ReplayKey): Buffer | undefined;
  keep(key: ReplayKey, answer: Buffer): void;
  drop(scope: string): void;
}

interface Running {
  readonly digest: string;
  readonly answer: Promise<Buffer>;
}

type Scope = Map<string, Running>;

/** What makes two calls the same: the method and the bytes of the request. */
export function contentDigest(path: string, request: Uint8Array): string {
  return createHash("sha256").update(path).update("\0").update(request).digest("base64");
}

export class ReplayCache {
  readonly #answers: AnswerStore;
  readonly #inFlightPerScopeMax: number;
  /** Scopes with calls in flight. */
  readonly #scopes = new Map<string, Scope>();

  constructor(answers: AnswerStore, inFlightPerScopeMax: number) {
    this.#answers = answers;
    this.#inFlightPerScopeMax = inFlightPerScopeMax;
  }

  /**
   * Answers from an earlier call with this key, or executes and remembers.
   * @throws BrokerError request_conflict when the request_id was used with other content
   */
  async run(key: ReplayKey, execute: () => Promise<Buffer>): Promise<Buffer> {
    const running = this.#scopes.get(key.scope)?.get(key.requestID);
    if (running !== undefined) {
      if (running.digest === key.digest) return await this.#share(key, running, execute);
      throw requestConflict(key.requestID);
    }
    const kept = this.#answers.find(key);
    if (kept !== undefined) return kept;
    const scope = this.#scopeOf(key.scope);
    const entry: Running = { digest: key.digest, answer: execute() };
    scope.set(key.requestID, entry);
    try {
      const answer = await entry.answer;
      // Nothing may be waited for between what the call changed and this: both are in one frame of the journal, or neither.
      if (this.#scopes.get(key.scope) === scope) this.#answers.keep(key, answer);
      return answer;
    } finally {
      this.#ended(key, scope, entry);
    }
  }

  async #share(key: ReplayKey, earlier: Running, execute: () => Promise<Buffer>): Promise<Buffer> {
    try {
      return await earlier.answer;
    } catch (error) {
      if (!(error instanceof BrokerError) || error.code !== "call_over") throw error;
      const scope = this.#scopes.get(key.scope);
      if (scope !== undefined) this.#ended(key, scope, earlier);
      return await this.run(key, execute);
    }
  }

  /** Forgets a scope, and what is in flight in it: its session has ended. */
  drop(scope: string): void {
    this.#scopes.delete(scope);
    this.#answers.drop(scope);
  }

  #scopeOf(name: string): Scope {
    const scope = this.#scopes.get(name) ?? new Map<string, Running>();
    if (scope.size >= this.#inFlightPerScopeMax) {
      throw limitReached("request_ids_in_flight", this.#inFlightPerScopeMax, "wait for some of the calls to end");
    }
    this.#scopes.set(name, scope);
    return scope;
  }

  /** Only the entry itself: another call may stand in its place by now. */
  #ended({ scope: name, requestID }: ReplayKey, scope: Scope, entry: Running): void {
    if (scope.get(requestID) === entry) scope.delete(requestID);
    if (scope.size === 0 && this.#scopes.get(name) === scope) this.#scopes.delete(name);
  }
}
