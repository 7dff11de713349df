// Errors as clients see them: each BrokerErrorCode has one gRPC status, and the details travel as a google.rpc.Status.
// Everything here is bounded: trailers are headers, and a client that gets more than 8 KiB of them drops the call.
// Source: google/rpc/error_details.proto; AIP-193.

import * as grpc from "@grpc/grpc-js";
import type { BrokerError, BrokerErrorCode, Facts, FieldViolation } from "../../backends/errors.ts";
import { type Codec, codec, google } from "./codec.ts";
import { longOfNumber } from "./int64.ts";

/** The gRPC status of each code. */
export const GRPC_STATUS = {
  argument_invalid: grpc.status.INVALID_ARGUMENT,
  vste_invalid: grpc.status.INVALID_ARGUMENT,
  iommu_unknown: grpc.status.NOT_FOUND,
  device_unknown: grpc.status.NOT_FOUND,
  session_unknown: grpc.status.NOT_FOUND,
  address_space_unknown: grpc.status.NOT_FOUND,
  virtual_iommu_unknown: grpc.status.NOT_FOUND,
  mapping_unknown: grpc.status.NOT_FOUND,
  device_owned: grpc.status.FAILED_PRECONDITION,
  device_resetting: grpc.status.UNAVAILABLE,
  device_quarantined: grpc.status.FAILED_PRECONDITION,
  device_releasing: grpc.status.FAILED_PRECONDITION,
  vended: grpc.status.FAILED_PRECONDITION,
  not_owner: grpc.status.FAILED_PRECONDITION,
  transition_illegal: grpc.status.FAILED_PRECONDITION,
  group_not_singleton: grpc.status.FAILED_PRECONDITION,
  registers_unfit: grpc.status.FAILED_PRECONDITION,
  in_use: grpc.status.FAILED_PRECONDITION,
  lease_expired: grpc.status.FAILED_PRECONDITION,
  already_exists: grpc.status.ALREADY_EXISTS,
  request_conflict: grpc.status.ALREADY_EXISTS,
  fenced: grpc.status.ABORTED,
  unauthenticated: grpc.status.UNAUTHENTICATED,
  policy_denied: grpc.status.PERMISSION_DENIED,
  limit_reached: grpc.status.RESOURCE_EXHAUSTED,
  fault_not_pending: grpc.status.FAILED_PRECONDITION,
  backend_unsupported: grpc.status.UNIMPLEMENTED,
  backend_unavailable: grpc.status.UNAVAILABLE,
  backend_failed: grpc.status.INTERNAL,
  draining: grpc.status.UNAVAILABLE,
  call_over: grpc.status.CANCELLED,
} as const satisfies Record<BrokerErrorCode, grpc.status>;

/** Domain of every ErrorInfo. */
export const ERROR_DOMAIN = "iommubroker.v1";
/** Trailer that carries the google.rpc.Status. */
export const STATUS_DETAILS_KEY = "grpc-status-details-bin";
/** Reason of an error that is a bug of the broker. */
export const BUG_REASON = "INTERNAL_BUG";

/** What grpc-js is given to end a call with. */
export interface CallStatus {
  readonly code: grpc.status;
  readonly details: string;
  readonly metadata: grpc.Metadata;
}

const TYPE_URL_PREFIX = "type.googleapis.com/";
const ERROR_INFO = codec(google.rpc.ErrorInfo);
const BAD_REQUEST = codec(google.rpc.BadRequest);
const RETRY_INFO = codec(google.rpc.RetryInfo);
const QUOTA_FAILURE = codec(google.rpc.QuotaFailure);
const STATUS = codec(google.rpc.Status);

// base64 makes 4 bytes of 3, and percent-encoding up to 9 of one character: 4 KiB and 1.5 KiB stay below 8 KiB.
const MESSAGE_HEADER_BYTES_MAX = 1536;
const MESSAGE_CHARACTERS_MAX = 512;
const FACTS_MAX = 24;
const FACT_KEY_CHARACTERS_MAX = 63;
const FACT_VALUE_BYTES_MAX = 192;
const FACTS_BYTES_MAX = 1024;
const VIOLATIONS_BYTES_MAX = 1536;
const VIOLATION_TEXT_BYTES_MAX = 256;
const VIOLATIONS_OMITTED_KEY = "field_violations_omitted";

