// One VMM of the kill test: it remembers what it was answered, and holds the daemon to it after every death.
// A retry after a lost answer has the request_id of the first try: it is done once and answered, never refused as done
// already. Every stage change names the generation it expects, so that what is done twice is seen.

import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import {
  BrokerCallError,
  type BrokerClient,
  type BrokerSession,
  Stage1Mode,
  StageState,
} from "../../src/client/client.ts";
import { Chance } from "../support/fuzz-chance.ts";
import { type Change, type DeviceAnswer, type Held, isAway, isRace, isReason, shown, surpriseOf } from "./change.ts";
import { HeldDescriptors } from "./descriptors.ts";
import { LoosePages } from "./memory.ts";
import type { Breach, ClientOrders, ClientReport } from "./orders.ts";

export const RAM_IPA = 0x4000_0000n;
const PAGE = 4096n;
/** Pages that come and go; the rest of memory stays mapped. */
const LOOSE_PAGES = 16;
const STAY_BYTES = 2n ** 20n;
const LOOSE_IPA = RAM_IPA + STAY_BYTES;
export const RAM_BYTES = STAY_BYTES + BigInt(LOOSE_PAGES) * PAGE;
const HOLDS_MAX = 3;
const RETRY_MS = 10;
/** For copies to be closed. */
const WAIT_MS = 200;
const AWAY_MAX_MS = 30_000;
const CALL = { deadlineMs: 10_000 };
const { STAGE1_MODE_ABORT: ABORT, STAGE1_MODE_BYPASS: BYPASS, STAGE1_MODE_TRANSLATE: TRANSLATE } = Stage1Mode;
const MODES = [ABORT, BYPASS, TRANSLATE];

export class KilledGuest {
  readonly #client: BrokerClient;
  readonly #orders: ClientOrders;
  readonly #chance: Chance;
  readonly #held = new Map<string, Held>();
  readonly #pages: LoosePages;
  readonly #descriptors: HeldDescriptors;
  #session!: BrokerSession;
  #space = "";
  #virtualIommu = "";
  #breaches: Breach[] = [];
  #figures = { answered: 0, unanswered: 0, restarted: 0 };

