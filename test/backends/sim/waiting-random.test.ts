// Devices stall and ask for pages, are answered, reset, bound anew, unbound, blocked and released in any order: each event
// that waits has exactly one end, behind it; every DMA comes to its end; no stall is left in the SMMU.
// IOMMU_BROKER_WAITING_SEED says which sequences; a failure names its own.

import { expect, test } from "vitest";
import { BrokerError } from "../../../src/backends/errors.ts";
import type { FaultAnswer } from "../../../src/backends/faults.ts";
import type { DeviceID } from "../../../src/backends/ids.ts";
import { Chance } from "../../oracle/chance.ts";
import { turn } from "../../support/host.ts";
import { DSP, GPU, HOLE, MAPPED, STALL_MAX, UART, WaitingWorld } from "../../support/waiting-world.ts";

const SEED = Number(process.env.IOMMU_BROKER_WAITING_SEED ?? Date.now() % 2 ** 31);
const SEQUENCES = 40;
const STEPS = 150;
const DMAS_MAX = 24;
const ANSWERS: readonly FaultAnswer[] = ["retry", "abort", "terminate", "success", "invalid", "failure"];
const DEVICES = [DSP, GPU, UART];

class Sequence {
  readonly #world: WaitingWorld;
  readonly #chance: Chance;
  readonly #attached = new Set<DeviceID>(DEVICES);
  readonly #running = new Set<Promise<string>>();
  /** Of each cookie that was told: how its event ended, as often as it did. */
  readonly #ends = new Map<number, string[]>();
  readonly #owners = new Map<number, DeviceID>();
  #read = 0;
  readonly tally = { stalls: 0, pages: 0, answered: 0, ended: 0, refused: 0 };

  constructor(world: WaitingWorld, chance: Chance) {
    this.#world = world;
    this.#chance = chance;
  }

  async run(): Promise<void> {
    for (const device of DEVICES) await this.#bind(device);
    for (let step = 0; step < STEPS; step += 1) {
      await this.#step();
      this.#listen();
    }
    await this.#finish();
  }

  async #step(): Promise<void> {
    const chance = this.#chance;
    const device = DEVICES[chance.below(3)]!;
    switch (chance.below(20)) {
      case 0:
      case 1:
      case 2:
        return this.#dma(device);
      case 3:
        if (this.#attached.has(device)) await this.#world.translate(device, chance.oneIn(3) ? MAPPED : HOLE);
        return;
      case 4:
      case 5:
      case 6:
        return await this.#answer();
      case 7:
        if (chance.oneIn(2)) this.#world.mapHole();
        else await this.#world.unmapHole();
        return;
      case 8:
        return this.#chance.oneIn(2) ? await this.#change(device) : undefined;
      case 9:
        return this.#chance.oneIn(2) ? await this.#world.backend.reset(device).then(() => {}) : undefined;
      case 10:
      case 11:
        return await this.#bind(device);
      default:
        await turn();
    }
  }

