// A simulated device: issues transactions, page by page, and carries the translated ones out on memory.
// Long batches yield to the event loop, so nobody waits, and yield early when the event queue is half full, so that
// the driver can drain it: events of a well-behaved test are not lost to overflow.

import { hex } from "../../spec/u64.ts";
import { BrokerError } from "../errors.ts";
import type { DeviceID } from "../ids.ts";
import type {
  DmaOutcome,
  SimulatedAccess,
  SimulatedDma,
  TransactionEnd,
  TranslationOutcome,
} from "../simulator-control.ts";
import type { MemoryMap } from "../smmuv3/memory.ts";
import { PCIE_ATTRIBUTES } from "../smmuv3/memory-type.ts";
import type { Outcome, Smmu, Transaction } from "../smmuv3/smmu.ts";
import type { EventQueueDriver } from "./eventq-driver.ts";
import type { MsiDoorbell } from "./msi-doorbell.ts";
import { EVENTS_MAX } from "./smmu-driver.ts";

/** A device's accesses do not cross this boundary: the smallest page any stage has. */
const BEAT_BYTES = 4096;
/** Transactions between two turns of the event loop. */
const TURN_TRANSACTIONS = 128;

export class DmaMaster {
  readonly #device: DeviceID;
  readonly #doorbell: MsiDoorbell;
  readonly #smmu: Smmu;
  readonly #memory: MemoryMap;
  readonly #events: EventQueueDriver;
  readonly #streamIDs: readonly number[];
  readonly #isReset: () => boolean;
  #sinceTurn = 0;

  constructor(options: {
    device: DeviceID;
    doorbell: MsiDoorbell;
    smmu: Smmu;
    memory: MemoryMap;
    events: EventQueueDriver;
    streamIDs: readonly number[];
    /** The device was reset since: it issues nothing more. */
    isReset: () => boolean;
  }) {
    this.#device = options.device;
    this.#doorbell = options.doorbell;
    this.#smmu = options.smmu;
    this.#memory = options.memory;
    this.#events = options.events;
    this.#streamIDs = options.streamIDs;
    this.#isReset = options.isReset;
  }

  async dma(access: SimulatedDma): Promise<DmaOutcome> {
    const total = access.kind === "read" ? access.bytes : access.data.length;
    requireRange(access.iova, total);
    const data = new Uint8Array(access.kind === "read" ? total : 0);
    for (let done = 0; done < total; ) {
      await this.#turn();
      if (this.#isReset()) return { end: "abort", bytesDone: done, data: data.subarray(0, done) };
      const at = access.iova + BigInt(done);
      const bytes = Math.min(total - done, BEAT_BYTES - Number(at % BigInt(BEAT_BYTES)));
      const outcome = this.#smmu.translate(this.#transaction({ ...access, iova: at }, access.kind));
      const end = this.#carryOut(outcome, access, data, done, bytes);
      if (end !== "ok") return { end, bytesDone: done, data: data.subarray(0, done) };
      done += bytes;
    }
    return { end: "ok", bytesDone: total, data };
  }

  async translate(access: SimulatedAccess & { access: "read" | "write" | "execute" }): Promise<TranslationOutcome> {
    await this.#turn();
    if (this.#isReset()) return describe({ kind: "abort", fault: undefined, recorded: false });
    return describe(this.#smmu.translate(this.#transaction(access, access.access)));
  }

  #transaction(access: SimulatedAccess, kind: "read" | "write" | "execute"): Transaction {
    const streamID = this.#streamIDs[access.streamIndex]!;
    const { iova, privileged, substreamID } = access;
    const base = { streamID, iova, access: kind, privileged, attributes: PCIE_ATTRIBUTES };
    return substreamID === undefined ? base : { ...base, substreamID };
  }

  #carryOut(outcome: Outcome, access: SimulatedDma, data: Uint8Array, done: number, bytes: number): TransactionEnd {
    if (outcome.kind === "raz-wi") return "raz-wi"; // data is zero already
    if (outcome.kind !== "ok") return outcome.kind;
    const carried =
      access.kind === "read"
        ? this.#memory.readBytes(outcome.pa, data.subarray(done, done + bytes))
        : this.#write(outcome.pa, access.streamIndex, access.data.subarray(done, done + bytes));
    return carried ? "ok" : "bus-error";
  }

  /** The doorbell is told who writes, as an ITS is told the DeviceID beside the data; memory does not ask. */
  #write(pa: number, streamIndex: number, data: Uint8Array): boolean {
    if (!this.#doorbell.holds(pa)) return this.#memory.writeBytes(pa, data);
    return this.#doorbell.ring(this.#device, this.#streamIDs[streamIndex]!, pa, data);
  }

  async #turn(): Promise<void> {
    this.#sinceTurn += 1;
    while (this.#sinceTurn >= TURN_TRANSACTIONS || this.#events.waiting() >= EVENTS_MAX / 2) {
      this.#sinceTurn = 0;
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }
}

function describe(outcome: Outcome): TranslationOutcome {
  const blank = { pa: 0, pageBytes: 0, ipa: undefined, bypass: false, memoryType: "", shareability: "" };
  const none = { ...blank, fault: undefined, recorded: false };
  if (outcome.kind === "ok") {
    const { attributes, bypass, ipa, pa, pageBytes } = outcome;
    const { memoryType, shareability } = attributes;
    return { ...none, end: "ok", pa, pageBytes, ipa, bypass, memoryType, shareability };
  }
  const { fault } = outcome;
  const recorded = outcome.kind === "stalled" || outcome.recorded;
  if (!fault) return { ...none, end: outcome.kind, recorded };
  const { fetchAddress, ipa, stage, type } = fault;
  return { ...none, end: outcome.kind, recorded, fault: { type, stage, class: fault.class, ipa, fetchAddress } };
}

function requireRange(iova: bigint, bytes: number): void {
  if (iova + BigInt(bytes) <= 2n ** 64n) return;
  throw new BrokerError("argument_invalid", `access of ${bytes} bytes at ${hex(iova)} leaves 64 bits`, { iova, bytes });
}
