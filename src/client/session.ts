// One session with the broker: its token goes with every call, and its lease is kept alive until close().
// Method for method the IommuBroker service; answers are the resource itself where there is only one in them.

import { BROKER } from "../server/rpc/services.ts";
import type { CallOptions, Channel } from "./channel.ts";
import { DeviceWatch, type DeviceWatchOptions } from "./device-watch.ts";
import { fromStatus } from "./error.ts";
import { type FaultQuery, listFaults } from "./fault-list.ts";
import { FaultWatch, type FaultWatchOptions } from "./fault-watch.ts";
import { type DeviceFile, PutRefused, takeDescriptors } from "./fd-exchange.ts";
import { InvalidationStream, type InvalidationStreamOptions } from "./invalidation-stream.ts";
import { KeepAlive, type KeepAliveListeners } from "./keep-alive.ts";
import type * as messages from "./messages.ts";
import { present } from "./present.ts";
import { SimulatorClient } from "./simulator.ts";

export interface SessionOptions extends KeepAliveListeners {
  /** Shown to others as the owner of the session's devices. */
  readonly displayName: string;
  /** Default: a lease where leaseTtlMs is given, else this process where the broker can watch it. */
  readonly liveness?: number;
  readonly leaseTtlMs?: number;
  /** How long a lost session keeps what it has, for resumeSession() or claimSession(). Default 0. */
  readonly graceMs?: number;
  /** Who may claim it: "uid:1001", a certificate's name. */
  readonly transferableTo?: readonly string[];
  /** Idempotence key of OpenSession. */
  readonly requestId?: string;
  /** False: the caller renews by itself, or lets the lease lapse. Default true. */
  readonly keepAlive?: boolean;
}

/** How a session is gone on with: what it is was said when it was opened. */
export type ResumeOptions = KeepAliveListeners & Pick<SessionOptions, "keepAlive">;

export type ClaimOptions = ResumeOptions &
  Pick<SessionOptions, "liveness" | "leaseTtlMs" | "transferableTo" | "requestId">;

/** A session that was taken up, and what it has. */
export interface TakenUp {
  readonly session: BrokerSession;
  readonly holdings: messages.SessionHoldings;
}

/** What can be asked of a session with its token alone. */
export type SessionVerbs = Omit<BrokerSession, "name" | "liveness" | "leaseTtlMs" | "abandon">;

/** In place of what only OpenSession tells. */
const UNTOLD: messages.Session = {
  name: "",
  displayName: "",
  liveness: 0,
  leaseTtlMs: 0,
  state: 0,
  graceMs: 0,
  transferableTo: [],
};
/** A device and the descriptors of it that this process now holds: closing them is up to the caller. */
export interface OpenedDevice {
  readonly device: messages.Device;
  readonly files: readonly DeviceFile[];
}

/** With `bound` the device is bound to the iommufd already, under this number (`dev_id`); 0 without, and where simulated. */
export interface VendedDevice extends OpenedDevice {
  readonly iommufdDevice: number;
}

export class BrokerSession {
  readonly #channel: Channel;
  readonly #fdSocket: string | undefined;
  readonly #session: messages.Session;
  readonly #keepAlive: KeepAlive | undefined;
  /** Secret: whoever has it is this session. */
  readonly token: string;
  /** The Simulator service, for this session's devices. */
  readonly simulator: SimulatorClient;

  /** `fds`: path of the descriptor socket. */
  constructor(
    { channel, fds }: { readonly channel: Channel; readonly fds: string | undefined },
    opened: { session: messages.Session; token: string },
    options: ResumeOptions,
  ) {
    this.#channel = channel;
    this.#fdSocket = fds;
    this.#session = opened.session;
    this.token = opened.token;
    this.simulator = new SimulatorClient(channel, opened.token);
    const { leaseTtlMs: leaseMs } = opened.session;
    const wantsStream = leaseMs > 0 || options.onLost !== undefined || options.onNotice !== undefined;
    this.#keepAlive =
      options.keepAlive === false || !wantsStream
        ? undefined
        : new KeepAlive(channel, { token: opened.token, leaseMs }, options);
  }

  /** The session of a token that somebody else opened, its lease left to others. */
  static ofToken(channel: Channel, token: string): SessionVerbs {
    return new BrokerSession({ channel, fds: undefined }, { session: UNTOLD, token }, { keepAlive: false });
  }

  /** "sessions/{uuid}" */
  get name(): string {
    return this.#session.name;
  }

  /** LIVENESS_PEER_PROCESS: it lives as long as this process, and nothing has to be renewed. */
  get liveness(): number {
    return this.#session.liveness;
  }

  /** 0 without a lease. */
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
    const { waitMs = 0 } = request;
    const answer = await this.#channel.unary(BROKER.attachDevice, request, this.token, { waitMs, ...options });
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

