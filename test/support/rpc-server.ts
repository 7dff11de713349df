// A real gRPC server on the daemon's own listeners, a Unix socket in a temporary directory and TCP, with the broker's
// services over a fake core.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import { onTestFinished } from "vitest";
import { BrokerCallError, type BrokerClient, type BrokerSession, connect } from "../../src/client/client.ts";
import {
  addBrokerServices,
  type CallEnd,
  type CallInfo,
  type RpcDeps,
  type RpcHandle,
} from "../../src/server/rpc/broker-services.ts";
import { type Listeners, openListeners } from "../../src/server/rpc/listener.ts";
import { callerOf, type Peer } from "../../src/server/rpc/peer.ts";
import { FakeCore } from "./fake-core.ts";

export const LIMITS: RpcDeps["limits"] = {
  sessionsMax: 4,
  addressSpacesPerSessionMax: 5,
  virtualIommusPerSessionMax: 6,
  devicesPerSessionMax: 7,
  mappingsPerAddressSpaceMax: 8,
  mappingsPerCallMax: 16,
  sourcesPerCallMax: 3,
  commandsPerCallMax: 9,
  bindsPerCallMax: 10,
  invalidationStreamsPerSessionMax: 2,
  invalidationBatchesOutstandingMax: 4,
  faultStreamsPerSessionMax: 11,
  faultRingEventsMax: 12,
  faultBatchEventsMax: 13,
  faultBatchMs: 1,
  faultHistoryEventsTotalMax: 1024,
  faultEventsPerSecond: 0,
  faultDiagnosesPerSecond: 100,
  faultObserversMax: 2,
  faultResponseMs: 10_000,
  queueDepthMax: 14,
  waitersPerGroupMax: 3,
  attachWaitMaxMs: 60_000,
  preemptGraceMs: 500,
  deviceWatchesMax: 3,
  deviceChangesMax: 16,
  leaseTtlMinMs: 1000,
  leaseTtlMaxMs: 60_000,
  leaseTtlDefaultMs: 3000,
  sessionGraceMaxMs: 60_000,
  leaseStallMs: Number.POSITIVE_INFINITY,
  resumeWindowMs: 5000,
  messageBytesMax: 4 * 2 ** 20,
};

export class RpcServer implements AsyncDisposable {
  readonly core = new FakeCore();
  readonly target: string;
  readonly ended: CallEnd[] = [];
  readonly started: CallInfo[] = [];
  readonly bugs: { id: string; error: unknown }[] = [];
  readonly backendFailures: { id: string; error: unknown }[] = [];
  readonly #directory = mkdtempSync(join(tmpdir(), "iommu-broker-rpc-"));
  readonly #socket = join(this.#directory, "broker.sock");
  readonly #overrides: Partial<RpcDeps>;
  readonly #clients: BrokerClient[] = [];
  readonly #listeners: Listeners[] = [];
  #server = new grpc.Server();
  handle: RpcHandle;

  private constructor(overrides: Partial<RpcDeps>, prepare: (core: FakeCore) => void) {
    prepare(this.core);
    this.#overrides = overrides;
    this.target = `unix:${this.#socket}`;
    this.handle = this.#addServices();
  }

  /** `prepare` changes the core before the services see it. */
  static async start(
    overrides: Partial<RpcDeps> = {},
    prepare: (core: FakeCore) => void = () => undefined,
  ): Promise<RpcServer> {
    const server = new RpcServer(overrides, prepare);
    await server.#listen({ socket: server.#socket, tcp: undefined });
    return server;
  }

  /** Stops serving as a crash would, and serves anew on the same socket. */
  async restart(): Promise<void> {
    this.stop();
    this.#server = new grpc.Server();
    this.handle = this.#addServices();
    await this.#listen({ socket: this.#socket, tcp: undefined });
  }

  /** Stops serving as a crash would. */
  stop(): void {
    this.#server.forceShutdown();
    for (const listeners of this.#listeners.splice(0)) {
      listeners.stop();
      listeners.cut();
    }
  }

  /** Serves on a free TCP port too; gives its address. */
  async listenTcp(): Promise<string> {
    return await this.#listen({ socket: undefined, tcp: { host: "127.0.0.1", port: 0 } });
  }

  client(target = this.target, channelOptions: grpc.ChannelOptions = {}): BrokerClient {
    const client = connect(target, { channelOptions });
    this.#clients.push(client);
    return client;
  }

  /** A session without keep-alive, on a connection of its own. */
  async session(displayName = "vm 1"): Promise<BrokerSession> {
    return await this.client().openSession({ displayName, keepAlive: false });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.close();
    this.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #addServices(): RpcHandle {
    return addBrokerServices(this.#server, {
      core: this.core,
      backend: "simulated",
      limits: LIMITS,
      heartbeatMs: 60_000,
      graceMs: 1500,
      hooks: {
        onStart: (call) => this.started.push(call),
        onCall: (call) => this.ended.push(call),
        onBug: (id, error) => this.bugs.push({ id, error }),
        onBackendFailure: (id, error) => this.backendFailures.push({ id, error }),
      },
      callerOf: (name) => {
        const peer = this.#peerOf(name);
        return peer && callerOf(name, peer);
      },
      ...this.#overrides,
    });
  }

  #peerOf(name: string): Peer | undefined {
    for (const listeners of this.#listeners) {
      const peer = listeners.peerOf(name);
      if (peer !== undefined) return peer;
    }
    return undefined;
  }

  async #listen(at: { socket: string | undefined; tcp: { host: string; port: number } | undefined }): Promise<string> {
    const onRefused = () => undefined;
    const listeners = await openListeners({
      server: this.#server,
      ...at,
      connectionsMax: 64,
      connectionsPerIdentityMax: 64,
      handshakeTimeoutMs: 5000,
      onRefused,
    });
    this.#listeners.push(listeners);
    return listeners.addresses[0] ?? "";
  }
}

/** A server that goes when the test ends. */
export async function serve(overrides: Partial<RpcDeps> = {}): Promise<RpcServer> {
  const server = await RpcServer.start(overrides);
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server;
}

/** Field paths and reason of a refusal, for tables of bad input. */
export async function faultsOf(call: Promise<unknown>): Promise<{ code: string; reason: string; paths: string[] }> {
  const error = await refusal(call);
  return { code: error.codeName, reason: error.reason, paths: error.fields.map(({ path }) => path) };
}

/** What faultsOf() gives for malformed fields. */
export function invalid(...paths: string[]): Awaited<ReturnType<typeof faultsOf>> {
  return { code: "INVALID_ARGUMENT", reason: "ARGUMENT_INVALID", paths };
}

/** The error that a call ends with; fails when it succeeds. */
export async function refusal(call: Promise<unknown>): Promise<BrokerCallError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof BrokerCallError) return error;
    throw error;
  }
  throw new Error("the call succeeded and should not have");
}

/** The value once it has stopped changing: to show that something is *not* taken, there is no event to wait for. */
export async function settled(value: () => number): Promise<number> {
  let last = value();
  for (let quiet = 0; quiet < 50; quiet++) {
    await new Promise((resolve) => setTimeout(resolve, 2));
    if (value() !== last) quiet = 0;
    last = value();
  }
  return last;
}
