// Plays the host kernel's PRI queue thread for one simulated SMMU. No handler is there, so that it does what Linux does then:
// the last request of a group is answered with a failure. Delivery to guests is not part of the backend's interface.
// Runs on its own turn of the event loop, never inside a page request.
// Source: IHI 0070G.b chapter 8; Linux arm_smmu_handle_ppr.

import { assert } from "../../spec/assert.ts";
import { CMD_PRI_RESP, COMMAND, COMMAND_WORDS } from "../../spec/commands.ts";
import { PRI_RESP } from "../../spec/encodings.ts";
import { doublewordsOf, get, set } from "../../spec/layout.ts";
import { PAGE_REQUEST_BYTES } from "../../spec/page-requests.ts";
import { PRIQ_CONS, PRIQ_PROD, REGISTER } from "../../spec/registers.ts";
import type { MemoryMap } from "../smmuv3/memory.ts";
import { decodePageRequest, isStopMarker, type PageRequest } from "../smmuv3/pri-record.ts";
import type { RawCommand } from "./raw-commands.ts";
import type { SmmuDriver } from "./smmu-driver.ts";

export class PriQueueDriver {
  readonly #driver: SmmuDriver;
  readonly #memory: MemoryMap;
  #scheduled: NodeJS.Immediate | undefined;

  constructor(driver: SmmuDriver, memory: MemoryMap) {
    this.#driver = driver;
    this.#memory = memory;
  }

  /** The interrupt: drain on the next turn. */
  schedule(): void {
    this.#scheduled ??= setImmediate(() => {
      this.#scheduled = undefined;
      this.drain();
    });
  }

  /** Takes every request off, acknowledges an overflow in the same write (§8.1), and answers. */
  drain(): void {
    const entries = 2 ** this.#driver.pageRequestsLog2;
    const prod = Uint32Array.of(this.#driver.smmu.read32(REGISTER.PRIQ_PROD));
    let at = get(Uint32Array.of(this.#driver.smmu.read32(REGISTER.PRIQ_CONS)), 0, PRIQ_CONS.RD);
    const answers: RawCommand[] = [];
    for (; at !== get(prod, 0, PRIQ_PROD.WR); at = (at + 1) % (2 * entries)) {
      const request = this.#read(at % entries);
      if (request.last && !isStopMarker(request)) answers.push(refusal(request));
    }
    const words = new Uint32Array(1);
    set(words, 0, PRIQ_CONS.RD, at);
    set(words, 0, PRIQ_CONS.OVACKFLG, get(prod, 0, PRIQ_PROD.OVFLG));
    this.#driver.smmu.write32(REGISTER.PRIQ_CONS, words[0]!);
    if (answers.length > 0) this.#driver.issue(answers);
  }

  stop(): void {
    if (this.#scheduled) clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
  }

  #read(index: number): PageRequest {
    const bytes = new Uint8Array(PAGE_REQUEST_BYTES);
    const at = this.#driver.pageRequestQueueBase + index * PAGE_REQUEST_BYTES;
    assert(this.#memory.readBytes(at, bytes), "the PRI queue aborted");
    return decodePageRequest(new Uint32Array(bytes.buffer));
  }
}

/** CMD_PRI_RESP(ResponseFailure), with the PASID of the request. */
function refusal(request: PageRequest): RawCommand {
  const words = new Uint32Array(COMMAND_WORDS);
  set(words, 0, CMD_PRI_RESP.Opcode, COMMAND.CMD_PRI_RESP);
  set(words, 0, CMD_PRI_RESP.StreamID, request.streamID);
  if (request.substreamID !== undefined) {
    set(words, 0, CMD_PRI_RESP.SSV, 1);
    set(words, 0, CMD_PRI_RESP.SubstreamID, request.substreamID);
  }
  set(words, 0, CMD_PRI_RESP.PRGIndex, request.prgIndex);
  set(words, 0, CMD_PRI_RESP.Resp, PRI_RESP.FAILURE);
  const [dword0, dword1] = doublewordsOf(words);
  return { dword0: dword0!, dword1: dword1! };
}
