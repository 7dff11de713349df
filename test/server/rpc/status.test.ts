import { status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { BrokerError, type BrokerErrorCode, limitReached } from "../../../src/backends/errors.ts";
import { fromServiceError } from "../../../src/client/error.ts";
import { callStatus, GRPC_STATUS, STATUS_DETAILS_KEY, statusMessage } from "../../../src/server/rpc/status.ts";

/** The error as a client decodes it from the trailers. */
function seen(error: BrokerError) {
  const ending = callStatus(statusMessage(error));
  return fromServiceError(Object.assign(new Error(), ending));
}

/** Bytes of the two headers that grow with the error, as they stand on the wire. */
function headerBytes(error: BrokerError): number {
  const { details, metadata } = callStatus(statusMessage(error));
  const headers = metadata.toHttp2Headers();
  return encodeURI(details).length + String(headers[STATUS_DETAILS_KEY]).length;
}

const EXPECTED: Record<BrokerErrorCode, status> = {
  argument_invalid: status.INVALID_ARGUMENT,
  vste_invalid: status.INVALID_ARGUMENT,
  iommu_unknown: status.NOT_FOUND,
  device_unknown: status.NOT_FOUND,
  session_unknown: status.NOT_FOUND,
  address_space_unknown: status.NOT_FOUND,
  virtual_iommu_unknown: status.NOT_FOUND,
  mapping_unknown: status.NOT_FOUND,
  device_owned: status.FAILED_PRECONDITION,
  device_resetting: status.UNAVAILABLE,
  device_quarantined: status.FAILED_PRECONDITION,
  device_releasing: status.FAILED_PRECONDITION,
  vended: status.FAILED_PRECONDITION,
  not_owner: status.FAILED_PRECONDITION,
  transition_illegal: status.FAILED_PRECONDITION,
  group_not_singleton: status.FAILED_PRECONDITION,
  registers_unfit: status.FAILED_PRECONDITION,
  in_use: status.FAILED_PRECONDITION,
  lease_expired: status.FAILED_PRECONDITION,
  already_exists: status.ALREADY_EXISTS,
  request_conflict: status.ALREADY_EXISTS,
  fenced: status.ABORTED,
  unauthenticated: status.UNAUTHENTICATED,
  policy_denied: status.PERMISSION_DENIED,
  limit_reached: status.RESOURCE_EXHAUSTED,
  fault_not_pending: status.FAILED_PRECONDITION,
  backend_unsupported: status.UNIMPLEMENTED,
  backend_unavailable: status.UNAVAILABLE,
  backend_failed: status.INTERNAL,
  draining: status.UNAVAILABLE,
  call_over: status.CANCELLED,
};

test.each(Object.entries(EXPECTED))("%s has the status that the contract gives it", (code, expected) => {
  const known = Object.keys(GRPC_STATUS).find((key): key is BrokerErrorCode => key === code);
  if (known === undefined) throw new Error(`${code} is not mapped`);
  const error = seen(new BrokerError(known, "the message", { device: "0000:01:00.0" }));
  expect(error.code).toBe(expected);
  expect(error.reason).toBe(code.toUpperCase());
  expect(error.message).toBe("the message");
  expect(error.metadata).toEqual({ device: "0000:01:00.0" });
});

test("facts arrive as strings, a 64-bit one in full", () => {
  const error = seen(new BrokerError("fenced", "stale", { expected: 2n ** 64n - 1n, generation: 7, attached: true }));
  expect(error.metadata).toEqual({ expected: "18446744073709551615", generation: "7", attached: "true" });
});

test("field violations and the time to retry arrive", () => {
  const fields = [{ path: "mappings[3].ipa", description: "must be aligned" }];
  const error = seen(new BrokerError("draining", "later", {}, { fields, retryAfterMs: 1250 }));
  expect(error.fields).toEqual(fields);
  expect(error.retryAfterMs).toBe(1250);
});

test("a limit arrives as a quota failure that names it", () => {
  const message = statusMessage(limitReached("sessionsMax", 4, "raise it"));
  const types = message.details?.map((detail) => detail.type_url);
  expect(types).toEqual([
    "type.googleapis.com/google.rpc.ErrorInfo",
    "type.googleapis.com/google.rpc.RetryInfo",
    "type.googleapis.com/google.rpc.QuotaFailure",
  ]);
  expect(Buffer.from(message.details?.[2]?.value ?? []).toString()).toContain("limit:sessionsMax");
});

describe("what does not fit 8 KiB of headers is cut", () => {
  const violations = Array.from({ length: 10_000 }, (_, index) => ({
    path: `mappings[${index}].ipa`,
    description: "must be a multiple of 4096",
  }));

  test("10,000 violations: the first ones are sent and the rest are counted", () => {
    const flood = new BrokerError("argument_invalid", "x".repeat(100_000), {}, { fields: violations });
    const error = seen(flood);
    expect(headerBytes(flood)).toBeLessThan(7500);
    expect(error.fields.length).toBeGreaterThan(10);
    expect(error.fields).toEqual(violations.slice(0, error.fields.length));
    expect(error.metadata).toEqual({ field_violations_omitted: String(10_000 - error.fields.length) });
  });

  test.each([
    ["ASCII", "x"],
    ["characters of three bytes", "\u20ac"],
    ["characters of four bytes", "\u{1f680}"],
    ["halves of surrogate pairs", "\ud800"],
    ["control characters", "\n"],
  ])("a message, facts and fields of %s", (_what, unit) => {
    const long = unit.repeat(5000);
    const facts = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`fact${index}`, long]));
    const fields = Array.from({ length: 50 }, () => ({ path: long, description: long }));
    const error = new BrokerError("limit_reached", long, { limit: long, ...facts }, { fields, retryAfterMs: 1 });
    expect(headerBytes(error)).toBeLessThan(7500);
    expect(seen(error).reason).toBe("LIMIT_REACHED");
  });

  test("a character is never cut in two", () => {
    const error = seen(new BrokerError("in_use", "short", { name: "\u20ac".repeat(1000) }));
    expect(error.metadata.name).toMatch(/^\u20ac+$/);
  });
});
