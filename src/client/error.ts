// A call that the broker refused or that never reached it: the gRPC code, and the details that came with it.
// Branch on `reason` and `metadata`, never on the text.

import { status as grpcStatus, Metadata, type ServiceError } from "@grpc/grpc-js";
import { codec, google } from "../server/rpc/codec.ts";
import { STATUS_DETAILS_KEY } from "../server/rpc/status.ts";
import { type Plain, plain } from "./plain.ts";

const STATUS = codec(google.rpc.Status);
const ERROR_INFO = codec(google.rpc.ErrorInfo);
const BAD_REQUEST = codec(google.rpc.BadRequest);
const RETRY_INFO = codec(google.rpc.RetryInfo);

export interface CallErrorDetails {
  /** gRPC status code. */
  readonly code: grpcStatus;
  /** ErrorInfo.reason: "DEVICE_OWNED"; empty when the error did not come from the broker. */
  readonly reason: string;
  /** ErrorInfo.metadata: the values that go with the reason. */
  readonly metadata: Readonly<Record<string, string>>;
  /** BadRequest: every field at fault. */
  readonly fields: readonly { readonly path: string; readonly description: string }[];
  /** RetryInfo; undefined: none was given. */
  readonly retryAfterMs: number | undefined;
}

export class BrokerCallError extends Error implements CallErrorDetails {
  override readonly name = "BrokerCallError";
  readonly code: grpcStatus;
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly fields: CallErrorDetails["fields"];
  readonly retryAfterMs: number | undefined;

  constructor(message: string, details: CallErrorDetails, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = details.code;
    this.reason = details.reason;
    this.metadata = details.metadata;
    this.fields = details.fields;
    this.retryAfterMs = details.retryAfterMs;
  }

  /** "FAILED_PRECONDITION" */
  get codeName(): string {
    return grpcStatus[this.code];
  }

  /** True when the same call may succeed later: the daemon is away or draining. */
  get isUnavailable(): boolean {
    return this.code === grpcStatus.UNAVAILABLE;
  }

  /**
   * True when a stream that this side did not cancel broke off and may be opened again. A daemon that cuts its
   * connections resets the streams, which grpc-js reports as CANCELLED.
   */
  get isBrokenOff(): boolean {
    return this.isUnavailable || this.code === grpcStatus.CANCELLED;
  }

  /**
   * True when a watch is opened again after this.
   * @param isBroken  it has broken off before: then a limit may be full of streams whose silent connection the broker has not
   *                  yet noticed, and will have room again
   */
  mayReopen(isBroken: boolean): boolean {
    return this.isBrokenOff || (isBroken && this.code === grpcStatus.RESOURCE_EXHAUSTED);
  }
}

/** What grpc-js fails a call with. */
export function fromServiceError(error: ServiceError): BrokerCallError {
  const [bytes] = (error.metadata ?? new Metadata()).get(STATUS_DETAILS_KEY);
  const details = bytes instanceof Uint8Array ? detailsOf(bytes) : {};
  return new BrokerCallError(error.details, { ...NO_DETAILS, ...details, code: error.code }, error);
}

/** A google.rpc.Status inside an answer. */
export function fromStatus(status: Plain<google.rpc.Status>): BrokerCallError {
  return new BrokerCallError(status.message, { ...NO_DETAILS, ...unpacked(status), code: status.code });
}

const NO_DETAILS = { reason: "", metadata: {}, fields: [], retryAfterMs: undefined };

function detailsOf(bytes: Uint8Array): Partial<CallErrorDetails> {
  try {
    return unpacked(plain(STATUS.decode(bytes)));
  } catch {
    return {}; // details that cannot be read leave the code, which is what callers branch on first
  }
}

function unpacked(status: Plain<google.rpc.Status>): Partial<CallErrorDetails> {
  let result: Partial<CallErrorDetails> = {};
  for (const { type_url: type, value } of status.details) {
    if (type.endsWith("/google.rpc.ErrorInfo")) {
      const { reason, metadata } = ERROR_INFO.decode(value);
      result = { ...result, reason, metadata };
    } else if (type.endsWith("/google.rpc.BadRequest")) {
      const fields = BAD_REQUEST.decode(value).fieldViolations.map(({ field, description }) => ({
        path: field,
        description,
      }));
      result = { ...result, fields };
    } else if (type.endsWith("/google.rpc.RetryInfo")) {
      const delay = RETRY_INFO.decode(value).retryDelay;
      if (delay) result = { ...result, retryAfterMs: Number(delay.seconds) * 1000 + delay.nanos / 1e6 };
    }
  }
  return result;
}

/** What a stream ended with. Anything that is no error of a call is thrown on. */
export function asCallError(error: unknown): BrokerCallError {
  if (error instanceof BrokerCallError) return error;
  if (isServiceError(error)) return fromServiceError(error);
  throw error;
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && "details" in error && "metadata" in error;
}
