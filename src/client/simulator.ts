// service Simulator: plays the hardware around a simulated broker. Tests and the demo are its users.

import { SIMULATOR } from "../server/rpc/services.ts";
import type { CallOptions, Channel } from "./channel.ts";
import type * as messages from "./messages.ts";

export class SimulatorClient {
  readonly #channel: Channel;
  readonly #token: string;

  constructor(channel: Channel, token: string) {
    this.#channel = channel;
    this.#token = token;
  }

  /** Gives the name of the new device. */
  async addDevice(request: messages.AddDevice, options?: CallOptions): Promise<string> {
    return (await this.#channel.unary(SIMULATOR.addDevice, request, this.#token, options)).device;
  }

  async removeDevice(device: string, options?: CallOptions): Promise<void> {
    await this.#channel.unary(SIMULATOR.removeDevice, { device }, this.#token, options);
  }

  async dma(device: string, accesses: readonly messages.DmaAccess[], options?: CallOptions) {
    return (await this.#channel.unary(SIMULATOR.dma, { device, accesses }, this.#token, options)).results;
  }

  async translate(device: string, accesses: readonly messages.TranslateAccess[], options?: CallOptions) {
    return (await this.#channel.unary(SIMULATOR.translate, { device, accesses }, this.#token, options)).translations;
  }

  async readMemory(addressSpace: string, ipa: bigint, bytes: number, options?: CallOptions): Promise<Uint8Array> {
    return (await this.#channel.unary(SIMULATOR.readMemory, { addressSpace, ipa, bytes }, this.#token, options)).data;
  }

  async writeMemory(addressSpace: string, ipa: bigint, data: Uint8Array, options?: CallOptions): Promise<void> {
    await this.#channel.unary(SIMULATOR.writeMemory, { addressSpace, ipa, data }, this.#token, options);
  }

  async readStructures(
    request: { readonly device: string; readonly streamIndex?: number; readonly substreamId?: number },
    options?: CallOptions,
  ): Promise<messages.Structures> {
    return await this.#channel.unary(SIMULATOR.readStructures, request, this.#token, options);
  }

  /** The interrupt messages that the device has sent since it was attached. */
  async listMsis(device: string, options?: CallOptions): Promise<messages.Msis> {
    return await this.#channel.unary(SIMULATOR.listMsis, { device }, this.#token, options);
  }
}
