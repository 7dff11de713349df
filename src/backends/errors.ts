// The closed list of what can go wrong that is not a bug: every refusal and failure is a BrokerError with one code.
// Clients branch on code, reason and facts, never on the text. server/rpc/status.ts maps each code to a gRPC status.

/** What kind of refusal or failure it is; each has one gRPC status. */
export type BrokerErrorCode =
  | "argument_invalid"
  | "vste_invalid"
  | "iommu_unknown"
  | "device_unknown"
  | "session_unknown"
  | "address_space_unknown"
  | "virtual_iommu_unknown"
  | "mapping_unknown"
  | "device_owned"
  | "device_resetting"
  | "device_quarantined"
  | "device_releasing"
  | "vended"
  | "not_owner"
  | "transition_illegal"
  | "group_not_singleton"
  | "registers_unfit"
  | "in_use"
  | "lease_expired"
  | "already_exists"
  | "request_conflict"
  | "fenced"
  | "unauthenticated"
  | "policy_denied"
  | "limit_reached"
  | "fault_not_pending"
  | "backend_unsupported"
  | "backend_unavailable"
  | "backend_failed"
  | "draining"
  | "call_over";

/** Values that go with an error: they become ErrorInfo metadata. Never a secret. */
export type Facts = Readonly<Record<string, string | number | bigint | boolean>>;

/** A field of the request that is at fault. `path` is the proto field path: "mappings[3].ipa". */
export interface FieldViolation {
  readonly path: string;
  readonly description: string;
}

export interface BrokerErrorOptions {
  readonly cause?: unknown;
  readonly fields?: readonly FieldViolation[];
  /** After how long a retry may succeed; only with limit_reached, draining, device_resetting and backend_unavailable. */
  readonly retryAfterMs?: number;
}

/** A refusal or a failure with its code, its facts and, where fields are at fault, their paths. */
export class BrokerError extends Error {
  override readonly name = "BrokerError";
  readonly code: BrokerErrorCode;
  readonly facts: Facts;
  readonly fields: readonly FieldViolation[];
  readonly retryAfterMs: number | undefined;

  constructor(code: BrokerErrorCode, message: string, facts: Facts = {}, options: BrokerErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.facts = facts;
    this.fields = options.fields ?? [];
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** An argument_invalid with one field violation: the usual way to refuse a malformed value. */
export function invalidField(path: string, description: string, facts: Facts = {}): BrokerError {
  return new BrokerError("argument_invalid", `${path}: ${description}`, facts, { fields: [{ path, description }] });
}

/** A limit_reached that names the limit, its value, and where to raise it. */
export function limitReached(limit: string, maximum: number, remedy: string): BrokerError {
  return new BrokerError(
    "limit_reached",
    `limit ${limit} (${maximum}) reached: ${remedy}`,
    { limit, maximum },
    { retryAfterMs: 1000 },
  );
}

/** The name of the limit that an error tells of; undefined for any other error. */
export function limitOf(error: unknown): string | undefined {
  if (!(error instanceof BrokerError) || error.code !== "limit_reached") return undefined;
  return String(error.facts.limit ?? "");
}
