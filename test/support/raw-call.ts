// Calls as no gRPC library would send them: any bytes, any headers.

import * as http2 from "node:http2";
import * as net from "node:net";
import * as grpc from "@grpc/grpc-js";
import { onTestFinished } from "vitest";
import type { RpcServer } from "./rpc-server.ts";

/** A unary call with bytes and metadata as they are given: what a broken or hostile client sends. */
export async function rawCall(
  server: RpcServer,
  path: string,
  bytes: Uint8Array,
  metadata: Record<string, string | string[]> = {},
): Promise<grpc.ServiceError | undefined> {
  const client = new grpc.Client(server.target, grpc.credentials.createInsecure(), {
    "grpc.default_authority": "localhost",
  });
  onTestFinished(() => client.close());
  const sent = new grpc.Metadata();
  for (const [key, values] of Object.entries(metadata)) for (const value of [values].flat()) sent.add(key, value);
  return await new Promise((resolve) => {
    const same = (value: Buffer) => value;
    client.makeUnaryRequest(path, same, same, Buffer.from(bytes), sent, (error) => resolve(error ?? undefined));
  });
}

/** The grpc-status of an empty message sent by hand: for headers that no gRPC library would send. */
export async function http2Call(server: RpcServer, path: string, headers: Record<string, string>): Promise<string> {
  const session = http2.connect("http://localhost", {
    createConnection: () => net.connect(server.target.replace("unix:", "")),
  });
  onTestFinished(() => session.close());
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  stream.end(Buffer.alloc(5));
  stream.resume();
  return await new Promise((resolve) => {
    for (const event of ["response", "trailers"]) {
      stream.on(event, (received: http2.IncomingHttpHeaders) => {
        const status = received["grpc-status"];
        if (status !== undefined) resolve(String(status));
      });
    }
  });
}
