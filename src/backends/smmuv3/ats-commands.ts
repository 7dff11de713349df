// CMD_ATC_INV and CMD_PRI_RESP, and what a CMD_SYNC after them has to say.
// Invalidation is complete when the port returns; a device that did not answer fails the next CMD_SYNC, once.
// Source: IHI 0070G.b §4.5, §3.9.1.4, §7.1.

import { CMD_ATC_INV, CMD_PRI_RESP } from "../../spec/commands.ts";
import { CERROR, PRI_RESP } from "../../spec/encodings.ts";
import { get, getU64 } from "../../spec/layout.ts";
import type { AtcPort, PageResponseCode } from "./atc-port.ts";
import type { Features } from "./id-registers.ts";

/** Size of a span of 2^64 bytes. */
const SIZE_ALL = 52;

export class AtsCommands {
  readonly #features: Features;
  readonly #port: AtcPort;
  readonly #isOperational: () => boolean;
  #hasTimedOut = false;

  /** @param isOperational  SMMUEN: without it both commands are IGNORED */
  constructor(features: Features, port: AtcPort, isOperational: () => boolean) {
    this.#features = features;
    this.#port = port;
    this.#isOperational = isOperational;
  }

  /** @returns CERROR; a Size above 52 may be ILLEGAL, and is (§4.5.1) */
  invalidate(words: Uint32Array): number {
    const size = get(words, 0, CMD_ATC_INV.Size);
    if (!this.#features.ats || size > SIZE_ALL) return CERROR.ILL;
    if (!this.#isOperational()) return CERROR.NONE;
    const substreamID = this.#substream(words, CMD_ATC_INV);
    const page = getU64(words, 0, CMD_ATC_INV.Address);
    const answer = this.#port.invalidate({
      streamID: get(words, 0, CMD_ATC_INV.StreamID),
      substreamID,
      global: substreamID !== undefined && get(words, 0, CMD_ATC_INV.G) === 1,
      address: ((page >> BigInt(size)) << BigInt(size)) * 4096n,
      sizeLog2: 12 + size,
    });
    if (answer === "timeout") this.#hasTimedOut = true;
    return CERROR.NONE;
  }

  /** @returns CERROR */
  respond(words: Uint32Array): number {
    const response = responseCode(get(words, 0, CMD_PRI_RESP.Resp));
    if (!this.#features.pri || response === undefined) return CERROR.ILL;
    if (!this.#isOperational()) return CERROR.NONE;
    this.#port.pageResponse({
      streamID: get(words, 0, CMD_PRI_RESP.StreamID),
      substreamID: this.#substream(words, CMD_PRI_RESP),
      prgIndex: get(words, 0, CMD_PRI_RESP.PRGIndex),
      response,
    });
    return CERROR.NONE;
  }

  /** CMD_SYNC: CERROR, for the invalidations before it. */
  sync(): number {
    if (!this.#hasTimedOut) return CERROR.NONE;
    this.#hasTimedOut = false;
    return CERROR.ATC_INV_SYNC;
  }

  /** Without substreams SSV must be 0, and counts as 0: one of the two behaviours §4.5 allows. */
  #substream(words: Uint32Array, fields: typeof CMD_ATC_INV | typeof CMD_PRI_RESP): number | undefined {
    if (this.#features.ssidBits === 0 || get(words, 0, fields.SSV) === 0) return undefined;
    return get(words, 0, fields.SubstreamID);
  }
}

/** Undefined: the reserved encoding, ILLEGAL. */
function responseCode(resp: number): PageResponseCode | undefined {
  switch (resp) {
    case PRI_RESP.FAILURE:
      return "failure";
    case PRI_RESP.INVALID:
      return "invalid";
    case PRI_RESP.SUCCESS:
      return "success";
    default:
      return undefined;
  }
}
