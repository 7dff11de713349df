// What one reader of WatchFaults got, counted and checked as it comes: of each device every number must come once, in order,
// as an event or within a gap. Events and gaps of one message are in lists of their own and are put in order here.

import type { iommubroker } from "../../src/server/rpc/codec.ts";

type Message = iommubroker.v1.WatchFaultsResponse;

/** Of one device. */
export interface DeviceTally {
  /** The last number that was told. */
  through: number;
  events: number;
  /** Numbers within gaps, by FaultGapReason. */
  readonly gaps: Record<number, number>;
}

interface Told {
  readonly device: string;
  readonly first: number;
  readonly last: number;
  /** Undefined: an event. */
  readonly reason: number | undefined;
}

export class FaultTally {
  readonly devices: Record<string, DeviceTally> = {};
  messages = 0;
  bytes = 0;
  readonly #after: Readonly<Record<string, number>>;

  /** @param after  the last number of each device before the first that is to come; 0 where none is named */
  constructor(after: Readonly<Record<string, number>>) {
    this.#after = after;
  }

  /** @throws Error  a number is missing, or came before */
  take({ events, gaps }: Message): void {
    if (gaps.length === 0) {
      for (const { device, sequence } of events) this.#event(this.#of(device), device, Number(sequence));
      return;
    }
    const told: Told[] = events.map(({ device, sequence }) => {
      return { device, first: Number(sequence), last: Number(sequence), reason: undefined };
    });
    for (const { device, first, last, reason } of gaps) {
      told.push({ device, first: Number(first), last: Number(last), reason });
    }
    for (const each of told.sort((a, b) => a.first - b.first)) this.#take(each);
  }

  #take({ device, first, last, reason }: Told): void {
    const tally = this.#of(device);
    if (reason === undefined) {
      this.#event(tally, device, first);
      return;
    }
    if (first !== tally.through + 1 || last < first) {
      throw broken(device, tally.through, `a gap of ${first} to ${last}`);
    }
    tally.gaps[reason] = (tally.gaps[reason] ?? 0) + last - first + 1;
    tally.through = last;
  }

  #event(tally: DeviceTally, device: string, sequence: number): void {
    if (sequence !== tally.through + 1) throw broken(device, tally.through, `event ${sequence}`);
    tally.through = sequence;
    tally.events += 1;
  }

  #of(device: string): DeviceTally {
    const known = this.devices[device];
    if (known !== undefined) return known;
    const fresh = { through: this.#after[device] ?? 0, events: 0, gaps: {} };
    this.devices[device] = fresh;
    return fresh;
  }
}

function broken(device: string, through: number, found: string): Error {
  return new Error(`${device}: ${found} comes after number ${through}`);
}