  #dma(device: DeviceID): void {
    if (this.#running.size >= DMAS_MAX) return;
    const holes = [HOLE, HOLE - 8, HOLE + 0x1000, HOLE + 0x2ff8]; // the first is mapped at times, the next is over two pages
    const iova = this.#chance.oneIn(4) ? MAPPED : holes[this.#chance.below(4)]!;
    const end = this.#world.read(device, iova, 16);
    this.#running.add(end);
    void end.then(() => this.#running.delete(end));
  }

  async #answer(): Promise<void> {
    const told = [...this.#ends.keys()];
    const waiting = told.filter((cookie) => this.#ends.get(cookie)!.length === 0);
    const cookies = this.#chance.oneIn(4) ? told : waiting;
    if (cookies.length === 0) return;
    const cookie = cookies[this.#chance.below(cookies.length)]!;
    const answer = ANSWERS[this.#chance.below(6)]!;
    const wasOver = this.#ends.get(cookie)!.length > 0;
    try {
      await this.#world.backend.respondToFault(this.#owners.get(cookie)!, cookie, answer);
      this.#ends.get(cookie)!.push(`answered ${answer}`);
      this.tally.answered += 1;
    } catch (error) {
      const code = error instanceof BrokerError ? error.code : String(error);
      expect(["fault_not_pending", "argument_invalid"]).toContain(code);
      expect([cookie, code === "fault_not_pending"]).toEqual([cookie, wasOver]);
      this.tally.refused += 1;
    }
  }

  async #change(device: DeviceID): Promise<void> {
    const { backend, part } = this.#world;
    const { group } = this.#world.device(device);
    if (!this.#attached.has(device)) return await this.#attach(device);
    const way = this.#chance.below(4);
    if (way === 0) return await backend.setPlainStage(group, part, "bypass");
    if (way === 1) return await backend.setPlainStage(group, part, "abort");
    this.#attached.delete(device);
    await (way === 2 ? backend.detach(group) : backend.block(group));
  }

  async #attach(device: DeviceID): Promise<void> {
    const { backend, part } = this.#world;
    await backend.detach(this.#world.device(device).group); // it may be blocked
    await backend.attach(this.#world.device(device).group, part, "abort");
    this.#attached.add(device);
  }

  async #bind(device: DeviceID): Promise<void> {
    if (!this.#attached.has(device)) await this.#attach(device);
    await this.#world.bind(device, {
      stalld: this.#chance.flag(8),
      eats: device === GPU ? 1n - this.#chance.flag(4) : 0n,
    });
  }

  /** Takes over what was told since: an end is behind its event, and is the only one. */
  #listen(): void {
    const { heard } = this.#world;
    for (; this.#read < heard.length; this.#read += 1) {
      const notice = heard[this.#read]!;
      if (notice.kind === "ended") {
        expect(this.#owners.get(notice.cookie)).toBe(notice.device);
        this.#ends.get(notice.cookie)!.push("ended");
        this.tally.ended += 1;
      }
      if (notice.kind !== "fault" || notice.fault.pending === undefined) continue;
      const { cookie, kind } = notice.fault.pending;
      expect(this.#ends.has(cookie)).toBe(false);
      this.#ends.set(cookie, []);
      this.#owners.set(cookie, notice.fault.device);
      this.tally[kind === "stall" ? "stalls" : "pages"] += 1;
    }
    for (const [cookie, ends] of this.#ends) expect([cookie, ends.length <= 1, ends]).toEqual([cookie, true, ends]);
  }

  /** Everything leaves its owner: then nothing waits any more, and there is room for as many stalls as there ever was. */
  async #finish(): Promise<void> {
    const { backend, part } = this.#world;
    for (const { group } of backend.inventory.devices()) await backend.detach(group);
    await this.#world.settle();
    this.#listen();
    expect(await Promise.race([Promise.all(this.#running), turn().then(() => "DMAs that never end")])).not.toBe(
      "DMAs that never end",
    );
    const unended = [...this.#ends].filter(([, ends]) => ends.length !== 1);
    expect(unended).toEqual([]);
    await backend.attach(this.#world.device(DSP).group, part, "abort");
    await this.#world.bind(DSP);
    await this.#world.unmapHole();
    const ends: string[] = [];
    for (let count = 0; count <= STALL_MAX; count += 1) ends.push(await this.#world.translate(DSP));
    expect(ends).toEqual([...new Array(STALL_MAX).fill("stalled"), "abort"]);
    await backend.close();
  }
}

test(`${SEQUENCES} sequences of stalls, page requests, answers and changes (seed ${SEED})`, {
  timeout: 120_000,
}, async () => {
  const sums = { stalls: 0, pages: 0, answered: 0, ended: 0, refused: 0 };
  for (let index = 0; index < SEQUENCES; index += 1) {
    const seed = BigInt(SEED) * 1009n + BigInt(index);
    const sequence = new Sequence(await WaitingWorld.make(), new Chance(seed));
    try {
      await sequence.run();
    } catch (error) {
      throw new Error(`sequence ${index} of IOMMU_BROKER_WAITING_SEED=${SEED}`, { cause: error });
    }
    sums.stalls += sequence.tally.stalls;
    sums.pages += sequence.tally.pages;
    sums.answered += sequence.tally.answered;
    sums.ended += sequence.tally.ended;
    sums.refused += sequence.tally.refused;
  }
  for (const [what, count] of Object.entries(sums)) expect([what, count > SEQUENCES]).toEqual([what, true]);
});
