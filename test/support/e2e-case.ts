// One row of a table of bad input: which field of which request is wrong in which way, and the answer that is documented
// for it (API.md, Rules 6; the comments of proto/).

import type { ClientReadableStream, ServiceError } from "@grpc/grpc-js";
import { BrokerCallError } from "../../src/client/client.ts";
import { type Sendable, wire } from "../../src/client/plain.ts";
import { google } from "../../src/server/rpc/codec.ts";
import type { Method } from "../../src/server/rpc/services.ts";
import { isServiceError, type Refusal, refusalOf, statusRefusal } from "./e2e-refusal.ts";
import type { World } from "./e2e-world.ts";

export interface Expected {
  readonly code: string;
  readonly reason: string;
  /** Paths of BadRequest, in any order. */
  readonly paths: readonly string[];
  /** ErrorInfo.metadata.limit. */
  readonly limit?: string;
}

export interface BadCase {
  readonly service: string;
  /** "MapMemory" */
  readonly rpc: string;
  /** Fields of the request that the case is about, without indices: "mappings.ipa". */
  readonly fields: readonly string[];
  readonly wrong: string;
  readonly expected: Expected;
  readonly refused: (world: World) => Promise<Refusal>;
}

type Make<ReqInput> = (world: World) => Sendable<ReqInput>;

/** @param fields  separated by blanks; "" for a case that is about the whole request */
export function bad<Req, ReqInput, Res, ResInput>(
  method: Method<Req, ReqInput, Res, ResInput>,
  fields: string,
  wrong: string,
  request: Make<ReqInput>,
  expected: Expected,
): BadCase {
  return {
    service: method.service,
    rpc: method.name,
    fields: fields.split(" ").filter((field) => field !== ""),
    wrong,
    expected,
    refused: (world) => refusedCall(world, method, request(world), world.own.session.token),
  };
}

/** Makes the call, which must be refused. */
export async function refusedCall<Req, ReqInput, Res, ResInput>(
  world: World,
  method: Method<Req, ReqInput, Res, ResInput>,
  request: Sendable<ReqInput>,
  token: string | undefined,
): Promise<Refusal> {
  if (method.kind === "unary") {
    try {
      await world.channel.unary({ ...method, kind: "unary" }, request, token);
    } catch (error) {
      if (error instanceof BrokerCallError && isServiceError(error.cause)) return refusalOf(error.cause);
      throw error;
    }
    throw new Error(`${method.name} succeeded and should not have`);
  }
  return await new Promise((resolve, reject) => {
    const stream = openStream(world, method, request, token ?? "");
    stream.on("data", (answer: object) => {
      stream.cancel();
      const error: unknown = Reflect.get(answer, "error"); // of one batch, which does not end the stream
      if (error instanceof google.rpc.Status) resolve(statusRefusal(error));
      else reject(new Error(`${method.name} answered and should not have`));
    });
    stream.on("error", (error: ServiceError) => resolve(refusalOf(error)));
  });
}

function openStream<Req, ReqInput, Res, ResInput>(
  { channel }: World,
  method: Method<Req, ReqInput, Res, ResInput>,
  request: Sendable<ReqInput>,
  token: string,
): ClientReadableStream<Res> {
  if (method.kind === "server_stream") {
    return channel.serverStream({ ...method, kind: "server_stream" }, request, token);
  }
  const stream = channel.bidiStream({ ...method, kind: "bidi_stream" }, token);
  stream.write(wire<ReqInput>(request));
  return stream;
}

export function invalid(...paths: string[]): Expected {
  return { code: "INVALID_ARGUMENT", reason: "ARGUMENT_INVALID", paths };
}

/** Bits or values that a guest's STE may not have. */
export function badVSTE(...paths: string[]): Expected {
  return { code: "INVALID_ARGUMENT", reason: "VSTE_INVALID", paths };
}

export function unknown(what: string): Expected {
  return { code: "NOT_FOUND", reason: `${what}_UNKNOWN`, paths: [] };
}

export function precondition(reason: string, ...paths: string[]): Expected {
  return { code: "FAILED_PRECONDITION", reason, paths };
}

export function exhausted(limit: string): Expected {
  return { code: "RESOURCE_EXHAUSTED", reason: "LIMIT_REACHED", paths: [], limit };
}

export function exists(reason: string, ...paths: string[]): Expected {
  return { code: "ALREADY_EXISTS", reason, paths };
}

export const FENCED: Expected = { code: "ABORTED", reason: "FENCED", paths: [] };
export const UNSUPPORTED: Expected = { code: "UNIMPLEMENTED", reason: "BACKEND_UNSUPPORTED", paths: [] };
export const UNAUTHENTICATED: Expected = { code: "UNAUTHENTICATED", reason: "UNAUTHENTICATED", paths: [] };
export const DENIED = (...paths: string[]): Expected => ({
  code: "PERMISSION_DENIED",
  reason: "POLICY_DENIED",
  paths,
});

const UUID = "01234567-89ab-4cde-8f01-23456789abcd";
const LONG = "a".repeat(64);
/** What no name of a kind may be. */
export const MALFORMED_DEVICES = [
  "",
  "0000:01:00.0",
  "devices",
  "devices/",
  "devices//x",
  "devices/../x",
  `devices/${LONG}`,
  "devices/.hidden",
  "devices/0000:01:00.0\n",
  "devices/0000:01:00.0\u0000",
  "devices/\u0661",
  " devices/0000:01:00.0",
  "Devices/0000:01:00.0",
  "iommus/smmu0",
];
export const MALFORMED_ADDRESS_SPACES = malformed("addressSpaces", "virtualIommus");
export const MALFORMED_SESSIONS = malformed("sessions", "devices");
export const MALFORMED_VIRTUAL_IOMMUS = malformed("virtualIommus", "addressSpaces");
export const UNKNOWN_ADDRESS_SPACE = `addressSpaces/${UUID}`;
export const UNKNOWN_SESSION = `sessions/${UUID}`;
export const UNKNOWN_VIRTUAL_IOMMU = `virtualIommus/${UUID}`;
export const UNKNOWN_DEVICE = "devices/0000:ff:1f.7";
/** No group here has any of these. */
export const STALE_GENERATIONS = [0n, 1_000_000n, 2n ** 53n + 1n, 2n ** 64n - 1n];
export const LONG_ID = "x".repeat(65);

function malformed(kind: string, other: string): string[] {
  return [
    "",
    UUID,
    `${kind}/`,
    `${kind}/${UUID.toUpperCase()}`,
    `${kind}/${UUID}0`,
    `${kind}/${UUID}\n`,
    `${kind}/${UUID.slice(1)}`,
    `${kind}/{${UUID}}`,
    `${kind}/../${UUID}`,
    `${other}/${UUID}`,
    `${kind}/${"a".repeat(100_000)}`,
  ];
}

/** As it stands in a test's name. */
export function shown(value: string): string {
  return JSON.stringify(value.length > 50 ? `${value.slice(0, 20)}… (${value.length})` : value);
}
