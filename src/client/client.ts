// The typed client: connect, ask, open a session. For VMMs, the command line, the demo and the tests.
// Every failed call rejects with a BrokerCallError; 64-bit values are bigint throughout.

import { dirname, join } from "node:path";
import { ADMIN, BROKER } from "../server/rpc/services.ts";
import { type CallOptions, Channel, type ConnectOptions } from "./channel.ts";
import { DeviceWatch, type DeviceWatchOptions } from "./device-watch.ts";
import { type FaultQuery, listFaults } from "./fault-list.ts";
import { FaultWatch, type FaultWatchOptions } from "./fault-watch.ts";
import { type MemoryTicket, PutRefused, putMemory } from "./fd-exchange.ts";
import { renewLease } from "./lease.ts";
import type * as messages from "./messages.ts";
import { present } from "./present.ts";
import {
  BrokerSession,
  type ClaimOptions,
  type ResumeOptions,
  type SessionOptions,
  type SessionVerbs,
  type TakenUp,
} from "./session.ts";

export type { CallOptions, ConnectOptions, TlsClientOptions } from "./channel.ts";
export type { DeviceNews, DeviceWatch, DeviceWatchOptions } from "./device-watch.ts";
export { BrokerCallError } from "./error.ts";
export type { FaultQuery } from "./fault-list.ts";
export type { FaultBatch, FaultWatch, FaultWatchOptions } from "./fault-watch.ts";
export type { DeviceFile, MemoryTicket } from "./fd-exchange.ts";
export { PutRefused } from "./fd-exchange.ts";
export type { InvalidationStream, InvalidationStreamOptions } from "./invalidation-stream.ts";
export type { Notice } from "./keep-alive.ts";
export * from "./messages.ts";
export type {
  BrokerSession,
  ClaimOptions,
  OpenedDevice,
  ResumeOptions,
  SessionOptions,
  SessionVerbs,
  TakenUp,
  VendedDevice,
} from "./session.ts";

/** @param target "unix:/run/iommu-broker/broker.sock" or "host:port" */
export function connect(target: string, options: ConnectOptions = {}): BrokerClient {
  return new BrokerClient(new Channel(target, options), options.fdSocket ?? besideOf(target));
}

/** The descriptor socket where it usually is: "fd.sock" in the directory of the API's. */
function besideOf(target: string): string | undefined {
  const path = /^unix:(?:\/\/)?(\/.*)$/.exec(target)?.[1];
  return path === undefined ? undefined : join(dirname(path), "fd.sock");
}

const PAGE_SIZE = 500;
const READY_DEADLINE_MS = 5_000;

export class BrokerClient {
  readonly #channel: Channel;
  readonly #fdSocket: string | undefined;

  constructor(channel: Channel, fdSocket: string | undefined) {
    this.#channel = channel;
    this.#fdSocket = fdSocket;
  }

  /** Resolves once the connection stands. Calls wait for it by themselves; this is for those who want to know. */
  async ready(deadlineMs = READY_DEADLINE_MS): Promise<void> {
    await this.#channel.ready(deadlineMs);
  }

  async getCapabilities(query: messages.CapabilitiesQuery = {}, options?: CallOptions): Promise<messages.Capabilities> {
    return await this.#channel.unary(BROKER.getCapabilities, query, undefined, options);
  }

