// Where clients connect: a Unix socket, and TCP on loopback. The net.Server is ours and hands each connection to grpc-js,
// which otherwise would hide who is at the other end (its getPeer() says "unknown" on a Unix socket).
// Each connection is given a remoteAddress of its own, "uds-1" or "tcp-2", so that a call's getPeer() finds the connection
// again; an address and port may come back as another client's.
// Clients must send an :authority that HTTP/2 allows: "localhost", or a percent-encoded path. A raw path as authority,
// as some old clients send it for unix: targets, is refused by Node's HTTP/2 (PROTOCOL_ERROR) before we see the call.

import { closeSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import * as grpc from "@grpc/grpc-js";
import { descriptorOf, peerCredentials, peerPidfd } from "../../os/libc.ts";
import { processIdentity } from "../../os/process-identity.ts";
import { listenTcp, type TcpAddress } from "../../os/tcp-listener.ts";
import { listenUnix } from "../../os/unix-listener.ts";
import type { Peer } from "./peer.ts";

export interface ListenerOptions {
  readonly server: grpc.Server;
  readonly socket: string | undefined;
  readonly tcp: TcpAddress | undefined;
  /** Over both; one more is closed as soon as it is accepted. */
  readonly connectionsMax: number;
  onRefused(connections: number): void;
}

export interface Listeners {
  /** Where clients connect, as they write it: "unix:/run/…", "127.0.0.1:9400". */
  readonly addresses: readonly string[];
  /** The peer behind a call's getPeer(); undefined once its connection is gone. */
  peerOf(name: string): Peer | undefined;
  connections(): number;
  /** Accepts no more connections and removes the socket. Connections that are open stay. */
  stop(): void;
  /**
   * Resolves once every connection has sent all that was written and its end, or is closed. grpc-js's tryShutdown() does
   * not wait for connections that were handed to it: Node closes their sessions first, and it takes those for gone.
   */
  finished(): Promise<void>;
  /** Destroys the connections that are still open. */
  cut(): void;
}

/**
 * Opens the listeners, all or none of them.
 * @throws BrokerError argument_invalid or in_use with the address and the remedy
 */
export async function openListeners(options: ListenerOptions): Promise<Listeners> {
  const gate = new Gate(options);
  const stops: (() => void)[] = [];
  const addresses: string[] = [];
  const stop = (): void => {
    for (const each of stops.splice(0)) each();
  };
  try {
    if (options.socket !== undefined) {
      const unix = await listenUnix(gate.netServer(), options.socket);
      stops.push(() => unix.stop());
      addresses.push(`unix:${options.socket}`);
    }
    if (options.tcp !== undefined) {
      const tcp = gate.netServer();
      addresses.push(await listenTcp(tcp, options.tcp));
      stops.push(() => tcp.close());
    }
  } catch (error) {
    stop();
    throw error;
  }
  return {
    addresses,
    peerOf: (name) => gate.peerOf(name),
    connections: () => gate.connections,
    stop,
    finished: () => gate.finished(),
    cut: () => gate.cut(),
  };
}

/** Lets connections in up to the limit, notes who they are, and hands them to gRPC. */
class Gate {
  readonly #options: ListenerOptions;
  readonly #injector: grpc.ConnectionInjector;
  readonly #peers = new Map<string, Peer>();
  readonly #sockets = new Set<Socket>();
  #accepted = 0;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#injector = options.server.createConnectionInjector(grpc.ServerCredentials.createInsecure());
  }

  get connections(): number {
    return this.#sockets.size;
  }

  async finished(): Promise<void> {
    await Promise.all([...this.#sockets].map(finishedWriting));
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  peerOf(name: string): Peer | undefined {
    return this.#peers.get(name);
  }

  /** Paused on connect: nothing is read before gRPC has taken over. */
  netServer(): Server {
    return createServer({ pauseOnConnect: true, noDelay: true }, (socket) => this.#admit(socket));
  }

  #admit(socket: Socket): void {
    if (this.connections >= this.#options.connectionsMax) {
      socket.destroy();
      this.#options.onRefused(this.connections);
      return;
    }
    const known = this.#identify(socket);
    if (known === undefined) {
      socket.destroy(); // gone before it could be asked
      return;
    }
    this.#sockets.add(socket);
    this.#peers.set(known.name, known.peer);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      this.#peers.delete(known.name);
    });
    this.#injector.injectConnection(socket);
    socket.resume();
  }

  #identify(socket: Socket): { name: string; peer: Peer } | undefined {
    const peer = peerOf(socket);
    if (peer === undefined) return undefined;
    this.#accepted += 1;
    const name = `${peer.kind === "unix" ? "uds" : "tcp"}-${this.#accepted}`;
    Object.defineProperty(socket, "remoteAddress", { value: name });
    Object.defineProperty(socket, "remotePort", { value: undefined }); // getPeer() would append it
    return { name, peer };
  }
}

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
