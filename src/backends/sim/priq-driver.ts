// Plays the host kernel's PRI queue thread for one simulated SMMU. Requests of a device whose owner's stage 1 has ATS on are
// told to the owner, who answers a group by its last request; all others are answered with a failure, as Linux does where
// no handler is. Runs on its own turn of the event loop, never inside a page request.
// Source: IHI 0070G.b chapter 8; Linux arm_smmu_handle_ppr, iommufd_auto_response_faults.

import { assert } from "../../spec/assert.ts";
import { CMD_PRI_RESP, COMMAND, COMMAND_WORDS } from "../../spec/commands.ts";
import { EATS, PRI_RESP, STE_CONFIG } from "../../spec/encodings.ts";
import { doublewordsOf, get, set, wordsOf } from "../../spec/layout.ts";
import { PAGE_REQUEST, PAGE_REQUEST_BYTES } from "../../spec/page-requests.ts";
import { PRIQ_CONS, PRIQ_PROD, REGISTER } from "../../spec/registers.ts";
import { STE } from "../../spec/ste.ts";
import type { StreamOwner } from "../fault-record.ts";
import { type FaultNotice, type FaultRecord, PAGE_REQUEST as PAGE_REQUEST_TYPE, type PendingFault } from "../faults.ts";
import type { DeviceID } from "../ids.ts";
import type { MemoryMap } from "../smmuv3/memory.ts";
import { decodePageRequest, isStopMarker, type PageRequest } from "../smmuv3/pri-record.ts";
import type { PageResponseCode } from "../smmuv3/smmu.ts";
import type { FindOwner } from "./eventq-driver.ts";
import type { RawCommand } from "./raw-commands.ts";
import type { SmmuDriver } from "./smmu-driver.ts";

/** Groups of one stream that wait at once: PRGIndex has nine bits, so a device can tell no more apart. */
export const GROUPS_PENDING_MAX = 512;

/** What CMD_PRI_RESP is given, and who was told. */
interface Group {
  readonly device: DeviceID;
  readonly request: PageRequest;
}

const RESPONSES = { failure: PRI_RESP.FAILURE, invalid: PRI_RESP.INVALID, success: PRI_RESP.SUCCESS } as const;

export class PriQueueDriver {
  readonly #driver: SmmuDriver;
  readonly #memory: MemoryMap;
  readonly #findOwner: FindOwner;
  readonly #nextCookie: () => number;
  readonly #deliver: (notice: FaultNotice) => void;
  /** By StreamID, by cookie. */
  readonly #pending = new Map<number, Map<number, Group>>();
  #scheduled: NodeJS.Immediate | undefined;

  constructor(options: {
    driver: SmmuDriver;
    memory: MemoryMap;
    findOwner: FindOwner;
    nextCookie: () => number;
    deliver: (notice: FaultNotice) => void;
  }) {
    this.#driver = options.driver;
    this.#memory = options.memory;
    this.#findOwner = options.findOwner;
    this.#nextCookie = options.nextCookie;
    this.#deliver = options.deliver;
  }

