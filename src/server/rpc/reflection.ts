// Server reflection, v1 and v1alpha: the same messages under two package names, answered from the raw descriptors.
// What is not there is an error_response within the stream, as the protocol has it; the stream itself goes on.
// Source: grpc/reflection/v1/reflection.proto.

import type * as grpc from "@grpc/grpc-js";
import { status } from "@grpc/grpc-js";
import { codec, MalformedMessage } from "./codec.ts";
import type { Descriptors } from "./descriptors.ts";
import { grpc as generated } from "./generated/messages.js";
import { byteDefinition } from "./services.ts";

type Request = generated.reflection.v1.IServerReflectionRequest;
type Response = generated.reflection.v1.IServerReflectionResponse;

export const REFLECTION_SERVICES = [
  "grpc.reflection.v1.ServerReflection",
  "grpc.reflection.v1alpha.ServerReflection",
] as const;

const { ServerReflectionRequest, ServerReflectionResponse } = generated.reflection.v1;
const REQUEST = codec(ServerReflectionRequest);
const RESPONSE = codec(ServerReflectionResponse);

export interface ReflectionHandle {
  /** Ends every stream with UNAVAILABLE. */
  close(): void;
}

/** `services`: the full names of all that this server serves, these two included. */
export function addReflectionServices(
  server: grpc.Server,
  descriptors: () => Descriptors,
  services: readonly string[],
): ReflectionHandle {
  const open = new Set<grpc.ServerDuplexStream<Buffer, Buffer>>();
  const serve = (call: grpc.ServerDuplexStream<Buffer, Buffer>): void => {
    open.add(call);
    const forget = (): boolean => open.delete(call);
    call.once("cancelled", forget);
    call.once("close", forget);
    call.on("end", () => call.end());
    call.on("data", (bytes: Buffer) => reply(call, bytes, descriptors(), services));
  };
  for (const service of REFLECTION_SERVICES) {
    const path = `/${service}/ServerReflectionInfo`;
    const info = { name: "ServerReflectionInfo", path, kind: "bidi_stream" } as const;
    server.addService(byteDefinition({ info }), { info: serve });
  }
  return {
    close() {
      for (const call of open) fail(call, status.UNAVAILABLE, "the daemon is stopping");
      open.clear();
    },
  };
}

/** Answers one request; reading goes on when the answer is on its way, so that a client cannot pile answers up. */
function reply(
  call: grpc.ServerDuplexStream<Buffer, Buffer>,
  bytes: Buffer,
  descriptors: Descriptors,
  services: readonly string[],
): void {
  try {
    const request = REQUEST.decode(bytes);
    const more = call.write(RESPONSE.encode(responseTo(request, descriptors, services)));
    if (more) return;
    call.pause();
    call.once("drain", () => call.resume());
  } catch (error) {
    if (!(error instanceof MalformedMessage)) throw error;
    fail(call, status.INVALID_ARGUMENT, "the request is malformed");
  }
}

/** The answer to one request. Pure. */
export function responseTo(request: Request, descriptors: Descriptors, services: readonly string[]): Response {
  return { validHost: request.host ?? "", originalRequest: request, ...messageFor(request, descriptors, services) };
}

function messageFor(request: Request, descriptors: Descriptors, services: readonly string[]): Response {
  if (typeof request.fileByFilename === "string") {
    return files(descriptors.byFilename(request.fileByFilename), `file ${request.fileByFilename}`);
  }
  if (typeof request.fileContainingSymbol === "string") {
    return files(descriptors.bySymbol(request.fileContainingSymbol), `symbol ${request.fileContainingSymbol}`);
  }
  if (request.fileContainingExtension) {
    const { containingType, extensionNumber } = request.fileContainingExtension;
    const found = descriptors.byExtension(containingType ?? "", extensionNumber ?? 0);
    return files(found, `extension ${extensionNumber} of ${containingType}`);
  }
  if (typeof request.allExtensionNumbersOfType === "string") {
    const type = request.allExtensionNumbersOfType;
    const numbers = descriptors.extensionNumbers(type);
    if (numbers === undefined) return notFound(`type ${type}`);
    return { allExtensionNumbersResponse: { baseTypeName: type, extensionNumber: [...numbers] } };
  }
  if (typeof request.listServices === "string") {
    return { listServicesResponse: { service: services.map((name) => ({ name })) } };
  }
  return { errorResponse: { errorCode: status.INVALID_ARGUMENT, errorMessage: "the request asks for nothing" } };
}

function files(found: readonly Uint8Array[] | undefined, what: string): Response {
  return found === undefined ? notFound(what) : { fileDescriptorResponse: { fileDescriptorProto: [...found] } };
}

function notFound(what: string): Response {
  return { errorResponse: { errorCode: status.NOT_FOUND, errorMessage: `no ${what.slice(0, 200)}` } };
}

function fail(call: grpc.ServerDuplexStream<Buffer, Buffer>, code: status, details: string): void {
  call.emit("error", Object.assign(new Error(details), { code, details }));
}
