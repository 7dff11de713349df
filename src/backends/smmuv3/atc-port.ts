// The way from the SMMU to the devices' address translation caches: a port in the manner of the interrupt lines.
// What it is told is what a Root Complex forwards as ATS Invalidate Requests and PRG Responses.
// Source: IHI 0070G.b §3.9.1, §4.5, §8.3.

/** CMD_ATC_INV as the device gets it. */
export interface AtcInvalidation {
  readonly streamID: number;
  /** Undefined: without PASID, which invalidates what was requested with and without one. */
  readonly substreamID: number | undefined;
  /** The Global Invalidate flag; only with a SubstreamID. */
  readonly global: boolean;
  /** Aligned to the size. */
  readonly address: bigint;
  /** log2 of the span in bytes, 12 to 64; 64 is everything. */
  readonly sizeLog2: number;
}

/** ResponseCode of a PRG Response: 0b1111, 0b0001, 0b0000. Source: §8.3. */
export type PageResponseCode = "failure" | "invalid" | "success";

export interface PageResponse {
  readonly streamID: number;
  /** Undefined: the response has no PASID. */
  readonly substreamID: number | undefined;
  readonly prgIndex: number;
  readonly response: PageResponseCode;
}

export interface AtcPort {
  /** Complete when it returns; "timeout": the device did not answer, and the next CMD_SYNC says so. */
  invalidate(invalidation: AtcInvalidation): "done" | "timeout";
  /** By CMD_PRI_RESP, or by the SMMU itself. */
  pageResponse(response: PageResponse): void;
}

/** Nobody is connected: both commands are IGNORED, as where the rest of the system has no ATS (§4.5). */
export const NO_ATC: AtcPort = Object.freeze({
  invalidate: (): "done" => "done",
  pageResponse: () => {},
});
