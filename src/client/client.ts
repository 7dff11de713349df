// The typed client: connect, ask, open a session. For VMMs, the command line, the demo and the tests.
// Every failed call rejects with a BrokerCallError; 64-bit values are bigint throughout.

import { BROKER } from "../server/rpc/services.ts";
import { type CallOptions, Channel, type ConnectOptions } from "./channel.ts";
import type * as messages from "./messages.ts";
import { present } from "./present.ts";
import { BrokerSession, type SessionOptions } from "./session.ts";

export type { CallOptions, ConnectOptions, TlsClientOptions } from "./channel.ts";
export { BrokerCallError } from "./error.ts";
export type { FaultBatch, FaultWatch, FaultWatchOptions } from "./fault-watch.ts";
export type { Notice } from "./keep-alive.ts";
export * from "./messages.ts";
export type { BrokerSession, SessionOptions } from "./session.ts";

/** @param target "unix:/run/iommu-broker/broker.sock" or "host:port" */
export function connect(target: string, options: ConnectOptions = {}): BrokerClient {
  return new BrokerClient(new Channel(target, options));
}

const PAGE_SIZE = 500;
const READY_DEADLINE_MS = 5_000;

export class BrokerClient {
  readonly #channel: Channel;

  constructor(channel: Channel) {
    this.#channel = channel;
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

  /** Opens a session and keeps its lease alive until it is closed or lost. */
  async openSession(options: SessionOptions, call?: CallOptions): Promise<BrokerSession> {
    const { displayName, leaseTtlMs, requestId } = options;
    const request = { displayName, leaseTtlMs, requestId };
    const answer = await this.#channel.unary(BROKER.openSession, request, undefined, call);
    return new BrokerSession(
      this.#channel,
      { session: present(answer.session, "session"), token: answer.token },
      options,
    );
  }

  /** Closes the connection. Sessions live on until their leases lapse: close them first. */
  close(): void {
    this.#channel.close();
  }
}