  constructor(client: BrokerClient, orders: ClientOrders) {
    this.#client = client;
    this.#orders = orders;
    this.#chance = new Chance(orders.seed);
    const asking = { session: () => this.#session, again: <T>(call: () => Promise<T>) => this.#again(call) };
    const where = { ipa: LOOSE_IPA, pageBytes: PAGE, fileIpa: RAM_IPA, path: orders.memoryFile };
    this.#pages = new LoosePages({ ...asking, ...where, addressSpace: () => this.#space });
    this.#descriptors = new HeldDescriptors({
      ...asking,
      complain: (kind, what) => this.#complain(kind, what),
    });
  }

  /** A session with memory and a virtual IOMMU; from the start again when the daemon dies meanwhile. */
  async setUp(leaseTtlMs: number): Promise<void> {
    for (;;) {
      try {
        await this.#untilBack();
        await this.#trySetUp(leaseTtlMs);
        return;
      } catch (error) {
        if (!isAway(error)) throw error;
        this.#figures.restarted += 1;
      }
    }
  }

  /** One thing that a VMM does. */
  async step(): Promise<void> {
    try {
      await this.#act();
    } catch (error) {
      if (!(error instanceof BrokerCallError) || isAway(error)) throw error;
      this.#complain("lost", `what it was answered does not hold: ${error.message}`);
      this.#held.delete(error.metadata.device === undefined ? "" : `devices/${error.metadata.device}`);
    }
  }

  async #act(): Promise<void> {
    const devices = [...this.#held.keys()];
    const device = devices.length === 0 ? undefined : this.#chance.of(devices);
    const kind = this.#chance.below(16);
    if (kind > 11) await this.#handle(kind, device);
    else if (device === undefined || (kind < 2 && devices.length < HOLDS_MAX)) {
      await this.#attach(this.#chance.of(this.#orders.devices));
    } else if (kind < 6) await this.#bind(device, this.#chance.of(MODES));
    else if (kind === 6) await this.#unbind(device);
    else if (kind === 7) await this.#detach(device);
    else if (kind === 8) await this.#pages.map(this.#chance.below(LOOSE_PAGES));
    else if (kind === 9) await this.#pages.unmap(this.#chance.below(LOOSE_PAGES));
    else if (kind === 10) await this.#invalidate();
    else await this.#dma(device);
  }

  /** Descriptors: of a device that it has, of one that it has vended or vends now, and their end. */
  async #handle(kind: number, device: string | undefined): Promise<void> {
    const vended = this.#descriptors.vended();
    if (kind === 12 && device !== undefined) await this.#descriptors.open(device);
    else if (kind === 13 && vended.length === 0) await this.#vend(this.#chance.of(this.#orders.devices));
    else if (kind === 14) this.#descriptors.closeCopies(this.#chance.below(100));
    else if (vended.length > 0 && this.#chance.once(3)) await this.#detachVended(this.#chance.of(vended));
    else if (vended.length > 0) await this.#descriptors.poke(this.#chance.of(vended), LOOSE_IPA);
  }

  /** Everything answered is still there, exactly. */
  async verify(): Promise<void> {
    await this.#descriptors.verify();
    for (const [device, held] of this.#held) {
      const found = await this.#read(device);
      if (found.generation !== held.generation || !found.attached || found.owner !== this.#session.name) {
        const kind = found.generation > held.generation ? "doubled" : "lost";
        this.#complain(kind, `${device} is at ${shown(found)}, was answered ${held.generation}`);
      }
      if (held.mode === BYPASS) await this.#dma(device);
    }
  }

  report(): ClientReport {
    const report = {
      breaches: this.#breaches,
      ...this.#figures,
      holds: this.#held.size,
      fetched: this.#descriptors.takeFetched(),
    };
    this.#breaches = [];
    this.#figures = { answered: 0, unanswered: 0, restarted: 0 };
    return report;
  }

  async end(): Promise<void> {
    await this.#again(() => this.#session.close(CALL));
    this.#client.close();
  }

  async #trySetUp(leaseTtlMs: number): Promise<void> {
    const { memoryFile: path, name: displayName } = this.#orders;
    this.#session?.abandon();
    this.#descriptors.closeAll();
    const onLost = (error: BrokerCallError): void => this.#complain("lost", `the session: ${error.message}`);
    const session = await this.#client.openSession({ displayName, leaseTtlMs, onLost }, CALL);
    this.#session = session;
    this.#space = (await session.createAddressSpace({}, CALL)).name;
    const stays = { ipa: RAM_IPA, bytes: STAY_BYTES, source: 0, offset: 0n, readable: true, writable: true };
    await session.mapMemory({ addressSpace: this.#space, sources: [{ path }], mappings: [stays] }, CALL);
    const iommus = ["iommus/smmu0", "iommus/smmu1"];
    this.#virtualIommu = (await session.createVirtualIommu({ addressSpace: this.#space, iommus }, CALL)).name;
  }

  async #attach(device: string): Promise<void> {
    if (this.#held.has(device)) return;
    const { generation, owner, attached, state } = await this.#again(() => this.#client.getDevice(device, CALL));
    if (owner !== "" || attached) return;
    if (state === StageState.STAGE_STATE_RELEASING) return await this.#attachInLine(device);
    const mode = this.#chance.of([ABORT, BYPASS]);
    const request = { device, virtualIommu: this.#virtualIommu, initialMode: mode, expectedGeneration: generation };
    const ask = (requestId: string) => this.#session.attachDevice({ ...request, requestId }, CALL);
    const isDone = await this.#change({ what: "attach", device, before: generation, after: generation + 1n, ask });
    if (!isDone) return;
    this.#held.set(device, { generation: generation + 1n, mode, name: this.#orders.devices.indexOf(device) });
  }

  /** Waits for the copies of it to be closed; what comes of it has no generation that could be known before. */
  async #attachInLine(device: string): Promise<void> {
    const request = { device, virtualIommu: this.#virtualIommu, initialMode: ABORT, waitMs: WAIT_MS };
    const requestId = randomUUID();
    try {
      const { generation } = await this.#again(() => this.#session.attachDevice({ ...request, requestId }, CALL));
      this.#held.set(device, { generation, mode: ABORT, name: this.#orders.devices.indexOf(device) });
    } catch (error) {
      if (!isReason(error, "DEVICE_RELEASING") && !isReason(error, "DEVICE_OWNED")) throw error;
    }
  }

  async #vend(device: string): Promise<void> {
    if (!this.#held.has(device)) await this.#descriptors.vend(device);
  }

  async #bind(device: string, mode: number): Promise<void> {
    const held = this.#held.get(device)!;
    const fields = mode === TRANSLATE ? { mode, s1ContextPtr: RAM_IPA } : { mode };
    const request = { device, virtualStreamId: held.name, fields, expectedGeneration: held.generation };
    const ask = async (requestId: string): Promise<{ readonly generation: bigint }> => {
      const { device: bound } = await this.#session.bindGuestStage({ ...request, requestId }, CALL);
      return { generation: bound?.generation ?? 0n };
    };
    const after = held.generation + 1n;
    await this.#change({ what: "bind", device, before: held.generation, after, ask });
    this.#held.set(device, { ...held, generation: after, mode });
  }

  async #unbind(device: string): Promise<void> {
    const held = this.#held.get(device)!;
    const request = { device, expectedGeneration: held.generation };
    const ask = (requestId: string) => this.#session.unbindGuestStage({ ...request, requestId }, CALL);
    const after = held.mode === BYPASS ? held.generation : held.generation + 1n; // bypass already: nothing to do
    await this.#change({ what: "unbind", device, before: held.generation, after, ask });
    this.#held.set(device, { ...held, generation: after, mode: BYPASS });
  }

  async #detach(device: string): Promise<void> {
    const held = this.#held.get(device)!;
    const request = { device, expectedGeneration: held.generation };
    const ask = (requestId: string) => this.#session.detachDevice({ ...request, requestId }, CALL);
    this.#held.delete(device);
    await this.#leave(device, held.generation, ask);
  }

  async #detachVended(device: string): Promise<void> {
    const expectedGeneration = this.#descriptors.generationOf(device);
    const request = { device, expectedGeneration };
    const ask = (requestId: string) => this.#session.detachDevice({ ...request, requestId }, CALL);
    await this.#leave(device, expectedGeneration, ask);
  }

  async #leave(device: string, before: bigint, ask: Change["ask"]): Promise<void> {
    const orAfter = this.#descriptors.isOut(device) ? { orAfter: before + 2n } : {};
    await this.#change({ what: "detach", device, before, after: before + 1n, ...orAfter, ask });
    this.#descriptors.forget(device);
  }

  async #invalidate(): Promise<void> {
    await this.#again(() => this.#session.invalidateCache(this.#virtualIommu, [{ tlbiNhAll: {} }], CALL));
  }

  /** In bypass, DMA reaches exactly what is mapped, and finds this guest's bytes there. */
  async #dma(device: string): Promise<void> {
    const isOpen = this.#held.get(device)?.mode === BYPASS;
    const at = (page: number) => ({ iova: this.#pages.addressOf(page), readBytes: 64 });
    const accesses = Array.from({ length: LOOSE_PAGES }, (_, page) => at(page));
    const results = await this.#again(() => this.#session.simulator.dma(device, accesses, CALL));
    const mine = this.#orders.seed % 255;
    for (const [page, { bytesDone, data }] of results.entries()) {
      const isReached = bytesDone > 0;
      const shouldBe = isOpen && this.#pages.has(page);
      if (isReached && !shouldBe) this.#complain("foreign", `${device} reaches page ${page} and must not`);
      if (!isReached && shouldBe) this.#complain("lost", `${device} does not reach page ${page}, which was mapped`);
      if (data.some((byte) => byte !== mine)) this.#complain("foreign", `${device} read another's bytes`);
    }
  }

  /** Asks until there is an answer. False: refused. */
  async #change(change: Change): Promise<boolean> {
    const requestId = randomUUID();
    let isRetry = false;
    for (;;) {
      try {
        const { generation } = await change.ask(requestId);
        this.#figures.answered += 1;
        const surprise = surpriseOf(change, generation);
        if (surprise !== undefined) this.#complain(surprise.kind, surprise.what);
        return true;
      } catch (error) {
        if (!isAway(error)) return await this.#refused(change, isRetry, error);
        this.#figures.unanswered += 1;
        isRetry = true;
        await this.#untilBack();
      }
    }
  }

  /** Only an attach may be: another client was faster. One that has the device after all was done and not answered. */
  async #refused(change: Change, isRetry: boolean, error: unknown): Promise<boolean> {
    const { device, what } = change;
    const isDone = isRace(change, error) && isRetry && (await this.#read(device)).owner === this.#session.name;
    if (!isRace(change, error) || isDone) this.#complain("lost", `${what} of ${device} was refused: ${String(error)}`);
    return false;
  }

  async #read(device: string): Promise<DeviceAnswer> {
    return await this.#again(() => this.#session.getDevice(device, CALL));
  }

  /** For calls that do no harm twice. */
  async #again<T>(call: () => Promise<T>): Promise<T> {
    const deadline = performance.now() + AWAY_MAX_MS;
    for (;;) {
      try {
        const answer = await call();
        this.#figures.answered += 1;
        return answer;
      } catch (error) {
        if (!isAway(error) || performance.now() > deadline) throw error;
        this.#figures.unanswered += 1;
        await this.#untilBack();
      }
    }
  }

  async #untilBack(): Promise<void> {
    await pause(RETRY_MS);
    await this.#client.ready(AWAY_MAX_MS);
  }

  #complain(kind: Breach["kind"], what: string): void {
    this.#breaches.push({ kind, client: this.#orders.name, what });
  }
}
