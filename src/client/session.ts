// One session with the broker: its token goes with every call, and its lease is kept alive until close().
// Method for method the IommuBroker service; answers are the resource itself where there is only one in them.

import { BROKER } from "../server/rpc/services.ts";
import type { CallOptions, Channel } from "./channel.ts";
import { fromStatus } from "./error.ts";
import { FaultWatch, type FaultWatchOptions } from "./fault-watch.ts";
import { KeepAlive, type KeepAliveListeners } from "./keep-alive.ts";
import type * as messages from "./messages.ts";
import { present } from "./present.ts";
import { SimulatorClient } from "./simulator.ts";

export interface SessionOptions extends KeepAliveListeners {
  /** Shown to others as the owner of the session's devices. */
  readonly displayName: string;
  readonly leaseTtlMs?: number;
  /** Idempotence key of OpenSession. */
  readonly requestId?: string;
  /** False: the caller renews by itself, or lets the lease lapse. Default true. */
  readonly keepAlive?: boolean;
}

export class BrokerSession {
  readonly #channel: Channel;
  readonly #session: messages.Session;
  readonly #keepAlive: KeepAlive | undefined;
  /** Secret: whoever has it is this session. */
  readonly token: string;
  /** The Simulator service, for this session's devices. */
  readonly simulator: SimulatorClient;

  constructor(channel: Channel, opened: { session: messages.Session; token: string }, options: SessionOptions) {
    this.#channel = channel;
    this.#session = opened.session;
    this.token = opened.token;
    this.simulator = new SimulatorClient(channel, opened.token);
    const lease = { token: opened.token, leaseMs: opened.session.leaseTtlMs };
    this.#keepAlive = options.keepAlive === false ? undefined : new KeepAlive(channel, lease, options);
  }

  /** "sessions/{uuid}" */
  get name(): string {
    return this.#session.name;
  }

  get leaseTtlMs(): number {
    return this.#session.leaseTtlMs;
  }

  /** As its owner sees it: with what is installed. @param name "devices/{id}" */
  async getDevice(name: string, options?: CallOptions): Promise<messages.Device> {
    const answer = await this.#channel.unary(BROKER.getDevice, { device: name }, this.token, options);
    return present(answer.device, "device");
  }

  async createAddressSpace(request: messages.CreateAddressSpace = {}, options?: CallOptions) {
    const answer = await this.#channel.unary(BROKER.createAddressSpace, request, this.token, options);
    return present(answer.addressSpace, "address_space");
  }

  async deleteAddressSpace(name: string, options?: CallOptions): Promise<void> {
    await this.#channel.unary(BROKER.deleteAddressSpace, { addressSpace: name }, this.token, options);
  }

  async mapMemory(request: messages.MapMemory, options?: CallOptions) {
    const answer = await this.#channel.unary(BROKER.mapMemory, request, this.token, options);
    return present(answer.addressSpace, "address_space");
  }

  /** After a restart of the daemon: memory that was mapped by ticket, put again. */
  async presentMemory(request: messages.PresentMemory, options?: CallOptions) {
    const answer = await this.#channel.unary(BROKER.presentMemory, request, this.token, options);
    return present(answer.addressSpace, "address_space");
  }

  async unmapMemory(request: messages.UnmapMemory, options?: CallOptions) {
    const answer = await this.#channel.unary(BROKER.unmapMemory, request, this.token, options);
    return { addressSpace: present(answer.addressSpace, "address_space"), unmappedBytes: answer.unmappedBytes };
  }

  async createVirtualIommu(request: messages.CreateVirtualIommu, options?: CallOptions) {
    const answer = await this.#channel.unary(BROKER.createVirtualIommu, request, this.token, options);
    return present(answer.virtualIommu, "virtual_iommu");
  }

  async deleteVirtualIommu(name: string, options?: CallOptions): Promise<void> {
    await this.#channel.unary(BROKER.deleteVirtualIommu, { virtualIommu: name }, this.token, options);
  }

  async setVirtualIommuMode(
    request: { readonly virtualIommu: string; readonly mode: number; readonly requestId?: string },
    options?: CallOptions,
  ): Promise<readonly messages.DeviceModeResult[]> {
    const answer = await this.#channel.unary(BROKER.setVirtualIommuMode, request, this.token, options);
    return answer.results.map(({ device, generation, error }) => ({
      device,
      generation,
      error: error === undefined ? undefined : fromStatus(error),
    }));
  }

  async attachDevice(request: messages.AttachDevice, options?: CallOptions) {
    const answer = await this.#channel.unary(BROKER.attachDevice, request, this.token, options);
    return present(answer.device, "device");
  }

  async detachDevice(request: messages.DetachDevice, options?: CallOptions) {
    const answer = await this.#channel.unary(BROKER.detachDevice, request, this.token, options);
    return present(answer.device, "device");
  }

  async bindGuestStage(request: messages.BindGuestStage, options?: CallOptions): Promise<messages.BindOutcome> {
    return await this.#channel.unary(BROKER.bindGuestStage, request, this.token, options);
  }

  async batchBindGuestStage(
    requests: readonly messages.BindGuestStage[],
    options?: CallOptions & { readonly requestId?: string },
  ): Promise<readonly messages.BatchResult[]> {
    const request = { requests, requestId: options?.requestId };
    const answer = await this.#channel.unary(BROKER.batchBindGuestStage, request, this.token, options);
    return answer.results.map(({ response, error }) =>
      error === undefined ? { response: present(response, "response") } : { error: fromStatus(error) },
    );
  }

  async unbindGuestStage(request: messages.UnbindGuestStage, options?: CallOptions) {
    const answer = await this.#channel.unary(BROKER.unbindGuestStage, request, this.token, options);
    return present(answer.device, "device");
  }

  /** Complete on return. Gives how many commands were executed: all of them. */
  async invalidateCache(
    virtualIommu: string,
    commands: readonly messages.InvalidationCommand[],
    options?: CallOptions,
  ): Promise<number> {
    const request = { virtualIommu, commands };
    return (await this.#channel.unary(BROKER.invalidateCache, request, this.token, options)).executed;
  }

  /** The walk of one access, step by step, from the tables as they are now. */
  async explainTranslation(request: messages.ExplainTranslation, options?: CallOptions): Promise<messages.Explanation> {
    return await this.#channel.unary(BROKER.explainTranslation, request, this.token, options);
  }

  watchFaults(options?: FaultWatchOptions): FaultWatch {
    return new FaultWatch(this.#channel, this.token, options);
  }

  /** Stops the keep-alive, as if the client had died: the lease lapses. */
  abandon(): void {
    this.#keepAlive?.stop();
  }

  /** Gives back all the session holds. */
  async close(options?: CallOptions): Promise<void> {
    this.#keepAlive?.stop();
    await this.#channel.unary(BROKER.closeSession, {}, this.token, options);
  }
}
