// Lets connections in up to the limits, notes who they are, and hands them to gRPC.
// Each connection is given a remoteAddress of its own, "uds-1", "tls-2" or "tcp-3", so that a call's getPeer() finds the
// connection again; an address and port may come back as another client's.
// A connection on which no HTTP/2 comes is closed after a while: what is silent from the start holds a place for nothing.
// One that falls silent later is pinged by gRPC (timing.keepalive_ms).

import { closeSync } from "node:fs";
import type { Socket } from "node:net";
import * as grpc from "@grpc/grpc-js";
import { descriptorOf, peerCredentials, peerPidfd } from "../../os/libc.ts";
import { processIdentity } from "../../os/process-identity.ts";
import { identityOf } from "../core/caller.ts";
import { callerOf, type Peer } from "./peer.ts";
import type { SecureClient } from "./tls-front.ts";

/** Names of the settings that a connection can be closed by. */
export const CONNECTION_LIMITS = [
  "connections_max",
  "connections_per_identity_max",
  "handshakes_max",
  "handshake_timeout_ms",
  "request_timeout_ms",
  "unfinished_requests_per_identity_max",
] as const;
export type ConnectionLimit = (typeof CONNECTION_LIMITS)[number];

export interface GateOptions {
  readonly server: grpc.Server;
  /** Over all listeners; one more is closed as soon as it is accepted. */
  readonly connectionsMax: number;
  /** Of them, one identity's: a uid, a certificate's name, or everybody on plain TCP. */
  readonly connectionsPerIdentityMax: number;
  /** For the TLS handshake, and after it for the client's first HTTP/2 frame. */
  readonly handshakeTimeoutMs: number;
  /** `who`: the identity or the address. */
  onRefused(limit: ConnectionLimit, who: string): void;
}

/** RFC 9113 §3.4: the client's preface, 24 bytes, and the header of the SETTINGS frame that must follow. */
const FIRST_BYTES = 24 + 9;

interface Connection {
  readonly name: string;
  readonly peer: Peer;
  readonly identity: string;
  /** When its certificate ends. */
  readonly validToMs: number;
}

export class ConnectionGate {
  readonly #options: GateOptions;
  readonly #injector: grpc.ConnectionInjector;
  readonly #connections = new Map<Socket, Connection>();
  readonly #peers = new Map<string, Peer>();
  #accepted = 0;

  constructor(options: GateOptions) {
    this.#options = options;
    this.#injector = options.server.createConnectionInjector(grpc.ServerCredentials.createInsecure());
  }

  get connections(): number {
    return this.#connections.size;
  }

  peerOf(name: string): Peer | undefined {
    return this.#peers.get(name);
  }

  /** A connection on a Unix socket or plain TCP, paused. */
  admit(socket: Socket): void {
    if (this.isFull(socket.remoteAddress ?? "Unix socket")) {
      socket.destroy();
      return;
    }
    const peer = peerOf(socket);
    if (peer === undefined) {
      socket.destroy(); // gone before it could be asked
      return;
    }
    this.#take(socket, peer, Number.POSITIVE_INFINITY);
    socket.resume();
  }

  admitSecure({ socket, name, address, validToMs }: SecureClient): void {
    if (this.isFull(name)) socket.destroy();
    else this.#take(socket, { kind: "certificate", name, address }, validToMs);
  }

  /** Whether there is no room for one more connection; says so. */
  isFull(who: string): boolean {
    if (this.connections < this.#options.connectionsMax) return false;
    this.#options.onRefused("connections_max", who);
    return true;
  }

  /** Closes the connections whose certificate has ended, or all that have one. */
  endCertificates(nowMs: number): void {
    for (const [socket, { validToMs, peer }] of this.#connections) {
      if (peer.kind === "certificate" && validToMs <= nowMs) socket.destroy();
    }
  }

  /** Closes one connection, and says which limit it was closed by. */
  refuse(name: string, limit: ConnectionLimit): void {
    for (const [socket, connection] of this.#connections) {
      if (connection.name !== name) continue;
      socket.destroy();
      this.#options.onRefused(limit, connection.identity);
      return;
    }
  }

  /** Resolves once every connection has sent all that was written and its end, or is closed. */
  async finished(): Promise<void> {
    await Promise.all([...this.#connections.keys()].map(finishedWriting));
  }

  cut(): void {
    for (const socket of this.#connections.keys()) socket.destroy();
  }

  #take(socket: Socket, peer: Peer, validToMs: number): void {
    const name = `${PREFIX[peer.kind]}-${++this.#accepted}`;
    const identity = identityOf(callerOf(name, peer));
    const open = [...this.#connections.values()].filter((each) => each.identity === identity).length;
    if (open >= this.#options.connectionsPerIdentityMax) {
      socket.destroy();
      this.#options.onRefused("connections_per_identity_max", identity);
      return;
    }
    Object.defineProperty(socket, "remoteAddress", { value: name });
    Object.defineProperty(socket, "remotePort", { value: undefined }); // getPeer() would append it
    this.#connections.set(socket, { name, peer, identity, validToMs });
    this.#peers.set(name, peer);
    const silence = setTimeout(() => {
      if (socket.bytesRead >= FIRST_BYTES) return;
      socket.destroy();
      this.#options.onRefused("handshake_timeout_ms", identity);
    }, this.#options.handshakeTimeoutMs).unref();
    socket.once("close", () => {
      clearTimeout(silence);
      this.#connections.delete(socket);
      this.#peers.delete(name);
    });
    this.#injector.injectConnection(socket);
  }
}

const PREFIX = { unix: "uds", certificate: "tls", tcp: "tcp" } as const;

function peerOf(socket: Socket): Peer | undefined {
  if (socket.remoteAddress !== undefined) {
    return { kind: "tcp", address: `${socket.remoteAddress}:${socket.remotePort}` };
  }
  const fd = descriptorOf(socket);
  const credentials = fd === undefined ? undefined : peerCredentials(fd);
  if (fd === undefined || credentials === undefined) return undefined;
  const pidfd = peerPidfd(fd);
  try {
    return { kind: "unix", credentials, identity: processIdentity(credentials.pid, pidfd) };
  } finally {
    if (pidfd !== undefined) closeSync(pidfd);
  }
}

/** Does not wait for the other side's end: a peer that never reads never sends one. */
async function finishedWriting(socket: Socket): Promise<void> {
  if (socket.writableFinished || socket.destroyed) return;
  await new Promise<void>((resolve) => {
    socket.once("finish", resolve);
    socket.once("close", () => resolve());
  });
}
