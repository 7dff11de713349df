// OpenSession, ResumeSession, ClaimSession, KeepSessionAlive, CloseSession.
// The keep-alive stream renews with every message and carries the notices; its end is not the session's end.

import type { ServerDuplexStream } from "@grpc/grpc-js";
import { BrokerError, limitReached } from "../../backends/errors.ts";
import type { SessionNotice } from "../core/session-notices.ts";
import type { Calls } from "./calls.ts";
import type { iommubroker } from "./codec.ts";
import {
  drainingMessage,
  holdingsMessage,
  noticeMessage,
  parseClaimSession,
  parseOpenSession,
  renewalMessage,
  sessionMessage,
} from "./convert-session.ts";
import type { RpcDeps } from "./deps.ts";
import { drainingError } from "./failure.ts";
import type { ServerStream } from "./server-stream.ts";
import { BROKER } from "./services.ts";
import { StreamsPerSession } from "./streams-per-session.ts";

type KeepAliveCall = ServerDuplexStream<Buffer, Buffer>;
type KeepAliveStream = ServerStream<iommubroker.v1.IKeepSessionAliveResponse>;

const STREAMS_PER_SESSION_MAX = 8;
/** Notices that may wait for a client that does not read. */
const QUEUED_MESSAGES_MAX = 256;

export function sessionCalls(calls: Calls, deps: RpcDeps) {
  const { sessions } = deps.core;
  const keepAlives = new KeepAlives(calls, deps);
  return {
    openSession: calls.openOnce(BROKER.openSession, async (request, caller, issue) => {
      const wish = parseOpenSession(request, deps.limits);
      const earlier = issue && (await sessions.reissue(issue, caller));
      const { session, token } = earlier ?? sessions.open({ ...wish, caller, issue });
      return { session: sessionMessage(session), token };
    }),
    resumeSession: calls.withToken(BROKER.resumeSession, async (_request, token, caller) => {
      const { session, held } = await sessions.resume(token, caller);
      return { session: sessionMessage(session), holdings: holdingsMessage(held) };
    }),
    claimSession: calls.openOnce(BROKER.claimSession, async (request, caller, issue) => {
      const { session: id, wish } = parseClaimSession(request, deps.limits);
      const earlier = issue && (await sessions.reissue(issue, caller));
      const { session, token, held } = earlier ?? (await sessions.claim(id, caller, wish, issue));
      return { session: sessionMessage(session), token, holdings: holdingsMessage(held) };
    }),
    keepSessionAlive: calls.stream(BROKER.keepSessionAlive, (stream: KeepAliveStream, call: KeepAliveCall) =>
      keepAlives.serve(stream, call),
    ),
    closeSession: calls.closing(BROKER.closeSession, async (_request, authenticate) => {
      await closeSession(authenticate, deps);
      return {};
    }),
  };
}

/**
 * A session that has ended is what the caller wanted; core tells it from a token that never was one, and from one that was
 * replaced: its session goes on.
 */
async function closeSession(authenticate: () => string, { core }: RpcDeps): Promise<void> {
  let session: string;
  try {
    session = authenticate();
  } catch (error) {
    if (error instanceof BrokerError && error.code === "lease_expired" && error.facts.reason !== "replaced") return;
    throw error;
  }
  await core.sessions.close(session);
}

class KeepAlives {
  readonly #calls: Calls;
  readonly #deps: RpcDeps;
  readonly #streams = new StreamsPerSession(STREAMS_PER_SESSION_MAX, () =>
    limitReached("keep_alive_streams_per_session", STREAMS_PER_SESSION_MAX, "end the ones no longer used"),
  );

  constructor(calls: Calls, deps: RpcDeps) {
    this.#calls = calls;
    this.#deps = deps;
  }

  serve(stream: KeepAliveStream, call: KeepAliveCall): void {
    const { sessions } = this.#deps.core;
    const session = this.#calls.authenticate(call);
    this.#streams.enter(session, stream);
    sessions.renew(session);
    stream.onOver(sessions.onNotice(session, (notice) => tell(stream, notice, () => sessions.remaining(session))));
    this.#calls.onDrain(stream, () => {
      stream.write(drainingMessage(sessions.remaining(session), this.#deps.graceMs));
      stream.fail(drainingError());
    });
    call.on("data", (bytes: Buffer) => {
      if (stream.isOver) return;
      try {
        this.#calls.received(BROKER.keepSessionAlive);
        BROKER.keepSessionAlive.request.decode(bytes);
        stream.write(renewalMessage(sessions.renew(session)));
        readWhenWritable(stream, call);
      } catch (error) {
        stream.fail(error);
      }
    });
    call.on("end", () => stream.end());
  }
}

/** A client that sends without reading is not read from either. */
function readWhenWritable(stream: KeepAliveStream, call: KeepAliveCall): void {
  if (!stream.isBehind) return;
  call.pause();
  void stream.writable().then(() => call.resume());
}

function tell(stream: KeepAliveStream, notice: SessionNotice, remainingMs: () => number): void {
  if (notice.kind === "lost" || notice.kind === "ended") {
    stream.fail(sessionOver(notice));
    return;
  }
  if (stream.queued >= QUEUED_MESSAGES_MAX) {
    stream.fail(limitReached("queued_notices", QUEUED_MESSAGES_MAX, "read the stream, and open it again"));
    return;
  }
  stream.write(noticeMessage(remainingMs(), notice));
  if (notice.kind === "revoked" || notice.kind === "transferred") stream.fail(sessionOver(notice));
}

/** Notices after which a session's streams end. */
export type LastNotice = Extract<SessionNotice, { kind: "lost" | "ended" | "revoked" | "transferred" }>;

/** What they end with. */
export function sessionOver(notice: LastNotice): BrokerError {
  switch (notice.kind) {
    case "lost": {
      const facts = { reason: "lost", loss: notice.reason, grace_ms: notice.graceMs };
      return new BrokerError("lease_expired", "the session is lost: call ResumeSession", facts);
    }
    case "ended":
      return new BrokerError("lease_expired", "the session has ended: open a new one");
    case "revoked":
    case "transferred":
      return new BrokerError("lease_expired", `the session was ${notice.kind}: open a new one`, {
        reason: notice.kind,
      });
  }
}
