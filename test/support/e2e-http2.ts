// gRPC's bytes by hand, over Node's HTTP/2: for calls that no gRPC library would make.

import { once } from "node:events";
import http2 from "node:http2";
import { connect as connectSocket, type Socket } from "node:net";

export interface Answer {
  /** grpc-status of the trailers, or of the headers when there are only those; undefined: the stream broke. */
  readonly status: number | undefined;
  readonly body: Buffer;
}

/** A session of its own on the Unix socket. Errors end it, nothing throws. */
export function http2Session(socketPath: string, authority = "localhost"): http2.ClientHttp2Session {
  const session = http2.connect(`http://${authority}`, { createConnection: () => connectSocket(socketPath) });
  session.on("error", () => undefined);
  return session;
}

export function callHeaders(path: string, more: Readonly<Record<string, string>> = {}): http2.OutgoingHttpHeaders {
  return { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers", ...more };
}

/** A length-prefixed message. */
export function framed(message: Uint8Array, compressed = 0): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = compressed;
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

export async function answerOf(stream: http2.ClientHttp2Stream): Promise<Answer> {
  let status: number | undefined;
  const chunks: Buffer[] = [];
  const take = (headers: http2.IncomingHttpHeaders): void => {
    const value = headers["grpc-status"];
    if (value !== undefined) status = Number(value);
  };
  stream.on("response", take).on("trailers", take);
  stream.on("data", (chunk: Buffer) => chunks.push(chunk)).on("error", () => undefined);
  await new Promise<void>((resolve) => stream.once("close", resolve));
  return { status, body: Buffer.concat(chunks) };
}

/** Writes bytes onto the socket that are no HTTP/2, and gives what the daemon says before it hangs up. */
export async function garbageOn(socketPath: string, bytes: Uint8Array): Promise<Buffer> {
  const socket = connectSocket(socketPath);
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk)).on("error", () => undefined);
  await once(socket, "connect");
  socket.end(bytes);
  await closed(socket);
  return Buffer.concat(chunks);
}

export async function closed(socket: Socket): Promise<void> {
  if (socket.closed) return;
  await new Promise<void>((resolve) => socket.once("close", () => resolve()));
}