/** A BrokerError as google.rpc.Status, cut to what fits a trailer; also the form inside batch answers. */
export function statusMessage(error: BrokerError): google.rpc.IStatus {
  const { sent, omitted } = violationsThatFit(error.fields);
  const facts = omitted === 0 ? error.facts : { [VIOLATIONS_OMITTED_KEY]: omitted, ...error.facts };
  const details = [errorInfo(error.code.toUpperCase(), facts)];
  if (sent.length > 0) details.push(packed("google.rpc.BadRequest", BAD_REQUEST, { fieldViolations: sent }));
  if (error.retryAfterMs !== undefined) details.push(retryInfo(error.retryAfterMs));
  if (error.code === "limit_reached") details.push(quotaFailure(error));
  return { code: GRPC_STATUS[error.code], message: shortMessage(error.message), details };
}

/** A bug as clients see it: an id to find it in the log by, and nothing of what happened. */
export function bugStatusMessage(id: string): google.rpc.IStatus {
  return {
    code: grpc.status.INTERNAL,
    message: `internal error, id ${id}`,
    details: [errorInfo(BUG_REASON, { id })],
  };
}

/** The same for the end of a call: status code, text and trailers. */
export function callStatus(message: google.rpc.IStatus): CallStatus {
  const metadata = new grpc.Metadata();
  metadata.set(STATUS_DETAILS_KEY, STATUS.encode(message));
  return { code: message.code ?? grpc.status.UNKNOWN, details: message.message ?? "", metadata };
}

function errorInfo(reason: string, facts: Facts): google.protobuf.IAny {
  return packed("google.rpc.ErrorInfo", ERROR_INFO, { reason, domain: ERROR_DOMAIN, metadata: boundedFacts(facts) });
}

function boundedFacts(facts: Facts): Record<string, string> {
  const metadata: Record<string, string> = {};
  let bytes = 0;
  for (const [key, value] of Object.entries(facts).slice(0, FACTS_MAX)) {
    const text = cut(String(value), FACT_VALUE_BYTES_MAX);
    bytes += key.length + Buffer.byteLength(text);
    if (bytes > FACTS_BYTES_MAX) break;
    metadata[key.slice(0, FACT_KEY_CHARACTERS_MAX)] = text;
  }
  return metadata;
}

function violationsThatFit(fields: readonly FieldViolation[]): {
  sent: google.rpc.BadRequest.IFieldViolation[];
  omitted: number;
} {
  const sent: google.rpc.BadRequest.IFieldViolation[] = [];
  let bytes = 0;
  for (const { path, description } of fields) {
    const violation = {
      field: cut(path, VIOLATION_TEXT_BYTES_MAX),
      description: cut(description, VIOLATION_TEXT_BYTES_MAX),
    };
    bytes += Buffer.byteLength(violation.field) + Buffer.byteLength(violation.description) + 8;
    if (bytes > VIOLATIONS_BYTES_MAX) break;
    sent.push(violation);
  }
  return { sent, omitted: fields.length - sent.length };
}

function retryInfo(afterMs: number): google.protobuf.IAny {
  return packed("google.rpc.RetryInfo", RETRY_INFO, {
    retryDelay: { seconds: longOfNumber(Math.floor(afterMs / 1000)), nanos: Math.floor(afterMs % 1000) * 1_000_000 },
  });
}

function quotaFailure(error: BrokerError): google.protobuf.IAny {
  const subject = `limit:${cut(String(error.facts.limit ?? "unknown"), FACT_KEY_CHARACTERS_MAX)}`;
  const description = cut(error.message, VIOLATION_TEXT_BYTES_MAX);
  return packed("google.rpc.QuotaFailure", QUOTA_FAILURE, { violations: [{ subject, description }] });
}

function packed<M, I>(type: string, messageCodec: Codec<M, I>, message: I): google.protobuf.IAny {
  return { type_url: TYPE_URL_PREFIX + type, value: messageCodec.encode(message) };
}

/** grpc-js percent-encodes the text for its header, and throws on half a surrogate pair. */
function shortMessage(text: string): string {
  let short = text.toWellFormed().slice(0, MESSAGE_CHARACTERS_MAX).toWellFormed();
  while (encodeURI(short).length > MESSAGE_HEADER_BYTES_MAX) {
    short = short.slice(0, Math.floor(short.length / 2)).toWellFormed();
  }
  return short.length < text.length ? `${short}…` : short;
}

/** The longest beginning of `text` that is well-formed and at most `bytesMax` bytes of UTF-8. */
function cut(text: string, bytesMax: number): string {
  const bytes = Buffer.from(text.slice(0, bytesMax).toWellFormed()).subarray(0, bytesMax);
  return new TextDecoder().decode(bytes, { stream: true }); // stream: a character cut in two is left out
}
