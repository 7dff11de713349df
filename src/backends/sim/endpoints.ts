// The Root Complex of a simulated SMMU, as far as ATS goes: which StreamID has an ATC, and the way to it.
// What is addressed to a StreamID without one is ignored, as an Unsupported Request is (IHI 0070G.b §3.9.1.5).

import type { AtcInvalidation, AtcPort, PageResponse } from "../smmuv3/smmu.ts";
import { Atc } from "./atc.ts";

export class Endpoints implements AtcPort {
  readonly #atcs = new Map<number, Atc>();

  add(streamID: number): void {
    this.#atcs.set(streamID, new Atc());
  }

  remove(streamID: number): void {
    this.#atcs.get(streamID)?.reset();
    this.#atcs.delete(streamID);
  }

  find(streamID: number): Atc | undefined {
    return this.#atcs.get(streamID);
  }

  invalidate(invalidation: AtcInvalidation): "done" {
    this.#atcs.get(invalidation.streamID)?.invalidate(invalidation);
    return "done";
  }

  pageResponse({ streamID, prgIndex, response }: PageResponse): void {
    this.#atcs.get(streamID)?.answer(prgIndex, response);
  }

  /** The host goes down: nobody answers any more. */
  close(): void {
    for (const atc of this.#atcs.values()) atc.reset();
  }
}
