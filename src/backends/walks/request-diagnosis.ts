// Why a translation request was refused, and why a device had to ask for a page.
// A page is asked for after a translation request that granted nothing: what refuses the plain access refused that one too.
// Source: IHI 0070G.b §3.9.1, §7.3.6, chapter 8.

import type { FaultDiagnosis } from "../diagnosis.ts";
import type { FaultRecord } from "../faults.ts";
import type { Access, TranslationRequest } from "../smmuv3/smmu.ts";
import { gone, noLonger, notApplicable, reproduced, type Walker, walk } from "./diagnosis-walk.ts";

export function diagnoseTranslationRequest(
  walker: Walker,
  streamID: number,
  { inputAddress = 0n, substreamID }: FaultRecord,
): FaultDiagnosis {
  const request = { streamID, ...withID(substreamID), iova: inputAddress };
  return (
    refusedRequest(walker, { ...request, noWrite: true, privileged: false, execute: false }) ??
    noLonger("the stream's translation requests are now answered")
  );
}

export function diagnosePageRequest(walker: Walker, streamID: number, fault: FaultRecord): FaultDiagnosis {
  const { pageRequest, substreamID } = fault;
  if (pageRequest === undefined) return notApplicable("the request says nothing of a page");
  const { address, execute, privileged, read, write } = pageRequest;
  const hasPasid = substreamID !== undefined; // without one a request is for unprivileged data
  const asked: Access[] = [];
  if (read) asked.push("read");
  if (write) asked.push("write");
  if (execute && hasPasid) asked.push("execute");
  if (asked.length === 0) return notApplicable("it asks for no access: the end of what was asked for under the PASID");
  const page = { streamID, ...withID(substreamID), iova: address, privileged: privileged && hasPasid };
  for (const access of asked) {
    const walked = walk(walker, { ...page, access });
    if (walked.kind === "refused") return reproduced(walked.refusal);
    if (walked.kind !== "translates") return gone(walked);
  }
  return (
    refusedRequest(walker, { ...page, noWrite: !write, execute: execute && hasPasid }) ??
    noLonger(`the page is now there to ${asked.map((access) => VERBS[access]).join(" and to ")}`)
  );
}

const VERBS: Readonly<Record<Access, string>> = { read: "read", write: "write", execute: "fetch from" };

/** Undefined: it is answered. */
function refusedRequest(walker: Walker, request: TranslationRequest): FaultDiagnosis | undefined {
  const { response } = walker.explainTranslationRequest(request);
  switch (response.kind) {
    case "success":
      return undefined;
    case "not-covered":
      return gone({ kind: "not-covered", reason: response.reason });
    default: {
      const { fault, refusal } = response;
      if (fault === undefined || refusal === undefined) return gone({ kind: "silent" });
      return fault.type === "F_BAD_ATS_TREQ" ? reproduced(refusal) : gone({ kind: "refused", fault, refusal });
    }
  }
}

function withID(substreamID: number | undefined): { readonly substreamID?: number } {
  return substreamID === undefined ? {} : { substreamID };
}
