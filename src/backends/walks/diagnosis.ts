// Why a fault happened: the model's walk is made again, from the tables as they are, and compared with the record.
// A record without address or SubstreamID does not say which access it was: every one that can have left it is tried.
// Source: IHI 0070G.b §7.3 (which record has what), §7.3.7, §7.3.9.

import type { FaultDiagnosis } from "../diagnosis.ts";
import { type FaultRecord, PAGE_REQUEST } from "../faults.ts";
import type { Access, Transaction } from "../smmuv3/smmu.ts";
import { gone, noLonger, notApplicable, reproduced, type Walked, type Walker, walk } from "./diagnosis-walk.ts";
import { diagnosePageRequest, diagnoseTranslationRequest } from "./request-diagnosis.ts";

/** Records of a configuration: their access is not known, and its address does not matter. */
const CONFIGURATION: ReadonlySet<string> = new Set([
  "C_BAD_STREAMID",
  "F_STE_FETCH",
  "C_BAD_STE",
  "F_STREAM_DISABLED",
  "C_BAD_SUBSTREAMID",
  "F_CD_FETCH",
  "C_BAD_CD",
]);
const ADDRESSED: ReadonlySet<string> = new Set([
  "F_WALK_EABT",
  "F_TRANSLATION",
  "F_ADDR_SIZE",
  "F_ACCESS",
  "F_PERMISSION",
  "F_TRANSL_FORBIDDEN",
]);
const NOT_WALKED: ReadonlyMap<string, string> = new Map([
  ["F_UUT", "F_UUT is of how a transaction came to the SMMU, and no table has a part in that"],
  ["F_TLB_CONFLICT", "F_TLB_CONFLICT is of what the TLB held, which the tables do not show"],
  ["F_CFG_CONFLICT", "F_CFG_CONFLICT is of what the configuration caches held, which the tables do not show"],
  ["E_PAGE_REQUEST", "E_PAGE_REQUEST is a hint of the SMMU's, and no fault"],
  ["F_VMS_FETCH", "F_VMS_FETCH is of a structure of the host's, which this SMMU does not have"],
]);

const PAGE_BYTES = 4096;

/** Diagnoses a fault of a stream. Bounded by the architecture's levels; never throws for what memory holds. */
export function diagnoseFault(walker: Walker, streamID: number, fault: FaultRecord): FaultDiagnosis {
  if (fault.transition) {
    return notApplicable("it was recorded while the host replaced the STE, which was not valid at that moment");
  }
  if (fault.type === PAGE_REQUEST) return diagnosePageRequest(walker, streamID, fault);
  if (fault.type === "F_BAD_ATS_TREQ") return diagnoseTranslationRequest(walker, streamID, fault);
  if (!CONFIGURATION.has(fault.type) && !ADDRESSED.has(fault.type)) {
    return notApplicable(NOT_WALKED.get(fault.type) ?? `${fault.type} is of no kind that can be explained`);
  }
  let first: Walked | undefined;
  for (const access of candidatesOf(fault)) {
    const walked = walk(walker, { ...access, streamID });
    if (walked.kind === "refused" && isSame(fault, walked, walker)) return reproduced(walked.refusal);
    first ??= walked;
  }
  if (first === undefined) return notApplicable(`${fault.type} names no access`);
  return CONFIGURATION.has(fault.type) && isConfigured(first)
    ? noLonger("the configuration is now legal")
    : gone(first);
}

type Candidate = Omit<Transaction, "streamID">;

/** The accesses that can have left this record, the likeliest first. */
function candidatesOf(fault: FaultRecord): readonly Candidate[] {
  const { inputAddress = 0n, privileged = false, substreamID, type } = fault;
  const translated = type === "F_TRANSL_FORBIDDEN" ? { translated: true } : {};
  const without: Candidate = { iova: inputAddress, access: accessOf(fault), privileged, ...translated };
  // §7.3.7: the record has no SubstreamID, and either none or 0 is what S1DSS disables
  if (type === "F_STREAM_DISABLED") return [without, { ...without, substreamID: 0 }];
  if (substreamID === undefined) return [without];
  const withID = { ...without, substreamID };
  // §7.3.9: the field is there without SSV, 0 also for an access that had none and used CD 0
  return type === "C_BAD_SUBSTREAMID" && substreamID === 0 ? [withID, without] : [withID];
}

function accessOf({ instruction, read }: FaultRecord): Access {
  if (read === false) return "write";
  return instruction === true ? "execute" : "read";
}

/** Type, stage, class and the address of what was looked for; the access walked is the record's own. */
function isSame(
  record: FaultRecord,
  { fault }: Extract<Walked, { kind: "refused" }>,
  { physical }: Pick<Walker, "physical">,
): boolean {
  if (fault.type !== record.type || fault.stage !== record.stage || fault.class !== record.class) return false;
  if (record.ipa !== undefined && pageOf(record.ipa) !== pageOf(fault.ipa ?? -1)) return false;
  // the guest may have the page at several IPAs: what was read is told by where it is
  return record.fetchAddress === undefined || physical(record.fetchAddress) === fault.fetchAddress;
}

function pageOf(address: number): number {
  return Math.floor(address / PAGE_BYTES);
}

/** The walk came past STE and CD; what becomes of the access itself is not known without its address. */
function isConfigured(walked: Walked): boolean {
  if (walked.kind !== "refused") return walked.kind === "translates";
  return walked.fault.stage !== undefined && walked.fault.class !== "CD";
}
