// Descriptors that a client of the kill test holds: of devices that it has attached, and of vended ones, whose stages are then
// its own. What it was told holds over every death: the broker alone sets no stage of a device that is out.

import { closeSync } from "node:fs";
import {
  BrokerCallError,
  type BrokerSession,
  type DeviceFile,
  PutRefused,
  Stage1Mode,
  StageState,
} from "../../src/client/client.ts";
import type { Breach } from "./orders.ts";

const CALL = { deadlineMs: 10_000 };
/** Of a fetch in a row that deaths of the daemon broke off. */
const TRIES_MAX = 100;

export interface DescriptorsOptions {
  readonly session: () => BrokerSession;
  /** Asks until there is an answer. */
  readonly again: <T>(call: () => Promise<T>) => Promise<T>;
  readonly complain: (kind: Breach["kind"], what: string) => void;
}

export class HeldDescriptors {
  readonly #options: DescriptorsOptions;
  readonly #files = new Map<string, DeviceFile[]>();
  /** Devices of this session of which something was handed out. */
  readonly #out = new Set<string>();
  /** By vended device: its generation. */
  readonly #vended = new Map<string, bigint>();
  #fetched = 0;

  constructor(options: DescriptorsOptions) {
    this.#options = options;
  }

  /** Fetched since the last time it was asked. */
  takeFetched(): number {
    const fetched = this.#fetched;
    this.#fetched = 0;
    return fetched;
  }

  vended(): readonly string[] {
    return [...this.#vended.keys()];
  }

  isOut(device: string): boolean {
    return this.#out.has(device);
  }

  generationOf(device: string): bigint {
    return this.#vended.get(device)!;
  }

  /** Of a device that is attached; asked for as often as it takes, since that changes nothing. */
  async open(device: string): Promise<void> {
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      try {
        const opened = await this.#options.again(() => this.#options.session().openDevice(device, CALL));
        this.#keep(device, opened.files, opened.device.stageAuthoritative);
        return;
      } catch (error) {
        if (!(error instanceof PutRefused)) throw error; // the daemon died after it gave the ticket
      }
    }
    this.#options.complain("lost", `${device} cannot be opened: every ticket is refused`);
  }

  /** @returns false: another client was faster, or a copy of it is open */
  async vend(device: string): Promise<boolean> {
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      try {
        const { device: told, files } = await this.#options.again(() =>
          this.#options.session().vendDevice(device, CALL),
        );
        this.#vended.set(device, told.generation);
        this.#keep(device, files, told.stageAuthoritative);
        return true;
      } catch (error) {
        if (error instanceof PutRefused) continue;
        if (!(error instanceof BrokerCallError)) throw error;
        if (error.reason === "VENDED") return await this.#vendedBefore(device);
        if (error.reason === "DEVICE_OWNED" || error.reason === "DEVICE_RELEASING") return false;
        throw error;
      }
    }
    return await this.#vendedBefore(device);
  }

  /** Its answer, or the descriptors, went with the daemon: it is this session's all the same, to be detached. */
  async #vendedBefore(device: string): Promise<boolean> {
    const { generation, owner } = await this.#options.again(() => this.#options.session().getDevice(device, CALL));
    if (owner !== this.#options.session().name) this.#options.complain("lost", `${device} is vended to ${owner}`);
    this.#vended.set(device, generation);
    this.#out.add(device);
    return true;
  }

  #keep(device: string, files: readonly DeviceFile[], isAuthoritative: boolean): void {
    this.#files.set(device, [...(this.#files.get(device) ?? []), ...files]);
    this.#out.add(device);
    this.#fetched += 1;
    if (isAuthoritative) this.#options.complain("lost", `${device} is handed out, and told to be the broker's alone`);
  }

  /** The broker refuses to set a stage of a vended device, whose DMA, simulated, leads nowhere. */
  async poke(device: string, iova: bigint): Promise<void> {
    const { again, complain, session } = this.#options;
    const fields = { mode: Stage1Mode.STAGE1_MODE_BYPASS };
    try {
      await again(() => session().bindGuestStage({ device, virtualStreamId: 1, fields }, CALL));
      complain("lost", `${device} is vended, and its stage was set by the broker`);
    } catch (error) {
      if (!(error instanceof BrokerCallError) || error.reason !== "VENDED") throw error;
    }
    const [result] = await again(() => session().simulator.dma(device, [{ iova, readBytes: 64 }], CALL));
    if (result === undefined || result.bytesDone > 0) complain("foreign", `${device} is vended and reaches memory`);
  }

  async verify(): Promise<void> {
    const { again, complain, session } = this.#options;
    for (const device of this.#out) {
      const found = await again(() => session().getDevice(device, CALL));
      if (found.stageAuthoritative) complain("lost", `${device} is out, and told to be the broker's alone`);
      const generation = this.#vended.get(device);
      if (generation === undefined) continue;
      const isSame = found.generation === generation && found.state === StageState.STAGE_STATE_VENDED;
      if (!isSame || found.owner !== session().name) {
        complain("lost", `${device} was vended at ${generation}, is in state ${found.state} at ${found.generation}`);
      }
    }
  }

  /** It is not this session's any more; copies stay open. */
  forget(device: string): void {
    this.#out.delete(device);
    this.#vended.delete(device);
  }

  /** Of one device, by whatever number. */
  closeCopies(number: number): void {
    const devices = [...this.#files.keys()];
    const device = devices[number % devices.length];
    if (device === undefined) return;
    for (const { fd } of this.#files.get(device) ?? []) closeSync(fd);
    this.#files.delete(device);
  }

  /** In this life there is no session but the one that begins now. */
  closeAll(): void {
    while (this.#files.size > 0) this.closeCopies(0);
    this.#out.clear();
    this.#vended.clear();
  }
}
