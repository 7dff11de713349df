// A guest's invalidations without a call for each: batches go out as fast as the broker takes them, and each has a promise
// that is kept when it is complete. Answers come in the order of the batches.
// A batch that is refused rejects alone; when the stream ends, everything that has no answer rejects with what ended it.

import { type ClientDuplexStream, type ServiceError, type StatusObject, status } from "@grpc/grpc-js";
import type { iommubroker } from "../server/rpc/codec.ts";
import { longOfNumber } from "../server/rpc/int64.ts";
import { BROKER } from "../server/rpc/services.ts";
import { assert } from "../spec/assert.ts";
import type { Channel } from "./channel.ts";
import { BrokerCallError, fromServiceError, fromStatus } from "./error.ts";
import type { InvalidationCommand } from "./messages.ts";
import { plain, wire } from "./plain.ts";

export interface InvalidationStreamOptions {
  /** Batches without an answer; those beyond wait here. Default 64, which is also the broker's own. */
  readonly outstandingMax?: number;
  /** Milliseconds until the stream is given up. Default: none. */
  readonly deadlineMs?: number;
}

type Request = iommubroker.v1.IStreamInvalidationsRequest;
type Response = iommubroker.v1.StreamInvalidationsResponse;

interface Batch {
  readonly request: Request;
  readonly resolve: (executed: number) => void;
  readonly reject: (error: BrokerCallError) => void;
}

const OUTSTANDING_MAX = 64;

export class InvalidationStream {
  readonly #call: ClientDuplexStream<Request, Response>;
  readonly #outstandingMax: number;
  readonly #line: Batch[] = [];
  readonly #unanswered: Batch[] = [];
  readonly #over = Promise.withResolvers<void>();
  #virtualIommu: string;
  #sequence = 0;
  /** The transport has not yet taken what was written. */
  #isBehind = false;
  #isClosing = false;
  #failure: BrokerCallError | undefined;

  /** @param virtualIommu  "virtualIommus/{uuid}" */
  constructor(channel: Channel, token: string, virtualIommu: string, options: InvalidationStreamOptions = {}) {
    const { deadlineMs, outstandingMax = OUTSTANDING_MAX } = options;
    this.#virtualIommu = virtualIommu;
    this.#outstandingMax = outstandingMax;
    this.#over.promise.catch(() => undefined); // whoever closes, or has a batch, sees it
    this.#call = channel.bidiStream(BROKER.streamInvalidations, token, deadlineMs);
    this.#call.on("data", (response: Response) => this.#answered(response));
    this.#call.on("drain", () => {
      this.#isBehind = false;
      this.#send();
    });
    this.#call.on("error", (error: ServiceError) => this.#end(fromServiceError(error)));
    this.#call.on("status", ({ code }: StatusObject) => {
      if (code === status.OK) this.#end(undefined);
    });
  }

  /** Batches without an answer, those that wait here included. */
  get outstanding(): number {
    return this.#unanswered.length + this.#line.length;
  }

  /**
   * Complete when it resolves, with the number of commands executed: all of them. Rejects with a BrokerCallError where none
   * was; its metadata has the `index` of a bad command.
   * @param commands  commands, or 16 bytes for each as in the guest's command queue: not looked at again until it resolves,
   *                  so not to be changed
   */
  invalidate(commands: readonly InvalidationCommand[] | Uint8Array): Promise<number> {
    if (this.#isClosing || this.#failure !== undefined) return Promise.reject(this.#failure ?? closedHere());
    const what = commands instanceof Uint8Array ? { rawCommands: commands } : { commands: commands.map(wireOf) };
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const request = { virtualIommu: this.#virtualIommu, sequence: longOfNumber(this.#sequence), ...what };
    this.#virtualIommu = ""; // the first message names it for all
    this.#sequence += 1;
    this.#line.push({ request, resolve, reject });
    this.#send();
    return promise;
  }

  /** Takes no more batches, and resolves when all are answered and the stream is over. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#send();
    await this.#over.promise;
  }

  /** Ends the stream now: what has no answer rejects with CANCELLED, and may have been executed or not. */
  cancel(): void {
    this.#call.cancel();
  }

  #send(): void {
    while (!this.#isBehind && this.#unanswered.length < this.#outstandingMax) {
      const batch = this.#line.shift();
      if (batch === undefined) break;
      this.#unanswered.push(batch);
      this.#isBehind = !this.#call.write(batch.request);
    }
    if (this.#isClosing && this.#line.length === 0) this.#call.end();
  }

  #answered(response: Response): void {
    const batch = this.#unanswered.shift();
    assert(
      batch?.request.sequence?.toString() === response.sequence.toString(),
      `the broker answered batch ${response.sequence} out of turn`,
    );
    const { error } = response;
    if (error) batch.reject(fromStatus(plain(error)));
    else batch.resolve(response.executed ?? 0);
    this.#send();
  }

  #end(failure: BrokerCallError | undefined): void {
    this.#failure ??= failure ?? closedHere();
    const lost = [...this.#unanswered.splice(0), ...this.#line.splice(0)];
    for (const { reject } of lost) reject(this.#failure);
    if (failure === undefined) this.#over.resolve();
    else this.#over.reject(failure);
  }
}

function wireOf(command: InvalidationCommand): iommubroker.v1.IInvalidationCommand {
  return wire<iommubroker.v1.IInvalidationCommand>(command);
}

function closedHere(): BrokerCallError {
  const details = { code: status.CANCELLED, reason: "", metadata: {}, fields: [], retryAfterMs: undefined };
  return new BrokerCallError("the stream of invalidations is closed: open another", details);
}
