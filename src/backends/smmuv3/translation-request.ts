// What a device asks by ATS and what it is answered, and from page permissions to the rights in the answer.
// Requests are those of PCIe endpoints: Source-CXL is 0, and so is CXL.io in the answer.
// Source: IHI 0070G.b §3.9.1.2, §13.6, §13.7.

import { INSTCFG } from "../../spec/encodings.ts";
import type { Fault } from "./fault.ts";
import { EXECUTE, READ, WRITE } from "./permissions.ts";

/** An ATS Translation Request for one STU. */
export interface TranslationRequest {
  /** An integer below 2^32; anything else is a bug of the caller and throws. */
  readonly streamID: number;
  /** An integer below 2^20, likewise. Absent: no PASID, and then the request is unprivileged and for data. */
  readonly substreamID?: number;
  /** Bits beyond [63:0] are not conveyed. */
  readonly iova: bigint;
  /** NW: the device does not mean to write. */
  readonly noWrite: boolean;
  readonly privileged: boolean;
  readonly execute: boolean;
}

/** An ATS Translation Completion. */
export type TranslationResponse =
  | {
      readonly kind: "success";
      /** A PA, or an IPA under split-stage ATS; 0 when nothing is granted. */
      readonly address: number;
      /** log2 of the bytes that this answer is for. */
      readonly sizeLog2: number;
      readonly read: boolean;
      readonly write: boolean;
      readonly execute: boolean;
      /** As the request had it. */
      readonly privileged: boolean;
      /** G: the SMMU grants nothing across PASIDs (§3.9.1). */
      readonly global: false;
      /** U: translated accesses are never forbidden where a translation is given (§13.6.4). */
      readonly untranslatedOnly: false;
      /** N: No_snoop is not the SMMU's to control (§13.6.2.1). */
      readonly nonSnooped: false;
    }
  | {
      readonly kind: "completer-abort" | "unsupported-request";
      /** Undefined: a stream whose STE terminates everything. */
      readonly fault: Fault | undefined;
      readonly recorded: boolean;
    };

export type Rights = Pick<Extract<TranslationResponse, { kind: "success" }>, "read" | "write" | "execute">;

/** Priv and Exe are parts of the PASID prefix. Source: §13.7.1. */
export function withPasidAttributes(asked: TranslationRequest): TranslationRequest {
  return asked.substreamID === undefined ? { ...asked, privileged: false, execute: false } : asked;
}

/**
 * R, W and Exe of an answer.
 *
 * @param instcfg  STE.INSTCFG as far as it counts
 * @param permissions  PERMISSION bits of all stages together, of one privilege
 * Source: §13.7.1
 */
export function rightsOf(request: TranslationRequest, instcfg: number, permissions: number): Rights {
  const isReadable = (permissions & READ) !== 0;
  const isExecutable = (permissions & EXECUTE) !== 0;
  const write = (permissions & WRITE) !== 0;
  switch (instcfg) {
    case INSTCFG.INSTRUCTION:
      return { read: isExecutable, write, execute: request.execute && isExecutable };
    case INSTCFG.DATA:
      return { read: isReadable, write, execute: request.execute && isReadable };
    default:
      return { read: isReadable, write, execute: request.execute && isReadable && isExecutable };
  }
}

export function grantsAny({ read, write, execute }: Rights): boolean {
  return read || write || execute;
}
