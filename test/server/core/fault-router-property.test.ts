// The fault router against a model of its contract: producers, storms, readers that are prompt, slow or stuck, stalls and
// their answers, deadlines, owners that come and go, restarts on a journal cut anywhere.
// IOMMU_BROKER_FAULT_CASES sets how many, IOMMU_BROKER_FAULT_SEED which; the name has the seed.

import fc from "fast-check";
import { expect, test } from "vitest";
import { BrokerError } from "../../../src/backends/errors.ts";
import type { FaultAnswer } from "../../../src/backends/faults.ts";
import type { DeviceID } from "../../../src/backends/ids.ts";
import { foldRecords } from "../../../src/server/core/durable-state.ts";
import type { FaultWatchRequest, SequencedFault } from "../../../src/server/core/fault-verbs.ts";
import type { CoreLimits } from "../../../src/server/core/limits.ts";
import { FaultModel, type PendingTruth, type Truth, Witness } from "../../support/fault-model.ts";
import { FaultWorld } from "../../support/fault-world.ts";
import { faultOf, pageRequestOf, stallOf } from "../../support/faults.ts";
import { DISK, FAR, NIC, NVME, refusal, turn } from "../../support/host.ts";

const CASES = Number(process.env.IOMMU_BROKER_FAULT_CASES ?? 200);
const SEED = Number(process.env.IOMMU_BROKER_FAULT_SEED ?? 20_261_123);
const DEVICES: readonly DeviceID[] = [NVME, NIC, DISK, FAR];
const SLOTS = 2;
const RESPONSE_MS = 250;

const device = fc.nat({ max: DEVICES.length - 1 });
const slot = fc.nat({ max: SLOTS - 1 });
const kind = <K extends string>(name: K) => fc.constant(name);
const any = fc.nat({ max: 1000 });

