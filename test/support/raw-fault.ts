// A record of a model's event queue as a fault of a device, for tests that have no host around the model.
// Which record has which field is read from the manual here a second time. Source: IHI 0070G.b §7.3.

import type { FaultRecord } from "../../src/backends/faults.ts";
import { deviceID } from "../../src/backends/ids.ts";
import type { Smmu } from "../../src/backends/smmuv3/smmu.ts";
import { diagnoseFault } from "../../src/backends/walks/diagnosis.ts";
import type { Walker } from "../../src/backends/walks/diagnosis-walk.ts";
import { decodeEvent } from "../../src/spec/event-record.ts";

const STAGED = ["F_WALK_EABT", "F_TRANSLATION", "F_ADDR_SIZE", "F_ACCESS", "F_PERMISSION"];
const ADDRESSED = [...STAGED, "F_TRANSL_FORBIDDEN"];
const FETCHES = ["F_STE_FETCH", "F_CD_FETCH", "F_WALK_EABT"];

export function rawFault(bytes: Uint8Array<ArrayBuffer>): FaultRecord {
  const record = decodeEvent(new Uint32Array(bytes.buffer));
  const type = record.type ?? "unknown";
  const isStaged = STAGED.includes(type);
  const isAddressed = ADDRESSED.includes(type);
  return {
    device: deviceID("0000:00:00.0"),
    virtualStreamID: undefined,
    substreamID: record.SSV || type === "C_BAD_SUBSTREAMID" ? record.SubstreamID : undefined,
    type,
    typeNumber: record.number,
    stage: isStaged ? (record.S2 ? 2 : 1) : undefined,
    class: isStaged ? record.CLASS : undefined,
    inputAddress: isAddressed ? record.InputAddr : undefined,
    ipa: isStaged && record.S2 && type !== "F_WALK_EABT" ? record.IPA : undefined,
    fetchAddress: FETCHES.includes(type) ? record.FetchAddr : undefined,
    read: isAddressed ? record.RnW : undefined,
    instruction: isAddressed ? record.InD : undefined,
    privileged: isAddressed ? record.PnU : undefined,
    transition: false,
    hostOnly: false,
    pending: undefined,
    pageRequest: undefined,
    record: bytes,
  };
}

/** A walker over a model by itself: what it reads is where the tables say. */
export function rawWalker(smmu: Smmu): Walker {
  return {
    explain: (access) => smmu.explain(access),
    explainTranslationRequest: (request) => smmu.explainTranslationRequest(request),
    physical: (ipa) => ipa,
  };
}

export function diagnoseRaw(smmu: Smmu, streamID: number, bytes: Uint8Array<ArrayBuffer>) {
  return diagnoseFault(rawWalker(smmu), streamID, rawFault(bytes));
}
