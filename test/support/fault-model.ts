// What subscribers must be told of faults, in books of their own: nothing here looks into the router.
// A device's numbers and what stands behind each; for every subscriber what it was told. Numbers of a subscriber that are
// neither told nor in a gap, told twice, out of order or another's are found here.

import { expect } from "vitest";
import type { FaultRecord } from "../../src/backends/faults.ts";
import type { DeviceID } from "../../src/backends/ids.ts";
import type { FaultBatch, FaultEntry, FaultGap, FaultSubscription } from "../../src/server/core/fault-verbs.ts";
import { entriesOf, wordsOf } from "./faults.ts";

/** What stands behind a number. */
export interface Truth {
  readonly device: DeviceID;
  readonly sequence: number;
  /** Counts the numbers of all devices. */
  readonly serial: number;
  /** Slot of the session that owned the device. */
  readonly owner: number;
  /** Undefined: the hardware lost events here. */
  readonly fault: FaultRecord | undefined;
  readonly pending: PendingTruth | undefined;
}

export interface PendingTruth {
  readonly cookie: number;
  readonly kind: "stall" | "page-request";
  deadlineMs: number;
  outcome: string | undefined;
}

interface DeviceTruth {
  readonly numbers: Map<number, Truth>;
  base: number;
  last: number;
  owner: number | undefined;
  /** The last number before the present owner's. */
  ownerAfter: number;
}

export class FaultModel {
  readonly #devices = new Map<DeviceID, DeviceTruth>();
  #serial = 0;

  of(device: DeviceID): DeviceTruth {
    const found = this.#devices.get(device);
    if (found !== undefined) return found;
    const fresh: DeviceTruth = { numbers: new Map(), base: 0, last: 0, owner: undefined, ownerAfter: 0 };
    this.#devices.set(device, fresh);
    return fresh;
  }

  get serial(): number {
    return this.#serial;
  }

  add(device: DeviceID, fault: FaultRecord | undefined, pending?: PendingTruth): void {
    const truth = this.of(device);
    if (truth.owner === undefined) return;
    truth.last += 1;
    this.#serial += 1;
    const { last: sequence, owner } = truth;
    truth.numbers.set(sequence, { device, sequence, serial: this.#serial, owner, fault, pending });
  }

  claim(device: DeviceID, owner: number): void {
    const truth = this.of(device);
    truth.owner = owner;
    truth.ownerAfter = truth.last;
  }

  /** Numbers go on behind what the disk says was reserved; what was before is known to nobody. */
  restart(device: DeviceID, reserved: number): void {
    const truth = this.of(device);
    truth.numbers.clear();
    truth.base = reserved;
    truth.last = reserved;
    truth.ownerAfter = 0;
  }

  /** Everything that waits or waited, and how it ended. */
  *pendings(device?: DeviceID): Generator<Truth & { readonly pending: PendingTruth }> {
    for (const [id, { numbers }] of this.#devices) {
      if (device !== undefined && id !== device) continue;
      for (const truth of numbers.values()) if (truth.pending !== undefined) yield { ...truth, pending: truth.pending };
    }
  }
}

/** One subscriber, and what it was told. */
export class Witness {
  readonly name: string;
  /** Undefined: an observer. */
  readonly slot: number | undefined;
  readonly subscription: FaultSubscription;
  /** Reads whenever there is something: it must lose nothing. */
  readonly isPrompt: boolean;
  /** Up to where it was told, or began. */
  readonly told = new Map<DeviceID, number>();
  /** The last numbers that it has seen, with which it would resume. */
  readonly seen = new Map<DeviceID, number>();
  hasEnded = false;
  readonly #model: FaultModel;
  readonly #open = new Set<Truth>();
  readonly #closed = new Set<Truth>();
  /** Devices of which nothing came yet, after a number that may lie within a gap. */
  readonly #midway = new Set<DeviceID>();
  /** Numbers between what it asked to resume after and its own present ownership. */
  readonly #foreign = new Map<DeviceID, { readonly first: number; readonly last: number }>();
  readonly #batches: FaultBatch[] = [];
  #wait: Promise<void> | undefined;

  constructor(
    options: Pick<Witness, "name" | "slot" | "subscription" | "isPrompt"> & {
      model: FaultModel;
      devices: readonly DeviceID[];
      resumeAfter: ReadonlyMap<DeviceID, bigint>;
      /** The numbers are of nobody's experience. */
      isMidway: boolean;
    },
  ) {
    const { devices, isMidway, isPrompt, model, name, resumeAfter, slot, subscription } = options;
    this.name = name;
    this.slot = slot;
    this.subscription = subscription;
    this.isPrompt = isPrompt;
    this.#model = model;
    for (const device of devices) {
      if (isMidway) this.#midway.add(device);
      const { last, owner, ownerAfter } = model.of(device);
      const asked = resumeAfter.get(device);
      const after = asked !== undefined && asked > BigInt(last) ? 0n : asked; // no event has had it: from the start
      const isVisible = slot === undefined || owner === slot;
      if (after === undefined || !isVisible) this.told.set(device, last);
      else {
        const start = slot === undefined ? 0 : ownerAfter;
        this.told.set(device, Math.max(Number(after), start));
        if (after > 0n && after < start) this.#foreign.set(device, { first: Number(after) + 1, last: start });
      }
      if (after !== undefined && !isMidway) this.seen.set(device, Number(after));
    }
  }

  /** Asks for more; what comes is noted, and checked by check(). */
  reach(): void {
    if (this.hasEnded) return;
    this.#wait ??= this.subscription.next().then((batch) => {
      this.#wait = undefined;
      if (batch === undefined) this.hasEnded = true;
      else {
        this.#batches.push(batch);
        this.reach();
      }
    });
  }

