// Page requests of devices: into the PRI queue, or answered by the SMMU itself where they cannot be.
// Neither ATSCHK nor STE.EATS has a say in them.
// Source: IHI 0070G.b §8.1, §8.2, §8.3.

import type { AtcPort } from "./atc-port.ts";
import type { Features } from "./id-registers.ts";
import type { PageRequestQueue } from "./page-request-queue.ts";
import { encodePageRequest, isStopMarker, type PageRequest } from "./pri-record.ts";

/** Discarded: without an answer. An automatic answer has gone out by the port. */
export type PageRequestOutcome = "queued" | "auto-response" | "discarded";

export interface PageRequestParts {
  readonly features: Features;
  readonly queue: PageRequestQueue;
  readonly port: AtcPort;
  readonly isSmmuEnabled: () => boolean;
  /** STE.PPAR of a request's stream; undefined where no valid STE is found, whose event is recorded then (§8.1). */
  readonly ppar: (request: PageRequest) => boolean | undefined;
}

export class PageRequests {
  readonly #parts: PageRequestParts;

  constructor(parts: PageRequestParts) {
    this.#parts = parts;
  }

  receive(request: PageRequest): PageRequestOutcome {
    const { features, queue, isSmmuEnabled } = this.#parts;
    if (!features.pri) return "discarded"; // there is no interface to receive it by
    const { substreamID, ...plain } = request;
    const message = features.ssidBits === 0 || substreamID === undefined ? plain : request; // SSV=0 without substreams (§8)
    const isMarker = isStopMarker(message);
    const queued = isSmmuEnabled() ? queue.write(encodePageRequest(message), message.last) : "unavailable";
    if (queued === "queued") return "queued";
    if (isMarker) return "discarded";
    if (queued === "unavailable") return this.#answer(message, undefined, "failure");
    return message.last ? this.#answerOverflow(message) : "discarded";
  }

  /** Source: §8.1. */
  #answerOverflow(request: PageRequest): PageRequestOutcome {
    const { features, ppar } = this.#parts;
    const { substreamID } = request;
    if (substreamID === undefined || features.pps) return this.#answer(request, substreamID, "success");
    const takesPasid = ppar(request);
    if (takesPasid === undefined) return this.#answer(request, undefined, "failure");
    return this.#answer(request, takesPasid ? substreamID : undefined, "success");
  }

  #answer(
    { streamID, prgIndex }: PageRequest,
    substreamID: number | undefined,
    response: "success" | "failure",
  ): "auto-response" {
    this.#parts.port.pageResponse({ streamID, substreamID, prgIndex, response });
    return "auto-response";
  }
}