  /** The interrupt: drain on the next turn. */
  schedule(): void {
    this.#scheduled ??= setImmediate(() => {
      this.#scheduled = undefined;
      this.drain();
    });
  }

  /** Takes every request off, acknowledges an overflow in the same write (§8.1), and answers those that nobody is told of. */
  drain(): void {
    if (!this.#driver.features.pri) return;
    const entries = 2 ** this.#driver.pageRequestsLog2;
    const prod = Uint32Array.of(this.#driver.smmu.read32(REGISTER.PRIQ_PROD));
    let at = get(Uint32Array.of(this.#driver.smmu.read32(REGISTER.PRIQ_CONS)), 0, PRIQ_CONS.RD);
    const refused: PageRequest[] = [];
    for (; at !== get(prod, 0, PRIQ_PROD.WR); at = (at + 1) % (2 * entries)) {
      const bytes = this.#read(at % entries);
      const request = decodePageRequest(new Uint32Array(bytes.buffer));
      if (isStopMarker(request)) continue; // asks for nothing, and gets no answer
      if (!this.#tell(request, bytes) && request.last) refused.push(request);
    }
    const words = new Uint32Array(1);
    set(words, 0, PRIQ_CONS.RD, at);
    set(words, 0, PRIQ_CONS.OVACKFLG, get(prod, 0, PRIQ_PROD.OVFLG));
    this.#driver.smmu.write32(REGISTER.PRIQ_CONS, words[0]!);
    if (refused.length > 0) this.#driver.issue(refused.map((request) => response(request, "failure")));
  }

  isPending(device: DeviceID, streamID: number, cookie: number): boolean {
    return this.#pending.get(streamID)?.get(cookie)?.device === device;
  }

  /** A group that is pending. */
  answer(streamID: number, cookie: number, code: PageResponseCode): void {
    const group = this.#pending.get(streamID)?.get(cookie);
    assert(group !== undefined, `no page request is pending under cookie ${cookie}`);
    this.#driver.issue([response(group.request, code)]);
    this.#forget(streamID, cookie);
  }

  /** Answers with a failure what waits of these streams. Their requests have been taken off the queue. */
  end(streamIDs: readonly number[]): void {
    const groups = streamIDs.flatMap((id) => [...(this.#pending.get(id) ?? [])]);
    if (groups.length === 0) return;
    this.#driver.issue(groups.map(([, { request }]) => response(request, "failure")));
    for (const [cookie, { device, request }] of groups) {
      this.#forget(request.streamID, cookie);
      this.#deliver({ kind: "ended", device, cookie });
    }
  }

  stop(): void {
    if (this.#scheduled) clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
    this.#pending.clear();
  }

  #read(index: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(PAGE_REQUEST_BYTES);
    const at = this.#driver.pageRequestQueueBase + index * PAGE_REQUEST_BYTES;
    assert(this.#memory.readBytes(at, bytes), "the PRI queue aborted");
    return bytes;
  }

  /** @returns false when nobody is told: the host answers */
  #tell(request: PageRequest, bytes: Uint8Array<ArrayBuffer>): boolean {
    const { last, streamID } = request;
    const owner = this.#findOwner(streamID);
    if (owner === undefined || !this.#isGuests(streamID)) return false;
    const waiting = this.#pending.get(streamID) ?? new Map<number, Group>();
    if (last && waiting.size >= GROUPS_PENDING_MAX) return false;
    let pending: PendingFault | undefined;
    if (last) {
      pending = { kind: "page-request", cookie: this.#nextCookie(), stag: undefined };
      waiting.set(pending.cookie, { device: owner.device, request });
      this.#pending.set(streamID, waiting);
    }
    this.#deliver({ kind: "fault", fault: recordOf(request, bytes, owner, pending) });
    return true;
  }

  /** A guest's stage 1 with ATS on: what the device asks for is in the guest's tables. */
  #isGuests(streamID: number): boolean {
    const ste = wordsOf(this.#driver.readSTE(streamID));
    return get(ste, 0, STE.Config) === STE_CONFIG.NESTED && get(ste, 0, STE.EATS) === EATS.FULL;
  }

  #forget(streamID: number, cookie: number): void {
    const waiting = this.#pending.get(streamID);
    waiting?.delete(cookie);
    if (waiting?.size === 0) this.#pending.delete(streamID);
  }
}

/** In the guest's terms: the entry as the guest's PRI queue would have it. */
function recordOf(
  request: PageRequest,
  bytes: Uint8Array<ArrayBuffer>,
  { device, virtualStreamID }: StreamOwner,
  pending: PendingFault | undefined,
): FaultRecord {
  set(new Uint32Array(bytes.buffer), 0, PAGE_REQUEST.StreamID, virtualStreamID ?? 0);
  const { address, execute, last, prgIndex, privileged, read, substreamID, write } = request;
  return {
    ...{ device, virtualStreamID, substreamID, type: PAGE_REQUEST_TYPE, typeNumber: 0 },
    ...{ stage: undefined, class: undefined, inputAddress: address, ipa: undefined, fetchAddress: undefined },
    ...{ read, instruction: execute, privileged, transition: false, hostOnly: false, pending },
    pageRequest: { address, groupIndex: prgIndex, last, read, write, execute, privileged },
    record: bytes,
  };
}

/** CMD_PRI_RESP, with the PASID of the request. */
function response(request: PageRequest, code: PageResponseCode): RawCommand {
  const words = new Uint32Array(COMMAND_WORDS);
  set(words, 0, CMD_PRI_RESP.Opcode, COMMAND.CMD_PRI_RESP);
  set(words, 0, CMD_PRI_RESP.StreamID, request.streamID);
  if (request.substreamID !== undefined) {
    set(words, 0, CMD_PRI_RESP.SSV, 1);
    set(words, 0, CMD_PRI_RESP.SubstreamID, request.substreamID);
  }
  set(words, 0, CMD_PRI_RESP.PRGIndex, request.prgIndex);
  set(words, 0, CMD_PRI_RESP.Resp, RESPONSES[code]);
  const [dword0, dword1] = doublewordsOf(words);
  return { dword0: dword0!, dword1: dword1! };
}
