// Which context descriptor a transaction goes to, by its SubstreamID or for want of one.
// Source: IHI 0070G.b §5.2 (S1DSS, S1CDMax), §7.3.7, §7.3.9.

import { S1DSS } from "../../spec/encodings.ts";
import { pow2 } from "../../spec/u64.ts";
import type { StreamConfig } from "./config-cache.ts";
import type { StageFault } from "./fault.ts";

export type SubstreamChoice =
  | { readonly kind: "cd"; readonly substreamID: number }
  | { readonly kind: "bypass" }
  | { readonly kind: "fault"; readonly fault: StageFault };

const BYPASS_STAGE1: SubstreamChoice = Object.freeze({ kind: "bypass" });
const STREAM_DISABLED: SubstreamChoice = refuse("F_STREAM_DISABLED");
const BAD_SUBSTREAMID: SubstreamChoice = refuse("C_BAD_SUBSTREAMID");

/** Which CD, if any. Source: §5.2 (S1DSS, S1CDMax), §7.3.7, §7.3.9. */
export function chooseSubstream(substreamID: number | undefined, stream: StreamConfig): SubstreamChoice {
  if (!stream.hasStage1) return substreamID === undefined ? BYPASS_STAGE1 : BAD_SUBSTREAMID;
  if (substreamID === undefined) {
    if (stream.cdBits === 0 || stream.ste.S1DSS === S1DSS.SSID0) return { kind: "cd", substreamID: 0 };
    return stream.ste.S1DSS === S1DSS.BYPASS ? BYPASS_STAGE1 : STREAM_DISABLED;
  }
  if (stream.cdBits === 0 || substreamID >= pow2(stream.cdBits)) return BAD_SUBSTREAMID;
  if (substreamID === 0 && stream.ste.S1DSS === S1DSS.SSID0) return STREAM_DISABLED;
  return { kind: "cd", substreamID };
}

function refuse(type: "F_STREAM_DISABLED" | "C_BAD_SUBSTREAMID"): SubstreamChoice {
  return Object.freeze({ kind: "fault", fault: Object.freeze({ type }) });
}
