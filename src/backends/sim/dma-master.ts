// A simulated device: issues transactions, page by page, and carries the translated ones out on memory.
// Long batches yield to the event loop, so nobody waits, and yield early when the event queue is half full, so that
// the driver can drain it: events of a well-behaved test are not lost to overflow.

import { hex, joinNumber, pow2 } from "../../spec/u64.ts";
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
import type { Access, Outcome, PageResponseCode, Smmu, Transaction } from "../smmuv3/smmu.ts";
import { AtsRequester } from "./ats.ts";
import type { Endpoints } from "./endpoints.ts";
import type { EventQueueDriver } from "./eventq-driver.ts";
import type { MsiDoorbell } from "./msi-doorbell.ts";
import { EVENTS_MAX } from "./smmu-driver.ts";
import type { Stalls } from "./stalls.ts";

/** A device's accesses do not cross this boundary: the smallest page any stage has. */
const BEAT_BYTES = 4096;
/** Transactions between two turns of the event loop. */
const TURN_TRANSACTIONS = 128;
const ABORTED: Outcome = Object.freeze({ kind: "abort", fault: undefined, recorded: false });

type Request = Parameters<Smmu["translateHalves"]>[0];
type TranslateAccess = SimulatedAccess & { readonly access: Access };

export class DmaMaster {
  readonly #device: DeviceID;
  readonly #doorbell: MsiDoorbell;
  readonly #smmu: Smmu;
  readonly #memory: MemoryMap;
  readonly #events: EventQueueDriver;
  readonly #stalls: Stalls;
  readonly #requester: AtsRequester;
  readonly #streamIDs: readonly number[];
  readonly #isReset: () => boolean;
  readonly #iova = new BigUint64Array(1);
  readonly #halves = new Int32Array(this.#iova.buffer);
  #sinceTurn = 0;
  /** Something may have been recorded since the event queue was looked at: by this master, or by others in their turns. */
  #mayBeCrowded = true;

  constructor(options: {
    device: DeviceID;
    doorbell: MsiDoorbell;
    smmu: Smmu;
    memory: MemoryMap;
    events: EventQueueDriver;
    stalls: Stalls;
    endpoints: Endpoints;
    makesPageRequests: boolean;
    streamIDs: readonly number[];
    /** The device was reset since: it issues nothing more. */
    isReset: () => boolean;
  }) {
    this.#device = options.device;
    this.#doorbell = options.doorbell;
    this.#smmu = options.smmu;
    this.#memory = options.memory;
    this.#events = options.events;
    this.#stalls = options.stalls;
    this.#requester = new AtsRequester(options);
    this.#streamIDs = options.streamIDs;
    this.#isReset = options.isReset;
  }