  /** All devices in order of name, page after page. */
  async listDevices(options?: CallOptions & { readonly pageSize?: number }): Promise<readonly messages.Device[]> {
    const devices: messages.Device[] = [];
    let pageToken = "";
    do {
      const request = { pageSize: options?.pageSize ?? PAGE_SIZE, pageToken };
      const page = await this.#channel.unary(BROKER.listDevices, request, undefined, options);
      devices.push(...page.devices);
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return devices;
  }

  /** The inventory as anybody sees it: the list, then each change. */
  watchDevices(options?: DeviceWatchOptions): DeviceWatch {
    return new DeviceWatch(this.#channel, undefined, options);
  }

  /** As anybody sees it; BrokerSession.getDevice() shows the owner more. @param name "devices/{id}" */
  async getDevice(name: string, options?: CallOptions): Promise<messages.Device> {
    const answer = await this.#channel.unary(BROKER.getDevice, { device: name }, undefined, options);
    return present(answer.device, "device");
  }

  /** As BrokerSession.explainTranslation(), for who has a session's token and leaves its lease to others: iommuctl. */
  async explainTranslation(
    token: string,
    request: messages.ExplainTranslation,
    options?: CallOptions,
  ): Promise<messages.Explanation> {
    return await this.#channel.unary(BROKER.explainTranslation, request, token, options);
  }

  /**
   * As BrokerSession.watchFaults(), for who has a session's token and leaves its lease to others; without a token, on a
   * connection to the admin socket, as an observer: every device's faults, of which none can be answered.
   */
  watchFaults(token: string | undefined, options?: FaultWatchOptions): FaultWatch {
    return new FaultWatch(this.#channel, token, options);
  }

  /** What the broker still holds, the newest first. @param token  as for watchFaults() */
  listFaults(
    token: string | undefined,
    query: FaultQuery = {},
    options?: CallOptions,
  ): AsyncGenerator<messages.FaultEvent, void, undefined> {
    return listFaults(this.#channel, token, query, options);
  }

  /** Opens a session. Where it has a lease, that is kept alive until the session is closed or lost. */
  async openSession(options: SessionOptions, call?: CallOptions): Promise<BrokerSession> {
    const { displayName, liveness, leaseTtlMs, graceMs, transferableTo, requestId } = options;
    const request = { displayName, liveness, leaseTtlMs, graceMs, transferableTo, requestId };
    const answer = await this.#channel.unary(BROKER.openSession, request, undefined, call);
    return this.#session({ session: present(answer.session, "session"), token: answer.token }, options);
  }

  /** Takes a session up again by its token: after its process died or its lease lapsed, or this program was replaced. */
  async resumeSession(token: string, options: ResumeOptions = {}, call?: CallOptions): Promise<TakenUp> {
    const answer = await this.#channel.unary(BROKER.resumeSession, {}, token, call);
    const session = this.#session({ session: present(answer.session, "session"), token }, options);
    return { session, holdings: present(answer.holdings, "holdings") };
  }

  /** Takes over a session whose opener named this identity in transferableTo. @param name "sessions/{uuid}" */
  async claimSession(name: string, options: ClaimOptions = {}, call?: CallOptions): Promise<TakenUp> {
    const { liveness, leaseTtlMs, transferableTo, requestId } = options;
    const request = { session: name, liveness, leaseTtlMs, transferableTo, requestId };
    const answer = await this.#channel.unary(BROKER.claimSession, request, undefined, call);
    const opened = { session: present(answer.session, "session"), token: answer.token };
    return { session: this.#session(opened, options), holdings: present(answer.holdings, "holdings") };
  }

  /** The session of a token that somebody else opened: its calls, and its lease left to others. */
  sessionOf(token: string): SessionVerbs {
    return BrokerSession.ofToken(this.#channel, token);
  }

  /** Renews a session's lease once. Gives the milliseconds it has; 0: the session lives with a process and has none. */
  async renewLease(token: string, deadlineMs = READY_DEADLINE_MS): Promise<number> {
    return await renewLease(this.#channel, token, deadlineMs);
  }

  /** On a connection to the admin socket: every session that holds something, page after page. */
  async listSessions(
    options?: CallOptions & { readonly pageSize?: number },
  ): Promise<readonly messages.AdminSession[]> {
    const sessions: messages.AdminSession[] = [];
    let pageToken = "";
    do {
      const request = { pageSize: options?.pageSize ?? PAGE_SIZE, pageToken };
      const page = await this.#channel.unary(ADMIN.listSessions, request, undefined, options);
      sessions.push(...page.sessions);
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return sessions;
  }

  #session(opened: { readonly session: messages.Session; readonly token: string }, options: ResumeOptions) {
    return new BrokerSession({ channel: this.#channel, fds: this.#fdSocket }, opened, options);
  }

  /**
   * Puts guest memory and gives the ticket for MapMemory's sources: `{ ticket }`.
   * @param memory  `fd`: a memfd or a file of tmpfs, still the caller's after this; `label`: 1 to 64 printable characters
   * @throws PutRefused with the broker's reason
   */
  async putMemory(memory: { readonly fd: number; readonly label: string }): Promise<MemoryTicket> {
    if (this.#fdSocket === undefined) throw new PutRefused("failed", "name the descriptor socket: connect's fdSocket");
    return await putMemory(this.#fdSocket, memory);
  }

  /** Closes the connection. Sessions live on until their leases lapse: close them first. */
  close(): void {
    this.#channel.close();
  }
}
