// Numbers of events, reserved in the journal in blocks before one of them is told: a daemon that restarts goes on behind
// what it had reserved, so no number ever stands for two events, also of a device that was removed and comes back.
// The next block is reserved at half of the present one, so that nobody waits for the disk.

import { type DeviceID, deviceID } from "../../backends/ids.ts";
import type { DurableRecord } from "./durable.ts";
import type { Journal } from "./ports.ts";

export const NUMBER_BLOCK = 4096;
/** Devices that nobody has had since they were removed or since the start whose marks are kept, each for itself. */
export const IDLE_MAX = 4096;

/** Of one device. */
export interface Reservation {
  readonly device: DeviceID;
  /** Numbers up to here are of earlier lives of the daemon, or of the device before it was removed. */
  readonly base: number;
  /** Noted: numbers up to here may be used. */
  reserved: number;
  /** On the disk: numbers up to here may be told. */
  durable: number;
}

export class FaultNumbers {
  readonly #journal: Pick<Journal, "durable">;
  readonly #onDurable: (reservation: Reservation) => void;
  readonly #idleMax: number;
  readonly #reservations = new Map<DeviceID, Reservation>();
  /** Of #reservations, those that nobody uses; the one that has been idle the longest is first. */
  readonly #idle = new Set<DeviceID>();
  /** A device of which nothing is known goes on behind this number: marks that were forgotten are below. */
  #floor = 0;
  #listener: (records: readonly DurableRecord[]) => void = () => {};

  constructor(
    journal: Pick<Journal, "durable">,
    onDurable: (reservation: Reservation) => void,
    idleMax: number = IDLE_MAX,
  ) {
    this.#journal = journal;
    this.#onDurable = onDurable;
    this.#idleMax = idleMax;
  }

  /** One listener for what shall outlive the daemon: the recorder. */
  onChange(listener: (records: readonly DurableRecord[]) => void): void {
    this.#listener = listener;
  }

  durable(): readonly DurableRecord[] {
    const floor: DurableRecord[] = this.#floor === 0 ? [] : [{ type: "faultNumberFloor", value: this.#floor }];
    const marks = [...this.#reservations.values()].filter(({ reserved }) => reserved > 0);
    return [...floor, ...marks.map(recordOf)];
  }

  /** Of which numbers may have been told. */
  devices(): readonly DeviceID[] {
    return [...this.#reservations.keys()];
  }

  /** What earlier lives of the daemon had reserved: before anything else. */
  restore(reserved: ReadonlyMap<string, number>, floor = 0): void {
    this.#floor = floor;
    for (const [name, mark] of reserved) this.#rest(deviceID(name), mark);
  }

  /** From now on changes are noted: what was reserved meanwhile is noted again. */
  begin(): void {
    if (this.#floor > 0) this.#listener([{ type: "faultNumberFloor", value: this.#floor }]);
    for (const reservation of this.#reservations.values()) {
      if (reservation.reserved === reservation.base) continue;
      reservation.durable = reservation.base;
      this.#listener([recordOf(reservation)]);
      this.#settle(reservation);
    }
  }

  of(device: DeviceID): Reservation {
    this.#idle.delete(device);
    const found = this.#reservations.get(device);
    if (found !== undefined) return found;
    const floor = this.#floor;
    const fresh: Reservation = { device, base: floor, reserved: floor, durable: floor };
    this.#reservations.set(device, fresh);
    return fresh;
  }

  /** Sees to it that there are numbers behind `used`. */
  reserve(reservation: Reservation, used: number): void {
    if (used + NUMBER_BLOCK / 2 <= reservation.reserved) return;
    reservation.reserved = used + NUMBER_BLOCK;
    this.#listener([recordOf(reservation)]);
    this.#settle(reservation);
  }

  /** The device is gone; one that comes back under its name goes on behind what was reserved. */
  retire(device: DeviceID): void {
    const reserved = this.#reservations.get(device)?.reserved ?? 0;
    this.#reservations.delete(device);
    if (reserved > this.#floor) this.#rest(device, reserved);
  }

  #rest(device: DeviceID, mark: number): void {
    this.#reservations.set(device, { device, base: mark, reserved: mark, durable: mark });
    this.#idle.add(device);
    for (const oldest of this.#idle) {
      if (this.#idle.size <= this.#idleMax) break;
      this.#idle.delete(oldest);
      const forgotten = this.#reservations.get(oldest)?.reserved ?? 0;
      this.#reservations.delete(oldest);
      if (forgotten <= this.#floor) continue;
      this.#floor = forgotten;
      this.#listener([{ type: "faultNumberFloor", value: forgotten }]);
    }
  }

  #settle(reservation: Reservation): void {
    const { reserved } = reservation;
    const done = (): void => {
      if (reservation.durable >= reserved) return;
      reservation.durable = reserved;
      this.#onDurable(reservation);
    };
    // A journal that fails tells the daemon itself; what is not durable is never told.
    Promise.resolve(this.#journal.durable()).then(done, () => {});
  }
}

function recordOf({ device, reserved }: Reservation): DurableRecord {
  return { type: "faultNumbers", id: device, value: reserved };
}