  /** Page by page. A transaction that stalls, or asks for its page, takes as long as nobody answers it. */
  async dma(access: SimulatedDma): Promise<DmaOutcome> {
    const total = access.kind === "read" ? access.bytes : access.data.length;
    requireRange(access.iova, total);
    const data = new Uint8Array(access.kind === "read" ? total : 0);
    for (let done = 0; done < total; ) {
      this.#mayBeCrowded = true;
      await this.#turn();
      if (this.#isReset()) return { end: "abort", bytesDone: done, data: data.subarray(0, done) };
      const at = access.iova + BigInt(done);
      const bytes = Math.min(total - done, BEAT_BYTES - Number(at % BigInt(BEAT_BYTES)));
      const tx = { ...this.#request({ ...access, access: access.kind }), iova: at };
      const asked = this.#requester.askForPage(tx, access.kind);
      if (asked !== undefined && !(await this.#isGranted(asked, tx, access.kind))) {
        return { end: "abort", bytesDone: done, data: data.subarray(0, done) };
      }
      const carryOut = (outcome: Outcome) => this.#carryOut(outcome, access, data, done, bytes);
      const outcome = this.#requester.issue(tx, access.kind); // and carried out in the same turn: nothing is unmapped in between
      const end = outcome.kind === "stalled" ? await this.#resumed(tx, outcome.stag, carryOut) : carryOut(outcome);
      if (end !== "ok") return { end, bytesDone: done, data: data.subarray(0, done) };
      done += bytes;
    }
    return { end: "ok", bytesDone: total, data };
  }

  /**
   * In order. What stalls is answered so at once, and waits in the SMMU like any other until it is answered: nothing is carried
   * out then. It waits only where a turn ends: a promise for each access would cost more than its translation. */
  async translate(accesses: readonly TranslateAccess[]): Promise<readonly TranslationOutcome[]> {
    const outcomes: TranslationOutcome[] = [];
    let request: Request | undefined;
    let last = accesses[0];
    let isReset = this.#isReset();
    for (const access of accesses) {
      const turn = this.#turn();
      if (turn !== undefined) {
        await turn;
        isReset = this.#isReset();
      }
      if (request === undefined || last === undefined || !isAlike(access, last)) request = this.#request(access);
      last = access;
      outcomes.push(isReset ? described(ABORTED) : this.#translate(request, access.iova));
    }
    return outcomes;
  }

  /** Carried out where the SMMU lets it go on, not a turn later. */
  #resumed(
    { streamID }: Transaction,
    stag: number,
    carryOut: (outcome: Outcome) => TransactionEnd,
  ): Promise<TransactionEnd> {
    return new Promise((resolve) => {
      this.#stalls.began(streamID, stag, (outcome) => resolve(carryOut(outcome)));
    });
  }

  /**
   * A success promises nothing: the device looks, and asks again where the page is still not there. An overflow of the PRI queue
   * is answered so (IHI 0070G.b §8.1), at once, and needs a turn to be drained.
   */
  async #isGranted(first: Promise<PageResponseCode>, tx: Transaction, kind: "read" | "write"): Promise<boolean> {
    let asked: Promise<PageResponseCode> | undefined = first;
    while (asked !== undefined) {
      if ((await asked) !== "success") return false;
      await this.#wait();
      if (this.#isReset()) return false;
      asked = this.#requester.askForPage(tx, kind);
    }
    return true;
  }

  #translate(request: Request, iova: bigint): TranslationOutcome {
    this.#iova[0] = iova;
    const failed = this.#smmu.translateHalves(request, this.#halves[1]!, this.#halves[0]!);
    if (failed !== undefined) {
      this.#mayBeCrowded = true;
      if (failed.kind === "stalled") this.#stalls.began(request.streamID, failed.stag);
      return described(failed);
    }
    const { answer } = this.#smmu;
    const { ipaHi, ipaLo, paHi, paLo, pageBits } = answer;
    return {
      end: "ok",
      pa: joinNumber(paHi, paLo),
      pageBytes: pageBits === 0 ? 0 : pow2(pageBits),
      ipa: ipaHi < 0 ? undefined : joinNumber(ipaHi, ipaLo),
      bypass: pageBits === 0,
      attributes: answer.attributesOf(request),
      fault: undefined,
      recorded: false,
    };
  }

  #request(access: Omit<TranslateAccess, "iova">): Request {
    const { privileged, substreamID } = access;
    const streamID = this.#streamIDs[access.streamIndex]!;
    const base = { streamID, access: access.access, privileged, attributes: PCIE_ATTRIBUTES };
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

  /** @returns a promise when it is time to let others run: the event loop, or the driver that drains the event queue */
  #turn(): Promise<void> | undefined {
    this.#sinceTurn += 1;
    return this.#isOver() ? this.#wait() : undefined;
  }

  #isOver(): boolean {
    if (this.#sinceTurn >= TURN_TRANSACTIONS) return true;
    if (!this.#mayBeCrowded) return false;
    this.#mayBeCrowded = false;
    return this.#events.waiting() >= EVENTS_MAX / 2;
  }

  async #wait(): Promise<void> {
    do {
      this.#sinceTurn = 0;
      await new Promise<void>((resolve) => setImmediate(resolve));
      this.#mayBeCrowded = true;
    } while (this.#isOver());
  }
}

/** The same request but for its address. */
function isAlike(a: TranslateAccess, b: TranslateAccess): boolean {
  return (
    a.access === b.access &&
    a.privileged === b.privileged &&
    a.substreamID === b.substreamID &&
    a.streamIndex === b.streamIndex
  );
}

function described(outcome: Outcome): TranslationOutcome {
  const blank = { pa: 0, pageBytes: 0, ipa: undefined, bypass: false, attributes: undefined };
  const none = { ...blank, fault: undefined, recorded: false };
  if (outcome.kind === "ok") {
    const { attributes, bypass, ipa, pa, pageBytes } = outcome;
    return { ...none, end: "ok", pa, pageBytes, ipa, bypass, attributes };
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
