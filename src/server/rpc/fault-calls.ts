// WatchFaults, ListFaults, RespondToFault: for a session on the API, and on the admin socket for observers, who see every
// device and may answer nothing. A stream goes at the pace of its reader: nothing is taken from core while the reader is
// behind, so what piles up does so in core's bounded rings, which all readers share.

import { setImmediate as nextTurn } from "node:timers/promises";
import type { ServerWritableStream } from "@grpc/grpc-js";
import { BrokerError } from "../../backends/errors.ts";
import type { FaultBatch, FaultPage, FaultSubscription } from "../core/fault-verbs.ts";
import type { Calls } from "./calls.ts";
import { codec, iommubroker } from "./codec.ts";
import { diagnosisMessage, type FaultView, faultMessage } from "./convert-fault.ts";
import type { RpcDeps } from "./deps.ts";
import { drainingError } from "./failure.ts";
import { EMPTY_BYTES, type FaultReader, faultMessages, positionsBytes } from "./fault-bytes.ts";
import { parseListFaults, parseRespondToFault, parseWatchFaults } from "./fault-requests.ts";
import { Heartbeat } from "./heartbeat.ts";
import { longOfNumber } from "./int64.ts";
import { deviceName } from "./names.ts";
import type { ServerStream } from "./server-stream.ts";
import { BROKER } from "./services.ts";

type WatchCall = ServerWritableStream<Buffer, Buffer>;
type WatchStream = ServerStream<Buffer>;

export function faultCalls(calls: Calls, deps: RpcDeps) {
  return {
    watchFaults: watching(calls, deps, (call) => calls.authenticate(call)),
    listFaults: calls.withSession(BROKER.listFaults, (request, session) => list(request, session, deps)),
    respondToFault: calls.mutating(BROKER.respondToFault, async (request, session, { about, gate }) => {
      const asked = parseRespondToFault(request);
      const { device, sequence } = await deps.core.faults.respond(session, asked, gate);
      about(deviceName(device), `${asked.answer} for fault ${sequence}`);
      return { device: deviceName(device), sequence: longOfNumber(sequence) };
    }),
  };
}

/** What the admin socket serves of it: every device, without a session. */
export function observerCalls(calls: Calls, deps: RpcDeps) {
  return {
    watchFaults: watching(calls, deps, () => undefined),
    listFaults: calls.open(BROKER.listFaults, (request) => list(request, undefined, deps)),
  };
}

/** @param viewer  the session of a call; undefined: an observer */
function watching(calls: Calls, deps: RpcDeps, viewer: (call: WatchCall) => string | undefined) {
  const { faults } = deps.core;
  return calls.stream(BROKER.watchFaults, (stream: WatchStream, call: WatchCall) => {
    const session = viewer(call);
    const request = BROKER.watchFaults.request.decode(call.request);
    const asked = parseWatchFaults(request, deps.heartbeatMs);
    const subscription = faults.subscribe(session, asked);
    stream.onOver(() => subscription.close());
    calls.onDrain(stream, () => stream.fail(drainingError()));
    const reader: FaultReader = {
      view: subscription.view,
      types: asked.types,
      diagnose: request.diagnose ? (event) => faults.diagnose(event) : undefined,
      messageBytesMax: deps.limits.messageBytesMax,
    };
    void new FaultPump(stream, subscription, reader).run(asked.heartbeatMs);
  });
}

/** Names have at most some hundred bytes: far below any message's limit. */
const POSITIONS_PER_MESSAGE_MAX = 1000;

/** From a subscription to its stream, at the stream's pace. */
class FaultPump {
  readonly #stream: WatchStream;
  readonly #subscription: FaultSubscription;
  readonly #reader: FaultReader;
  /** What was taken is not all sent yet: the subscription's positions are ahead of the stream. */
  #isSending = false;
  /** A heartbeat came meanwhile. */
  #owesPositions = false;

  constructor(stream: WatchStream, subscription: FaultSubscription, reader: FaultReader) {
    this.#stream = stream;
    this.#subscription = subscription;
    this.#reader = reader;
  }

  async run(heartbeatMs: number): Promise<void> {
    const stream = this.#stream;
    const heartbeat = new Heartbeat(stream, heartbeatMs, () => this.#beat());
    heartbeat.beat();
    try {
      await this.#sendPositions();
      for (;;) {
        const batch = await this.#subscription.next();
        if (batch === undefined) break;
        this.#isSending = true;
        await this.#send(batch, heartbeat);
        if (stream.isOver) return;
        this.#isSending = false;
        if (this.#owesPositions && !stream.isBehind) stream.write(this.#beat());
      }
      stream.fail(new BrokerError("lease_expired", "the session has ended: open a new one"));
    } catch (error) {
      stream.fail(error);
    }
  }

  async #send(batch: FaultBatch, heartbeat: Heartbeat<Buffer>): Promise<void> {
    const stream = this.#stream;
    for (const bytes of faultMessages(batch, this.#reader)) {
      if (stream.isOver) return;
      stream.write(bytes);
      // With a filter positions are told however much is sent: of a device whose events are passed over they are all it hears.
      if (this.#reader.types === undefined) heartbeat.postpone();
      if (stream.isBehind) await stream.writable();
      if (this.#reader.diagnose !== undefined) await nextTurn();
    }
  }

  /** What the first message had no room for. Nothing is taken meanwhile. */
  async #sendPositions(): Promise<void> {
    const stream = this.#stream;
    for (;;) {
      const positions = this.#subscription.positions(POSITIONS_PER_MESSAGE_MAX);
      if (positions.size === 0 || stream.isOver) return;
      stream.write(positionsBytes(positions));
      if (stream.isBehind) await stream.writable();
    }
  }

  #beat(): Buffer {
    this.#owesPositions = this.#isSending;
    return this.#isSending ? EMPTY_BYTES : positionsBytes(this.#subscription.positions(POSITIONS_PER_MESSAGE_MAX));
  }
}

const PAGE = codec(iommubroker.v1.ListFaultsResponse);

/** A page whose events do not fit a message is asked for again with fewer. */
function list(
  request: iommubroker.v1.ListFaultsRequest,
  session: string | undefined,
  { core, limits }: RpcDeps,
): iommubroker.v1.IListFaultsResponse {
  const asked = parseListFaults(request);
  const view: FaultView = session === undefined ? "observer" : "owner";
  const messageOf = ({ events, nextPageToken }: FaultPage): iommubroker.v1.IListFaultsResponse => ({
    events: events.map((event) => {
      const message = faultMessage(event, view);
      return request.diagnose ? { ...message, diagnosis: diagnosisMessage(core.faults.diagnose(event)) } : message;
    }),
    nextPageToken,
  });
  for (let { pageSize } = asked; ; pageSize = Math.ceil(pageSize / 2)) {
    const message = messageOf(core.faults.list(session, { ...asked, pageSize }));
    if (pageSize === 1 || PAGE.encode(message).length <= limits.messageBytesMax) return message;
  }
}
