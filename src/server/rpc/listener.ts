// Where clients connect: a Unix socket, and TCP with mutual TLS, or plain on loopback. The net.Server is ours and hands
// each connection to grpc-js, which otherwise would hide who is at the other end (its getPeer() says "unknown" on a Unix
// socket).
// Clients must send an :authority that HTTP/2 allows: "localhost", or a percent-encoded path. A raw path as authority,
// as some old clients send it for unix: targets, is refused by Node's HTTP/2 (PROTOCOL_ERROR) before we see the call.

import { createServer } from "node:net";
import { listenTcp, type TcpAddress } from "../../os/tcp-listener.ts";
import { type TlsEvent, type TlsFiles, TlsFilesWatch } from "../../os/tls-files.ts";
import { listenUnix } from "../../os/unix-listener.ts";
import { ConnectionGate, type ConnectionLimit, type GateOptions } from "./connection-gate.ts";
import type { Peer } from "./peer.ts";
import { TlsFront } from "./tls-front.ts";

export interface ListenerOptions extends GateOptions {
  readonly socket: string | undefined;
  /** The descriptor of that socket, where the process was started with it. */
  readonly inherited?: number | undefined;
  readonly tcp: TcpAddress | undefined;
  /** Undefined: TCP is plain and on loopback only. */
  readonly tls?: TlsOptions | undefined;
  onTlsEvent?(event: TlsEvent): void;
}

export interface TlsOptions {
  readonly files: TlsFiles;
  readonly handshakesMax: number;
  /** How often the files are looked at, and the certificates of open connections. */
  readonly reloadMs: number;
}

export interface Listeners {
  /** Where clients connect, as they write it: "unix:/run/…", "127.0.0.1:9400". */
  readonly addresses: readonly string[];
  /** The peer behind a call's getPeer(); undefined once its connection is gone. */
  peerOf(name: string): Peer | undefined;
  /** Closes the connection of that name, and says which limit it was closed by. */
  refuse(name: string, limit: ConnectionLimit): void;
  /** Those whose other end is known; TLS handshakes that go on are not. */
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
 * @throws BrokerError argument_invalid or in_use with the address or file and the remedy
 */
export async function openListeners(options: ListenerOptions): Promise<Listeners> {
  const gate = new ConnectionGate(options);
  const stops: (() => void)[] = [];
  const addresses: string[] = [];
  let front: TlsFront | undefined;
  const stop = (): void => {
    for (const each of stops.splice(0)) each();
  };
  // Paused on connect: nothing is read before gRPC has taken over.
  const plain = () => createServer({ pauseOnConnect: true, noDelay: true }, (socket) => gate.admit(socket));
  try {
    if (options.socket !== undefined) {
      const unix = await listenUnix(plain(), options.socket, options.inherited);
      stops.push(() => unix.stop());
      addresses.push(`unix:${options.socket}`);
    }
    if (options.tcp !== undefined && options.tls !== undefined) {
      const secure = await openTls(options, options.tls, gate);
      stops.push(secure.stop);
      front = secure.front;
      const server = createServer({ noDelay: true }, (raw) => {
        if (gate.isFull(raw.remoteAddress ?? "TCP")) raw.destroy();
        else secure.front.handshake(raw);
      });
      addresses.push(await listenTcp(server, options.tcp, "network"));
      stops.push(() => server.close());
    } else if (options.tcp !== undefined) {
      const server = plain();
      addresses.push(await listenTcp(server, options.tcp, "loopback"));
      stops.push(() => server.close());
    }
  } catch (error) {
    stop();
    throw error;
  }
  return {
    addresses,
    peerOf: (name) => gate.peerOf(name),
    refuse: (name, limit) => gate.refuse(name, limit),
    connections: () => gate.connections,
    stop,
    finished: () => gate.finished(),
    cut: () => {
      front?.cut();
      gate.cut();
    },
  };
}

/** Reads the files, and looks at them again and again until it is stopped. */
async function openTls(
  options: ListenerOptions,
  { files, handshakesMax, reloadMs }: TlsOptions,
  gate: ConnectionGate,
): Promise<{ readonly front: TlsFront; stop(): void }> {
  const onEvent = (event: TlsEvent): void => options.onTlsEvent?.(event);
  const watch = await TlsFilesWatch.open(files);
  const front = new TlsFront({
    material: watch.material,
    handshakeTimeoutMs: options.handshakeTimeoutMs,
    handshakesMax,
    onSecure: (client) => gate.admitSecure(client),
    onRefused: (reason, detail, address) => onEvent({ kind: "refused", reason, detail, address }),
    onBusy: (address) => options.onRefused("handshakes_max", address),
  });
  const loaded = (): void => {
    const { isKeyOfGroup, validTo } = watch.material;
    onEvent({ kind: "loaded", isKeyOfGroup, validTo });
  };
  const look = async (): Promise<void> => {
    const change = await watch.look();
    if (change !== undefined) {
      front.renew(watch.material);
      loaded();
    }
    // Whom the new files would not let in must not stay; leases outlast the moment that the others need to come back.
    gate.endCertificates(change?.isTrustChanged === true ? Number.POSITIVE_INFINITY : Date.now());
  };
  loaded();
  const timer = setInterval(() => {
    look().catch((error: unknown) => onEvent({ kind: "failed", error }));
  }, reloadMs).unref();
  return { front, stop: () => clearInterval(timer) };
}