  /** Function-level reset: what the device was doing is dropped, its stage stays. */
  async resetDevice(request: messages.ResetDevice, options?: CallOptions) {
    const answer = await this.#channel.unary(BROKER.resetDevice, request, this.token, options);
    return present(answer.device, "device");
  }

  /** A ticket for the node of an attached device: fetch it with takeDescriptors(), or let openDevice() do both. */
  async getDeviceDescriptor(request: messages.GetDeviceDescriptor, options?: CallOptions) {
    const answer = await this.#channel.unary(BROKER.getDeviceDescriptor, request, this.token, options);
    return { ticket: present(answer.ticket, "ticket"), device: present(answer.device, "device") };
  }

  /** A ticket for a device that nobody has and an iommufd for it: its stages are then this process's. */
  async vend(request: messages.VendDevice, options?: CallOptions) {
    const answer = await this.#channel.unary(BROKER.vendDevice, request, this.token, options);
    const { iommufdDevice } = answer;
    return { ticket: present(answer.ticket, "ticket"), device: present(answer.device, "device"), iommufdDevice };
  }

  /**
   * Opens an attached device: its node, to drive its registers and interrupts. The broker goes on setting its stages.
   * @throws BrokerCallError or PutRefused with the broker's reason
   */
  async openDevice(name: string, options?: CallOptions): Promise<OpenedDevice> {
    const { device, ticket } = await this.getDeviceDescriptor({ device: name }, options);
    return { device, files: await this.#take(ticket.ticket) };
  }

  /**
   * Opens a device that nobody has and an iommufd for it, for a VMM that sets the stages itself. As openDevice().
   * @param options  `bound`: the node is bound to the iommufd already; else VFIO_DEVICE_BIND_IOMMUFD is the holder's to call
   */
  async vendDevice(name: string, options: CallOptions & { readonly bound?: boolean } = {}): Promise<VendedDevice> {
    const { bound = false, ...call } = options;
    const { device, iommufdDevice, ticket } = await this.vend({ device: name, bound }, call);
    return { device, iommufdDevice, files: await this.#take(ticket.ticket) };
  }

  async #take(ticket: string): Promise<readonly DeviceFile[]> {
    if (this.#fdSocket === undefined) throw new PutRefused("failed", "name the descriptor socket: connect's fdSocket");
    return await takeDescriptors(this.#fdSocket, ticket);
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

  /**
   * Batches for one virtual IOMMU without a call for each, each complete when its promise is kept. For a VMM whose guest
   * unmaps often; what ends the session ends the stream.
   */
  streamInvalidations(virtualIommu: string, options?: InvalidationStreamOptions): InvalidationStream {
    return new InvalidationStream(this.#channel, this.token, virtualIommu, options);
  }

  /** The walk of one access, step by step, from the tables as they are now. */
  async explainTranslation(request: messages.ExplainTranslation, options?: CallOptions): Promise<messages.Explanation> {
    return await this.#channel.unary(BROKER.explainTranslation, request, this.token, options);
  }

  /** As its owner sees it; with `ownedByMe` only what this session owns. */
  watchDevices(options?: DeviceWatchOptions): DeviceWatch {
    return new DeviceWatch(this.#channel, this.token, options);
  }

  watchFaults(options?: FaultWatchOptions): FaultWatch {
    return new FaultWatch(this.#channel, this.token, options);
  }

  /** What the broker still holds of its devices' faults, the newest first. */
  listFaults(query: FaultQuery = {}, options?: CallOptions): AsyncGenerator<messages.FaultEvent, void, undefined> {
    return listFaults(this.#channel, this.token, query, options);
  }

  /**
   * Answers a stalled transaction or a group of page requests, once.
   * @param event   one that has `pending`
   * @param action  FaultAction: RETRY, ABORT, TERMINATE a stall; SUCCESS, INVALID, FAILURE for page requests
   */
  async respondToFault(
    event: Pick<messages.FaultEvent, "pending">,
    action: number,
    options?: CallOptions & { readonly requestId?: string },
  ): Promise<messages.FaultResponse> {
    const { responseToken } = present(event.pending, "pending: the device waits for no answer");
    const request = { requestId: options?.requestId, responseToken, action };
    return await this.#channel.unary(BROKER.respondToFault, request, this.token, options);
  }

  /** Stops the keep-alive: a lease lapses, as if the client had died. */
  abandon(): void {
    this.#keepAlive?.stop();
  }

  /** Gives back all the session holds. */
  async close(options?: CallOptions): Promise<void> {
    this.#keepAlive?.stop();
    await this.#channel.unary(BROKER.closeSession, {}, this.token, options);
  }
}
