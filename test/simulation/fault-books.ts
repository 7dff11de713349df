// The simulation's books of faults: who owned a device when its fault left the backend, and how many there were. What a
// session's subscription delivers, as events or as gaps, must add up to that, and be its own.

import { expect } from "vitest";
import { BrokerError } from "../../src/backends/errors.ts";
import type { FaultNotice, FaultRecord } from "../../src/backends/faults.ts";
import type { DeviceID } from "../../src/backends/ids.ts";
import type { Core } from "../../src/server/core/core.ts";
import type { FaultBatch, FaultSubscription } from "../../src/server/core/fault-verbs.ts";
import { entriesOf } from "../support/faults.ts";
import { turn } from "../support/host.ts";

interface Reader {
  readonly core: Core;
  readonly subscription: FaultSubscription;
  readonly taken: Map<DeviceID, number>;
  readonly last: Map<DeviceID, number>;
  pending: Promise<void> | undefined;
  batches: FaultBatch[];
  hasEnded: boolean;
}

export class FaultBooks {
  /** Who owned the device when its fault left the backend. */
  readonly #ownerAt = new WeakMap<FaultRecord, string | undefined>();
  /** Faults and overflow marks by session and device since the session's reader began. */
  readonly #recorded = new Map<string, Map<DeviceID, number>>();
  /** By session. */
  readonly #readers = new Map<string, Reader>();

  /** The broker died: its streams are gone, and its sequences begin anew. */
  restart(): void {
    this.#recorded.clear();
    this.#readers.clear();
  }

  /** Where the policy lets it. */
  subscribe(core: Core, session: string): void {
    this.#recorded.delete(session);
    this.#readers.delete(session);
    try {
      const subscription = core.faults.subscribe(session, { devices: [], resumeAfter: new Map() });
      const empty = { pending: undefined, batches: [], hasEnded: false };
      this.#readers.set(session, { core, subscription, taken: new Map(), last: new Map(), ...empty });
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
    }
  }

  note(core: Core, notice: FaultNotice): void {
    if (notice.kind === "ended") return;
    const devices = notice.kind === "fault" ? [notice.fault.device] : notice.devices;
    for (const device of devices) {
      const owner = core.devices.get(device).owner?.id;
      if (notice.kind === "fault") this.#ownerAt.set(notice.fault, owner);
      if (owner === undefined) continue;
      const books = this.#recorded.get(owner) ?? new Map<DeviceID, number>();
      this.#recorded.set(owner, books.set(device, (books.get(device) ?? 0) + 1));
    }
  }

  /** Takes what the session's subscription has, all of it, and checks each event against the books. */
  async drain(session: string): Promise<void> {
    const reader = this.#readers.get(session);
    if (reader === undefined) return;
    for (let taken = -1; taken !== reader.batches.length; ) {
      taken = reader.batches.length;
      await reader.core.durable(); // numbers that are not on the disk are not told; a broker that has died tells nothing
      reader.pending ??= reader.subscription.next().then((batch) => {
        if (batch) reader.batches.push(batch);
        reader.hasEnded = batch === undefined;
        reader.pending = undefined;
      });
      await turn();
    }
    for (const batch of reader.batches.splice(0)) this.#account(session, reader, batch);
    await reader.core.durable();
    if (reader.hasEnded || this.#readers.get(session) !== reader) return; // what it had not read went with it
    for (const [device, recorded] of this.#recorded.get(session) ?? []) {
      expect([device, reader.taken.get(device) ?? 0]).toEqual([device, recorded]);
    }
  }

  /** Devices that are gone count from 1 again, should they come back; what was told of them has been drained. */
  async forgetDevices(gone: readonly DeviceID[]): Promise<void> {
    for (const [session, { last }] of this.#readers) {
      await this.drain(session);
      for (const device of gone) last.delete(device);
    }
  }

  #account(session: string, reader: Reader, batch: FaultBatch): void {
    const count = (device: DeviceID, last: number, events: number): void => {
      expect(last).toBeGreaterThan(reader.last.get(device) ?? 0);
      reader.last.set(device, last);
      reader.taken.set(device, (reader.taken.get(device) ?? 0) + events);
    };
    for (const entry of [...batch.gaps, ...entriesOf(batch)]) {
      if (entry.kind === "gap") count(entry.device, entry.last, entry.last - entry.first + 1);
      if (entry.kind !== "event") continue;
      const { fault, sequence } = entry;
      expect([fault.device, this.#ownerAt.get(fault)]).toEqual([fault.device, session]);
      count(fault.device, sequence, 1);
    }
  }
}