const STEP = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: kind("faults"), device, count: fc.integer({ min: 1, max: 8 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: kind("storm"), device, count: fc.integer({ min: 20, max: 120 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: kind("overflow"), devices: fc.uniqueArray(device, { minLength: 1 }) }) },
  { weight: 4, arbitrary: fc.record({ kind: kind("wait"), device, isStall: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ kind: kind("answer"), which: any, how: fc.nat({ max: 5 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: kind("end"), which: any }) },
  { weight: 3, arbitrary: fc.record({ kind: kind("advance"), ms: fc.nat({ max: 200 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: kind("claim"), device, slot }) },
  { weight: 2, arbitrary: fc.record({ kind: kind("release"), device, isLeft: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: kind("subscribe"),
      slot: fc.option(slot, { nil: undefined }),
      pace: fc.constantFrom("prompt" as const, "slow" as const, "napping" as const, "stuck" as const),
      after: fc.option(any, { nil: undefined }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: kind("resubscribe"), which: any }) },
  { weight: 4, arbitrary: fc.record({ kind: kind("sip"), which: any }) },
  { weight: 1, arbitrary: fc.record({ kind: kind("list"), slot: fc.option(slot, { nil: undefined }), size: any }) },
  { weight: 1, arbitrary: fc.record({ kind: kind("flush") }) },
  { weight: 1, arbitrary: fc.record({ kind: kind("restart"), part: fc.double({ min: 0, max: 1, noNaN: true }) }) },
);
type Step = typeof STEP extends fc.Arbitrary<infer T> ? T : never;

const SETTINGS = fc.record({
  ring: fc.integer({ min: 16, max: 40 }),
  batch: fc.integer({ min: 1, max: 12 }),
  total: fc.integer({ min: 40, max: 150 }),
  perSecond: fc.constantFrom(0, 0, 100, 2000),
  isDiskQuick: fc.boolean(),
});
type Settings = typeof SETTINGS extends fc.Arbitrary<infer T> ? T : never;

/** napping: wakes up when something waits for an answer, and reads all there is. */
type Pace = "prompt" | "slow" | "napping" | "stuck";

class Run {
  readonly #settings: Settings;
  readonly #limits: Partial<CoreLimits>;
  readonly #model = new FaultModel();
  readonly #paces = new Map<Witness, Pace>();
  #world: FaultWorld;
  #sessions: string[];
  #cookie = 0;
  #names = 0;
  /** Of this life of the daemon. */
  #pendings = 0;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#limits = {
      faultRingEventsMax: settings.ring,
      faultBatchEventsMax: settings.batch,
      faultHistoryEventsTotalMax: settings.total,
      faultEventsPerSecond: settings.perSecond,
      faultResponseMs: RESPONSE_MS,
      faultStreamsPerSessionMax: 1000,
      faultObserversMax: 1000,
    };
    this.#world = new FaultWorld({ limits: this.#limits });
    this.#world.isDiskQuick = settings.isDiskQuick;
    this.#sessions = this.#open();
    for (const [index, id] of DEVICES.entries()) if (index < 3) this.#claim(id, index % SLOTS);
    this.#subscribe(0, "prompt", undefined);
    this.#subscribe(undefined, "prompt", undefined);
  }

  async step(step: Step): Promise<void> {
    await this.#do(step);
    await this.#settle();
  }

  /** Everybody reads all there is; nothing may be left. */
  async end(): Promise<void> {
    this.#world.isDiskQuick = true;
    this.#world.flush();
    this.#advance(150); // longer than a run of held-back events is kept
    await turn();
    for (const witness of this.#paces.keys()) witness.reach();
    await this.#settle();
    await turn();
    for (const witness of this.#paces.keys()) {
      witness.check(false);
      witness.checkComplete();
    }
  }

  async #settle(): Promise<void> {
    await turn();
    for (const [witness, pace] of this.#paces) {
      if (pace === "prompt") witness.reach();
      else if (pace === "slow") await witness.sip();
    }
    await turn();
    for (const witness of this.#paces.keys()) witness.check(this.#settings.isDiskQuick);
    this.#checkBounds();
  }

  #checkBounds(): void {
    const { held, pending, resolutions } = this.#world.router.census();
    const waiting = [...this.#model.pendings()].filter(({ pending: { outcome } }) => outcome === undefined);
    expect(["pending", pending]).toEqual(["pending", waiting.length]);
    const { ring, total } = this.#settings;
    expect(["held", held, held <= Math.max(total, waiting.length)]).toEqual(["held", held, true]);
    expect(["held", held, held <= ring * DEVICES.length]).toEqual(["held", held, true]);
    const over = Object.values(resolutions).reduce((sum, count) => sum + count, 0);
    expect(["resolutions", over]).toEqual(["resolutions", this.#pendings - waiting.length]);
  }

  async #do(step: Step): Promise<void> {
    switch (step.kind) {
      case "faults":
        return this.#faults(DEVICES[step.device]!, step.count, 3);
      case "storm":
        return await this.#storm(DEVICES[step.device]!, step.count);
      case "overflow": {
        const devices = step.devices.map((index) => DEVICES[index]!);
        this.#world.router.record({ kind: "overflow", devices });
        for (const id of devices) this.#model.add(id, undefined);
        return;
      }
      case "wait":
        this.#wait(DEVICES[step.device]!, step.isStall ? "stall" : "page-request");
        return await this.#wakeNapping();
      case "answer":
        return await this.#answer(step.which, step.how);
      case "end": {
        const truth = this.#waiting(step.which);
        if (truth === undefined) return;
        this.#over(truth, "stage-changed");
        return this.#world.end(truth.device, truth.pending.cookie);
      }
      case "advance":
        return this.#advance(step.ms);
      case "claim":
        if (this.#model.of(DEVICES[step.device]!).owner === undefined) this.#claim(DEVICES[step.device]!, step.slot);
        return;
      case "release":
        return this.#release(DEVICES[step.device]!, step.isLeft);
      case "subscribe":
        return this.#subscribe(step.slot, step.pace, step.after);
      case "resubscribe":
        return this.#resubscribe(step.which);
      case "sip":
        await [...this.#paces.keys()].at(step.which % Math.max(1, this.#paces.size))?.sip();
        return;
      case "list":
        return await this.#list(step.slot, 1 + (step.size % 9));
      case "flush":
        return this.#world.flush();
      case "restart":
        return this.#restart(step.part);
    }
  }

  #open(): string[] {
    return Array.from({ length: SLOTS }, (_, index) => this.#world.open(`client ${index}`));
  }

  #faults(id: DeviceID, count: number, pages: number): void {
    for (let index = 0; index < count; index += 1) {
      const inputAddress = BigInt((index % pages) * 4096 + index);
      const fault = faultOf(id, { inputAddress, type: index % 5 === 4 ? "F_PERMISSION" : "F_TRANSLATION" });
      this.#world.router.record({ kind: "fault", fault });
      this.#model.add(id, fault);
    }
  }

  /** A prompt reader keeps up as long as it gets its turns. */
  async #storm(id: DeviceID, count: number): Promise<void> {
    for (let left = count; left > 0; left -= 8) {
      this.#faults(id, Math.min(left, 8), 20);
      this.#world.clock.advance(0);
      await this.#settle();
    }
  }

  #wait(id: DeviceID, type: "stall" | "page-request"): void {
    this.#cookie += 1;
    const cookie = this.#cookie;
    const pending = type === "stall" ? stallOf(cookie) : pageRequestOf(cookie);
    const fault = faultOf(id, { pending });
    const isOwned = this.#model.of(id).owner !== undefined;
    const hasRoom = [...this.#model.pendings(id)].filter((one) => one.pending.outcome === undefined).length;
    this.#world.waiting.add(`${id} ${cookie}`);
    this.#world.router.record({ kind: "fault", fault });
    if (!isOwned) return;
    const isFull = hasRoom >= this.#settings.ring;
    const truth: PendingTruth = {
      cookie,
      kind: type,
      deadlineMs: this.#world.clock.nowMs + RESPONSE_MS,
      outcome: isFull ? "timed-out" : undefined,
    };
    this.#pendings += 1;
    this.#model.add(id, fault, truth);
  }

  async #wakeNapping(): Promise<void> {
    await turn();
    for (const [witness, pace] of this.#paces) {
      for (let sips = 0; pace === "napping" && sips < 40 && (await witness.sip()); sips += 1);
    }
  }

  #waiting(which: number): (Truth & { readonly pending: PendingTruth }) | undefined {
    const all = [...this.#model.pendings()].filter(({ pending }) => pending.outcome === undefined);
    return all[which % Math.max(1, all.length)];
  }

  #over({ pending }: { readonly pending: PendingTruth }, outcome: string): void {
    expect(["two ends", pending.cookie, pending.outcome]).toEqual(["two ends", pending.cookie, undefined]);
    pending.outcome = outcome;
  }

  /** @param how  rightly; twice at once; as another; by a wrong word; while the hardware fails; while it ends it */
  async #answer(which: number, how: number): Promise<void> {
    const truth = this.#waiting(which);
    if (truth === undefined) return;
    const { router } = this.#world;
    const token = this.#tokenOf(truth);
    if (token === undefined) return; // pushed aside, or not on the disk yet
    const mine = this.#sessions[truth.owner]!;
    const answer: FaultAnswer = truth.pending.kind === "stall" ? "retry" : "success";
    const codeOf = async (session: string, word: FaultAnswer): Promise<string> =>
      (await refusal(() => router.respond(session, { token, answer: word }))).code;
    switch (how) {
      case 1: {
        const both = await Promise.allSettled([1, 2].map(() => router.respond(mine, { token, answer })));
        expect(both.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
        return this.#over(truth, "answered");
      }
      case 2: {
        const other = this.#sessions[(truth.owner + 1) % SLOTS]!;
        expect(await codeOf(other, answer)).toBe("fault_not_pending");
        return;
      }
      case 3:
        expect(await codeOf(mine, truth.pending.kind === "stall" ? "success" : "abort")).toBe("argument_invalid");
        return;
      case 4:
        this.#world.failure = new BrokerError("backend_failed", "on purpose");
        expect(await codeOf(mine, answer)).toBe("backend_failed");
        return;
      case 5: {
        const code = codeOf(mine, answer);
        this.#world.end(truth.device, truth.pending.cookie);
        expect(await code).toBe("fault_not_pending");
        return this.#over(truth, "stage-changed");
      }
      default:
        expect(await router.respond(mine, { token, answer })).toEqual({
          device: truth.device,
          sequence: truth.sequence,
        });
        this.#over(truth, "answered");
        expect(await codeOf(mine, answer)).toBe("fault_not_pending");
    }
  }

  /** As its owner finds it. What waits is never pushed out, so it is there. */
  #tokenOf({ device: id, owner, sequence }: Truth): string | undefined {
    const events = this.#page(owner, 1000, "").events;
    const found = events.find((event) => event.fault.device === id && event.sequence === sequence);
    if (this.#settings.isDiskQuick) expect([id, sequence, found !== undefined]).toEqual([id, sequence, true]);
    return found?.response?.token;
  }

  #advance(ms: number): void {
    this.#world.clock.advance(ms);
    const { nowMs } = this.#world.clock;
    for (const truth of this.#model.pendings()) {
      if (truth.pending.outcome === undefined && truth.pending.deadlineMs <= nowMs) this.#over(truth, "timed-out");
    }
  }

  #claim(id: DeviceID, owner: number): void {
    this.#world.give(id, this.#sessions[owner]!);
    this.#model.claim(id, owner);
  }

  /** @param isLeft  the hardware ends what waits before the device has left */
  #release(id: DeviceID, isLeft: boolean): void {
    const truth = this.#model.of(id);
    if (truth.owner === undefined) return;
    this.#world.router.leave(id);
    for (const one of this.#model.pendings(id)) {
      if (one.pending.outcome !== undefined) continue;
      this.#over(one, "owner-gone");
      if (isLeft) this.#world.end(id, one.pending.cookie);
    }
    this.#world.takeBack(id);
    truth.owner = undefined;
  }

  #subscribe(owner: number | undefined, pace: Pace, after: number | undefined): void {
    if (this.#paces.size >= 24) return;
    const entries = after === undefined ? [] : DEVICES.map((id) => [id, BigInt(after % 60)] as const);
    this.#watch(owner, pace, new Map(entries), true);
  }

  #resubscribe(which: number): void {
    const [witness, pace] = [...this.#paces].at(which % Math.max(1, this.#paces.size)) ?? [];
    if (witness === undefined || pace === undefined) return;
    const positions = witness.subscription.positions(DEVICES.length);
    witness.checkPositions(positions);
    witness.subscription.close();
    this.#paces.delete(witness);
    if (which % 2 === 0) {
      this.#watch(witness.slot, pace, new Map([...witness.seen].map(([id, last]) => [id, BigInt(last)])));
      return;
    }
    // As a client does that lost its connection: what has no position starts with 0.
    const fromStart = DEVICES.map((id) => [id, BigInt(positions.get(id) ?? witness.seen.get(id) ?? 0)] as const);
    const named = fromStart.filter(([, after]) => after > 0n);
    this.#watch(witness.slot, pace, new Map(fromStart), false, { resumeAfter: new Map(named), fromStart: true });
  }

  /** @param asked  the same in other words */
  #watch(
    owner: number | undefined,
    pace: Pace,
    resumeAfter: ReadonlyMap<DeviceID, bigint>,
    isMidway = false,
    asked: Omit<FaultWatchRequest, "devices"> = { resumeAfter },
  ): void {
    const session = owner === undefined ? undefined : this.#sessions[owner];
    const subscription = this.#world.router.subscribe(session, { devices: [], ...asked });
    this.#names += 1;
    const name = `${pace} ${owner === undefined ? "observer" : `owner ${owner}`} ${this.#names}`;
    const isPrompt = pace === "prompt" && resumeAfter.size === 0;
    const known = { model: this.#model, devices: DEVICES, resumeAfter, isMidway };
    const witness = new Witness({ name, slot: owner, subscription, isPrompt, ...known });
    this.#paces.set(witness, pace);
  }

  #page(owner: number | undefined, pageSize: number, pageToken: string) {
    const session = owner === undefined ? undefined : this.#sessions[owner];
    return this.#world.router.list(session, { devices: [], types: [], pageSize, pageToken });
  }

  /** Page by page while events come and go: newest first, none twice, and none left out that is there all the time. */
  async #list(owner: number | undefined, size: number): Promise<void> {
    const upTo = this.#model.serial;
    const listed: SequencedFault[] = [];
    let token = "";
    for (;;) {
      const page = this.#page(owner, size, token);
      expect(page.events.length).toBeLessThanOrEqual(size);
      listed.push(...page.events);
      token = page.nextPageToken;
      if (token === "") break;
      this.#faults(DEVICES[listed.length % DEVICES.length]!, 2, 3);
      await this.#settle();
    }
    const serials = listed.map((event) => this.#truthOf(event).serial);
    expect(serials).toEqual([...new Set(serials)].sort((a, b) => b - a));
    for (const event of listed) if (owner !== undefined) expect(this.#truthOf(event).owner).toBe(owner);
    const still = this.#page(owner, 1000, "").events.filter((event) => this.#truthOf(event).serial <= upTo);
    if (this.#settings.isDiskQuick) expect(still.filter((event) => !listed.includes(event))).toEqual([]);
  }

  #truthOf({ fault, sequence }: SequencedFault): Truth {
    const truth = this.#model.of(fault.device).numbers.get(sequence);
    expect(truth?.fault).toBe(fault);
    return truth!;
  }

  /** The daemon dies; of what was not promised the journal has the first part. Clients come back and resume. */
  #restart(part: number): void {
    const before = this.#world;
    const open = before.noted.length - before.durableCount;
    before.durableCount += Math.floor(open * part);
    const { faultNumbers } = foldRecords(before.onDisk());
    this.#world = new FaultWorld({ limits: this.#limits, after: before });
    this.#world.isDiskQuick = this.#settings.isDiskQuick;
    this.#sessions = this.#open();
    this.#pendings = 0;
    const witnesses = [...this.#paces];
    this.#paces.clear();
    for (const id of DEVICES) {
      const reserved = faultNumbers.get(id) ?? 0;
      for (const [witness] of witnesses) {
        const told = witness.seen.get(id) ?? 0;
        if (witness.slot === undefined || this.#model.of(id).owner === witness.slot) {
          expect([id, "told", told, "reserved", told <= reserved]).toEqual([id, "told", told, "reserved", true]);
        }
      }
      this.#model.restart(id, reserved);
      const { owner } = this.#model.of(id);
      if (owner !== undefined) this.#world.give(id, this.#sessions[owner]!, "restored");
    }
    for (const [witness, pace] of witnesses) {
      this.#watch(witness.slot, pace, new Map([...witness.seen].map(([id, last]) => [id, BigInt(last)])));
    }
  }
}

test(`what subscribers are told and what is recorded are the same, in ${CASES} runs (seed ${SEED})`, async () => {
  const property = fc.asyncProperty(
    SETTINGS,
    fc.array(STEP, { minLength: 20, maxLength: 80, size: "max" }),
    async (settings, steps) => {
      const run = new Run(settings);
      for (const step of steps) await run.step(step);
      await run.end();
    },
  );
  await fc.assert(property, { numRuns: CASES, seed: SEED });
}, 600_000);
