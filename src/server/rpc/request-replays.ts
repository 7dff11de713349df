// Which calls are answered again by their request_id, and from where: those of a session from core's answers, which outlive
// the daemon; those that ask for a session from memory alone, for they hold tokens.

import { Answers } from "../core/answers.ts";
import { type Caller, lastingScope, replayScope } from "../core/caller.ts";
import type { CallIssue } from "../core/token-issue.ts";
import { requestID } from "./field.ts";
import { type AnswerStore, contentDigest, ReplayCache } from "./replay.ts";

const IN_FLIGHT_PER_SESSION_MAX = 256;
const IN_FLIGHT_PER_PEER_MAX = 16;
const PEER_ANSWERS = {
  scopesMax: 1024,
  entriesPerScopeMax: IN_FLIGHT_PER_PEER_MAX,
  bytesPerScopeMax: 2 ** 14,
  bytesMax: 2 ** 24,
  durableBytesMax: 0,
};

/** A call that may be a repeat. */
export interface Repeatable {
  readonly path: string;
  /** "": it is none. */
  readonly requestID: string;
  /** The request's bytes. */
  readonly request: Buffer;
}

export class RequestReplays {
  readonly #ofSessions: ReplayCache;
  readonly #ofPeers = new ReplayCache(new Answers(PEER_ANSWERS), IN_FLIGHT_PER_PEER_MAX);

  /** @param answers  core's */
  constructor(answers: AnswerStore) {
    this.#ofSessions = new ReplayCache(answers, IN_FLIGHT_PER_SESSION_MAX);
  }

  ofSession(session: string, call: Repeatable, execute: () => Promise<Buffer>): Promise<Buffer> {
    return once(this.#ofSessions, session, call, execute);
  }

  ofPeer(caller: Caller, call: Repeatable, execute: () => Promise<Buffer>): Promise<Buffer> {
    return once(this.#ofPeers, replayScope(caller), call, execute);
  }

  /** With what is in flight: it is answered to whoever asked, and not remembered for who has the session now. */
  dropSession(session: string): void {
    this.#ofSessions.drop(session);
  }
}

/** By what a call is known again after a restart; undefined: by nothing. */
export function issueOf(caller: Caller, { path, request, requestID }: Repeatable): CallIssue | undefined {
  const scope = lastingScope(caller);
  if (requestID === "" || scope === undefined) return undefined;
  return { scope, requestID, digest: contentDigest(path, request) };
}

async function once(
  replays: ReplayCache,
  scope: string,
  { path, request, requestID: id }: Repeatable,
  execute: () => Promise<Buffer>,
): Promise<Buffer> {
  requestID(id);
  if (id === "") return await execute();
  return await replays.run({ scope, requestID: id, digest: contentDigest(path, request) }, execute);
}
