// Any RPC as bytes, with any token, and in two words how it ended: for calls on other people's things.

import { type ClientReadableStream, Metadata, type ServiceError } from "@grpc/grpc-js";
import { type Sendable, wire } from "../../src/client/plain.ts";
import type { Method } from "../../src/server/rpc/services.ts";
import { TOKEN_KEY } from "../../src/server/rpc/token.ts";
import { isServiceError, type RawClient, refusalOf } from "./e2e-refusal.ts";

export interface RawRequest {
  /** "/iommubroker.v1.IommuBroker/GetDevice" */
  readonly path: string;
  readonly kind: "unary" | "server_stream" | "bidi_stream";
  /** The request, hexadecimal. */
  readonly message: string;
}

export function rawRequest<Req, ReqInput, Res, ResInput>(
  { kind, path, request }: Method<Req, ReqInput, Res, ResInput>,
  message: Sendable<ReqInput>,
): RawRequest {
  return { path, kind, message: Buffer.from(request.encode(wire<ReqInput>(message))).toString("hex") };
}

/** "OK", or code and reason: "UNAUTHENTICATED UNAUTHENTICATED". A stream ends when it has said one thing. */
export async function attempt(raw: RawClient, request: RawRequest, token: string | undefined): Promise<string> {
  const metadata = new Metadata();
  if (token !== undefined) metadata.set(TOKEN_KEY, token);
  const bytes = Buffer.from(request.message, "hex");
  if (request.kind !== "unary") return await attemptStream(raw, request, bytes, metadata);
  try {
    await raw.unary(request.path, bytes, metadata);
    return "OK";
  } catch (error) {
    if (isServiceError(error)) return shown(error);
    throw error;
  }
}

function attemptStream(raw: RawClient, request: RawRequest, bytes: Buffer, metadata: Metadata): Promise<string> {
  const same = (message: Buffer): Buffer => message;
  return new Promise((resolve) => {
    const open = (): ClientReadableStream<Buffer> => {
      if (request.kind === "server_stream") {
        return raw.grpc.makeServerStreamRequest(request.path, same, same, bytes, metadata);
      }
      const both = raw.grpc.makeBidiStreamRequest(request.path, same, same, metadata);
      both.write(bytes);
      return both;
    };
    const stream = open();
    stream.on("data", () => {
      stream.cancel();
      resolve("OK");
    });
    stream.on("error", (error: ServiceError) => resolve(shown(error)));
  });
}

function shown(error: ServiceError): string {
  const { code, infos } = refusalOf(error);
  return `${code} ${infos[0]?.reason ?? ""}`.trim();
}
