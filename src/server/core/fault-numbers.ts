// Numbers of events, reserved in the journal in blocks before one of them is told: a daemon that restarts goes on behind
// what it had reserved, so no number ever stands for two events.
// The next block is reserved at half of the present one, so that nobody waits for the disk.

import { type DeviceID, deviceID } from "../../backends/ids.ts";
import type { DurableRecord } from "./durable.ts";
import type { Journal } from "./ports.ts";

export const NUMBER_BLOCK = 4096;

/** Of one device. */
export interface Reservation {
  readonly device: DeviceID;
  /** Numbers up to here are of earlier lives of the daemon. */
  readonly base: number;
  /** Noted: numbers up to here may be used. */
  reserved: number;
  /** On the disk: numbers up to here may be told. */
  durable: number;
}

export class FaultNumbers {
  readonly #journal: Pick<Journal, "durable">;
  readonly #onDurable: (reservation: Reservation) => void;
  readonly #reservations = new Map<DeviceID, Reservation>();
  #listener: (records: readonly DurableRecord[]) => void = () => {};

  constructor(journal: Pick<Journal, "durable">, onDurable: (reservation: Reservation) => void) {
    this.#journal = journal;
    this.#onDurable = onDurable;
  }

  /** One listener for what shall outlive the daemon: the recorder. */
  onChange(listener: (records: readonly DurableRecord[]) => void): void {
    this.#listener = listener;
  }

  durable(): readonly DurableRecord[] {
    return [...this.#reservations.values()].filter(({ reserved }) => reserved > 0).map(recordOf);
  }

  /** Of which numbers may have been told. */
  devices(): readonly DeviceID[] {
    return [...this.#reservations.keys()];
  }

  /** What earlier lives of the daemon had reserved: before anything else. */
  restore(reserved: ReadonlyMap<string, number>): void {
    for (const [name, mark] of reserved) {
      const device = deviceID(name);
      this.#reservations.set(device, { device, base: mark, reserved: mark, durable: mark });
    }
  }

  /** From now on changes are noted: what was reserved meanwhile is noted again. */
  begin(): void {
    for (const reservation of this.#reservations.values()) {
      if (reservation.reserved === reservation.base) continue;
      reservation.durable = reservation.base;
      this.#listener([recordOf(reservation)]);
      this.#settle(reservation);
    }
  }

  of(device: DeviceID): Reservation {
    const found = this.#reservations.get(device);
    if (found !== undefined) return found;
    const fresh: Reservation = { device, base: 0, reserved: 0, durable: 0 };
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

  forget(device: DeviceID): void {
    this.#reservations.delete(device);
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