  /** Takes one batch, as a slow reader does. @returns whether there was one */
  async sip(): Promise<boolean> {
    const before = this.#batches.length;
    this.#wait ??= this.subscription.next().then((batch) => {
      this.#wait = undefined;
      if (batch === undefined) this.hasEnded = true;
      else this.#batches.push(batch);
    });
    await Promise.race([this.#wait, new Promise((resolve) => setImmediate(resolve))]);
    return this.#batches.length > before;
  }

  check(isDiskQuick: boolean): void {
    for (const batch of this.#batches.splice(0)) {
      for (const { segment } of batch.slices) {
        expect(Object.isFrozen(segment)).toBe(true);
        expect(segment.entries.every((entry) => Object.isFrozen(entry))).toBe(true);
      }
      for (const gap of batch.gaps) {
        if (this.isPrompt && isDiskQuick) expect([this.name, gap.reason]).not.toEqual([this.name, "ring-overrun"]);
        this.#midway.delete(gap.device); // its own gaps begin where it asked
        this.#gap(gap);
      }
      for (const entry of entriesOf(batch)) this.#entry(entry);
    }
  }

  /** Neither behind what it was told, nor before what it was not. All that it was given has been checked. */
  checkPositions(positions: ReadonlyMap<DeviceID, number>): void {
    for (const [device, position] of positions) {
      const next = this.#next(device, this.told.get(device) ?? 0);
      const isRight = position >= (this.seen.get(device) ?? 0) && (next === undefined || position < next);
      expect([this.name, device, "at", position, isRight]).toEqual([this.name, device, "at", position, true]);
    }
  }

  /** Nothing is on its way any more. */
  checkComplete(): void {
    for (const [device, last] of this.told) {
      const next = this.#next(device, last);
      expect([this.name, device, "was not told", next]).toEqual([this.name, device, "was not told", undefined]);
    }
    expect([this.name, "was not told", [...this.#foreign]]).toEqual([this.name, "was not told", []]);
    for (const { device, pending, sequence } of this.#open) {
      const what = `${this.name}: the end of ${device}#${sequence}`;
      expect([what, pending?.outcome]).toEqual([what, undefined]);
    }
  }

  #entry(entry: FaultEntry): void {
    if (entry.kind === "gap") this.#gap(entry);
    else if (entry.kind === "resolution") {
      const truth = this.#model.of(entry.device).numbers.get(entry.sequence);
      expect([this.name, wordsOf(entry)]).toEqual([
        this.name,
        `${entry.device}#${entry.sequence} ${truth?.pending?.outcome}`,
      ]);
      if (truth === undefined) return;
      expect([this.name, wordsOf(entry), "twice", this.#closed.has(truth)]).toEqual([
        this.name,
        wordsOf(entry),
        "twice",
        false,
      ]);
      this.#closed.add(truth);
      this.#open.delete(truth);
    } else {
      const { fault, sequence } = entry;
      const { device } = fault;
      expect([this.name, device, sequence]).toEqual([
        this.name,
        device,
        this.#next(device, this.told.get(device) ?? 0),
      ]);
      const truth = this.#model.of(device).numbers.get(sequence);
      expect(truth?.fault).toBe(fault);
      this.told.set(device, sequence);
      this.seen.set(device, sequence);
      this.#midway.delete(device);
      expect([sequence, entry.response !== undefined]).toEqual([sequence, truth?.pending !== undefined]);
      if (truth?.pending !== undefined && !this.#closed.has(truth)) this.#open.add(truth);
    }
  }

  #gap(gap: FaultGap): void {
    const { device, first, last, reason } = gap;
    const what = `${this.name} ${wordsOf(gap)}`;
    const { base, numbers } = this.#model.of(device);
    const foreign = this.#foreign.get(device);
    if (foreign !== undefined && reason === "released" && first === foreign.first) {
      this.#foreign.delete(device);
      expect([what, gap.count, last >= foreign.last]).toEqual([what, 0, true]);
      this.told.set(device, last);
      this.seen.set(device, last);
      return;
    }
    const told = this.told.get(device) ?? 0;
    const next = this.#next(device, told);
    const isMidway = this.#midway.delete(device) && next !== undefined && first <= next && last >= next;
    if (!isMidway) expect([what, first, last >= first]).toEqual([what, next, true]);
    this.told.set(device, last);
    this.seen.set(device, last);
    if (reason === "restart") {
      expect([what, last, gap.count]).toEqual([what, base, 0]);
      return;
    }
    const mine: Truth[] = [];
    for (let number = first; number <= last; number += 1) {
      const truth = numbers.get(number);
      if (truth !== undefined && (this.slot === undefined || truth.owner === this.slot)) mine.push(truth);
    }
    expect([what, mine.at(-1)?.sequence]).toEqual([what, last]);
    expect([what, gap.count]).toEqual([what, reason === "hardware-overflow" ? 0 : mine.length]);
    const waiting = mine.filter(({ pending }) => pending !== undefined && pending.outcome === undefined);
    expect([what, "still waits", waiting.map(({ sequence }) => sequence)]).toEqual([what, "still waits", []]);
    if (reason === "hardware-overflow") expect([what, mine.map(({ fault }) => fault)]).toEqual([what, [undefined]]);
    if (reason === "rate-limit") checkSummary(what, gap, mine);
    else expect(gap.suppressed).toEqual([]);
  }

  /** The next number that is this reader's to know. */
  #next(device: DeviceID, after: number): number | undefined {
    const { base, last, numbers } = this.#model.of(device);
    if (after < base) return after + 1;
    for (let number = after + 1; number <= last; number += 1) {
      if (this.slot === undefined || numbers.get(number)?.owner === this.slot) return number;
    }
    return undefined;
  }
}

function checkSummary(what: string, { suppressed }: FaultGap, mine: readonly Truth[]): void {
  expect([what, mine.filter(({ fault, pending }) => fault === undefined || pending !== undefined)]).toEqual([what, []]);
  const kinds = new Map<string, number[]>();
  for (const { fault, sequence } of mine) {
    const key = `${fault?.type} ${(fault?.inputAddress ?? 0n) / 4096n}`;
    kinds.set(key, [...(kinds.get(key) ?? []), sequence]);
  }
  const expected = [...kinds]
    .slice(0, 16)
    .map(([key, sequences]) => [key, sequences.length, sequences[0], sequences.at(-1)]);
  const told = suppressed.slice(0, 16).map(({ count, first, last, page, type }) => {
    return [`${type} ${(page ?? 0n) / 4096n}`, count, first, last];
  });
  expect([what, told]).toEqual([what, expected]);
  const rest = [...kinds].slice(16).flatMap(([, sequences]) => sequences);
  expect([what, suppressed.slice(16).map(({ count, type }) => [type, count])]).toEqual([
    what,
    rest.length === 0 ? [] : [[undefined, rest.length]],
  ]);
}
