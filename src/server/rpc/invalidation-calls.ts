// StreamInvalidations: batches one after the other, each answered when it is complete. What a client sends ahead is held up
// to a limit; then its stream is not read until answers are out, and those go out as fast as they are read.
// A batch that is refused leaves the stream as it is; what would refuse every batch to come ends it.
// An answer waits for no journal: it tells of nothing that a crash could take back.

import { setImmediate as nextTurn } from "node:timers/promises";
import type { ServerDuplexStream } from "@grpc/grpc-js";
import { BrokerError, type BrokerErrorCode, invalidField, limitOf, limitReached } from "../../backends/errors.ts";
import { COMMAND_BYTES } from "../../spec/commands.ts";
import type { Calls } from "./calls.ts";
import type { iommubroker } from "./codec.ts";
import { parseBatch } from "./convert-commands.ts";
import type { RpcDeps } from "./deps.ts";
import { drainingError, failureMessage } from "./failure.ts";
import { parseVirtualIommu } from "./names.ts";
import type { ServerStream } from "./server-stream.ts";
import { BROKER } from "./services.ts";
import { sessionOver } from "./session-calls.ts";
import { StreamsPerSession } from "./streams-per-session.ts";

type BatchCall = ServerDuplexStream<Buffer, Buffer>;
type BatchStream = ServerStream<iommubroker.v1.IStreamInvalidationsResponse>;
type Request = iommubroker.v1.StreamInvalidationsRequest;

const METHOD = BROKER.streamInvalidations;

/** What is so for every batch to come. */
const ENDS_STREAM: ReadonlySet<BrokerErrorCode> = new Set([
  "lease_expired",
  "unauthenticated",
  "session_unknown",
  "virtual_iommu_unknown",
  "not_owner",
  "draining",
  "call_over",
]);

/** Small batches that are answered at once leave the event loop to others after so many commands. */
const COMMANDS_PER_TURN = 32;

export function invalidationCalls(calls: Calls, deps: RpcDeps) {
  const max = deps.limits.invalidationStreamsPerSessionMax;
  const streams = new StreamsPerSession(max, () =>
    limitReached("invalidation_streams_per_session_max", max, "end a stream that is no longer used"),
  );
  return {
    streamInvalidations: calls.stream(METHOD, (stream: BatchStream, call: BatchCall) => {
      const session = calls.authenticate(call);
      streams.enter(session, stream);
      const notices = deps.core.sessions.onNotice(session, (notice) => {
        if (notice.kind !== "deviceRemoved" && notice.kind !== "preempted") stream.fail(sessionOver(notice));
      });
      stream.onOver(notices);
      new Batches(calls, deps, stream, call).serve();
    }),
  };
}

class Batches {
  readonly #calls: Calls;
  readonly #deps: RpcDeps;
  readonly #stream: BatchStream;
  readonly #call: BatchCall;
  /** As they came: decoded they would be several times as long. */
  readonly #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #isRunning = false;
  #isPaused = false;
  #isHalfClosed = false;
  #isDraining = false;
  /** As its first message has it, and what that names. */
  #target: { readonly name: string; readonly virtualIommu: string } | undefined;

  constructor(calls: Calls, deps: RpcDeps, stream: BatchStream, call: BatchCall) {
    this.#calls = calls;
    this.#deps = deps;
    this.#stream = stream;
    this.#call = call;
  }

  serve(): void {
    const stream = this.#stream;
    this.#calls.onDrain(stream, () => {
      this.#isDraining = true;
      if (!this.#isRunning) stream.fail(drainingError());
    });
    stream.onOver(() => this.#waiting.splice(0));
    this.#call.on("data", (bytes: Buffer) => this.#take(bytes));
    this.#call.on("end", () => {
      this.#isHalfClosed = true;
      if (!this.#isRunning) stream.end();
    });
  }

  #take(bytes: Buffer): void {
    if (this.#stream.isOver) return;
    this.#calls.received(METHOD);
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (!this.#isRunning) void this.#run();
    if (this.#isPaused || !this.#isFull(1)) return;
    this.#isPaused = true;
    this.#call.pause();
    this.#deps.hooks.onLimit?.("invalidation_batches_outstanding_max");
  }

  /**
   * As many as may be unanswered, or bytes for one message more.
   * @param running  batches besides those that wait
   */
  #isFull(running: number): boolean {
    const { invalidationBatchesOutstandingMax, messageBytesMax } = this.#deps.limits;
    return this.#waiting.length + running >= invalidationBatchesOutstandingMax || this.#waitingBytes >= messageBytesMax;
  }

  /** Until nothing waits. Never rejects. */
  async #run(): Promise<void> {
    const stream = this.#stream;
    this.#isRunning = true;
    let commands = 0;
    try {
      for (let bytes = this.#next(); bytes !== undefined; bytes = this.#next()) {
        const request = METHOD.request.decode(bytes);
        stream.write(await this.#answer(request));
        if (this.#isDraining) throw drainingError();
        commands += 1 + request.commands.length + request.rawCommands.length / COMMAND_BYTES;
        if (commands >= COMMANDS_PER_TURN) {
          commands = 0;
          await nextTurn();
        }
        await stream.writable();
      }
      if (this.#isHalfClosed) stream.end();
    } catch (error) {
      stream.fail(error);
    } finally {
      this.#isRunning = false;
    }
  }

  #next(): Buffer | undefined {
    const bytes = this.#waiting.shift();
    this.#waitingBytes -= bytes?.length ?? 0;
    if (this.#isPaused && !this.#isFull(bytes === undefined ? 0 : 1)) {
      this.#isPaused = false;
      this.#call.resume();
    }
    return bytes;
  }

  async #answer(request: Request): Promise<iommubroker.v1.IStreamInvalidationsResponse> {
    const { sequence } = request;
    try {
      return {
        sequence,
        executed: await this.#calls.withinStream(METHOD, this.#call, (session) => this.#carryOut(session, request)),
      };
    } catch (error) {
      if (!(error instanceof BrokerError) || ENDS_STREAM.has(error.code) || this.#target === undefined) throw error;
      const limit = limitOf(error);
      if (limit !== undefined) this.#deps.hooks.onLimit?.(limit);
      return { sequence, error: failureMessage(error, this.#deps.hooks), commandIndex: commandIndex(error) };
    }
  }

  async #carryOut(session: string, request: Request): Promise<number> {
    const { core, limits } = this.#deps;
    const virtualIommu = this.#targetOf(request.virtualIommu);
    const commands = parseBatch(request, limits.commandsPerCallMax);
    return await core.virtualIommus.invalidate(session, virtualIommu, commands, this.#gate);
  }

  #targetOf(name: string): string {
    this.#target ??= { name, virtualIommu: parseVirtualIommu(name, "virtual_iommu") };
    if (name === "" || name === this.#target.name) return this.#target.virtualIommu;
    throw invalidField("virtual_iommu", `must be empty or ${this.#target.name}, which the first message named`);
  }

  readonly #gate = {
    requireOpen: (): void => {
      if (this.#stream.isOver) throw new BrokerError("call_over", "the stream was over before the batch began");
    },
  };
}

const COMMAND_PATH = /^commands\[(\d+)\]/;

/** Of the first command at fault: core tells it as a fact, the edge by the field. */
function commandIndex({ facts, fields }: BrokerError): number | null {
  if (typeof facts.index === "number") return facts.index;
  const index = COMMAND_PATH.exec(fields[0]?.path ?? "")?.[1];
  return index === undefined ? null : Number(index);
}
