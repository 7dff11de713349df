// Calls to the real daemon and what it refuses them with, whole: code, how many ErrorInfos and of which domain, and the
// paths of BadRequest. The client folds these; a test of bad input wants them as they were sent.

import * as grpc from "@grpc/grpc-js";
import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { codec, google } from "../../src/server/rpc/codec.ts";
import { STATUS_DETAILS_KEY } from "../../src/server/rpc/status.ts";

const STATUS = codec(google.rpc.Status);
const ERROR_INFO = codec(google.rpc.ErrorInfo);
const BAD_REQUEST = codec(google.rpc.BadRequest);

export interface Refusal {
  /** "INVALID_ARGUMENT" */
  readonly code: string;
  readonly message: string;
  readonly infos: readonly { readonly reason: string; readonly domain: string; readonly metadata: object }[];
  /** Field paths of every BadRequest there is. */
  readonly paths: readonly string[];
}

export function refusalOf(error: ServiceError): Refusal {
  const [bytes] = (error.metadata ?? new Metadata()).get(STATUS_DETAILS_KEY);
  const details = bytes instanceof Uint8Array ? STATUS.decode(bytes) : { code: error.code, message: "", details: [] };
  if (details.code !== error.code) throw new Error(`the status says ${error.code}, its details ${details.code}`);
  return { ...statusRefusal(details), message: error.details };
}

/** A google.rpc.Status, from a trailer or from inside a batch answer. */
export function statusRefusal(from: Pick<google.rpc.IStatus, "code" | "message" | "details">): Refusal {
  const infos: Refusal["infos"][number][] = [];
  const paths: string[] = [];
  for (const { type_url: type, value } of from.details ?? []) {
    if (type?.endsWith("/google.rpc.ErrorInfo") && value) infos.push(ERROR_INFO.decode(value));
    if (type?.endsWith("/google.rpc.BadRequest") && value) {
      paths.push(...BAD_REQUEST.decode(value).fieldViolations.map(({ field }) => field));
    }
  }
  return { code: status[from.code ?? 0] ?? String(from.code), message: from.message ?? "", infos, paths };
}

/** A bare gRPC client: bytes out, bytes in, any path, any metadata. */
export class RawClient {
  readonly #client: grpc.Client;

  constructor(target: string, options: grpc.ChannelOptions = {}) {
    this.#client = new grpc.Client(target, grpc.credentials.createInsecure(), {
      "grpc.default_authority": "localhost",
      "grpc.use_local_subchannel_pool": 1,
      ...options,
    });
  }

  get grpc(): grpc.Client {
    return this.#client;
  }

  /** The answer's bytes; rejects with grpc-js's ServiceError. */
  async unary(path: string, request: Uint8Array, metadata = new Metadata(), deadlineMs = 10_000): Promise<Buffer> {
    return await new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        path,
        asBuffer,
        (bytes) => bytes,
        request,
        metadata,
        { deadline: Date.now() + deadlineMs },
        (error, answer) => (error ? reject(error) : resolve(answer ?? Buffer.alloc(0))),
      );
    });
  }

  /** What the call is refused with; fails when it succeeds. */
  async refused(path: string, request: Uint8Array, metadata?: Metadata): Promise<Refusal> {
    try {
      await this.unary(path, request, metadata);
    } catch (error) {
      if (isServiceError(error)) return refusalOf(error);
      throw error;
    }
    throw new Error(`${path} succeeded and should not have`);
  }

  /** Health of the whole server: "SERVING". */
  async health(): Promise<string> {
    const answer = await this.unary("/grpc.health.v1.Health/Check", new Uint8Array());
    return answer.equals(Buffer.from([0x08, 0x01])) ? "SERVING" : `not serving: ${answer.toString("hex")}`;
  }

  close(): void {
    this.#client.close();
  }
}

export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && "details" in error && "metadata" in error;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes);
}

const SHOWN_MAX = 3;
const SHOWN_CHARACTERS = 1000;

/** Lines of a daemon's log that no bad client may cause; the first few. */
export function bugLines(log: readonly string[]): readonly string[] {
  const lines = log.filter((line) => /"level":"(error|fatal)"|bug:|INTERNAL|AssertionFailure/.test(line));
  return lines.slice(0, SHOWN_MAX).map((line) => line.slice(0, SHOWN_CHARACTERS));
}
