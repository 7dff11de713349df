// One address explained on the status page: from the query of a URL to core's request, and the walk as JSON.
// In the guest's terms only: the host's structures and addresses are never asked for.

import { invalidField } from "../../backends/errors.ts";
import type { ExplainedEnd, ExplainedFault, ExplainRequest, Explanation } from "../../backends/explanation.ts";
import { deviceID } from "../../backends/ids.ts";
import { hex } from "./snapshot.ts";

const ACCESSES = ["read", "write", "execute"] as const;
const ADDRESS = /^(?:0[xX][\da-fA-F]+(?:_[\da-fA-F]+)*|\d+(?:_\d+)*)$/;
const ADDRESS_LENGTH_MAX = 64;
const SUBSTREAM_END = 2 ** 20;

/** @throws BrokerError argument_invalid, with the parameter that is wrong */
export function explainRequestOf(query: URLSearchParams): ExplainRequest {
  return {
    device: deviceID(query.get("device") ?? ""),
    streamIndex: 0,
    iova: addressOf(query.get("iova")?.trim() ?? ""),
    substreamID: substreamOf(query.get("substream")?.trim() ?? ""),
    access: accessOf(query.get("access") ?? "read"),
    privileged: false,
    showsHost: false,
  };
}

function addressOf(text: string): bigint {
  if (text.length > ADDRESS_LENGTH_MAX || !ADDRESS.test(text)) {
    throw invalidField("iova", "write the address as 0x7fff_dead_b000 or as decimal");
  }
  const value = BigInt(text.replaceAll("_", ""));
  if (value >= 2n ** 64n) throw invalidField("iova", `${hex(value)} does not fit 64 bits`);
  return value;
}

function substreamOf(text: string): number | undefined {
  if (text === "") return undefined;
  const value = /^\d{1,7}$/.test(text) ? Number(text) : SUBSTREAM_END;
  if (value < SUBSTREAM_END) return value;
  throw invalidField("substream", `must be a whole number from 0 to ${SUBSTREAM_END - 1}, or left out`);
}

function accessOf(text: string): ExplainRequest["access"] {
  const access = ACCESSES.find((each) => each === text);
  if (access === undefined) throw invalidField("access", `must be ${ACCESSES.join(", ")}`);
  return access;
}

export function explanationJson({ end, steps, writes }: Explanation): object {
  return {
    steps: steps.map(({ decision, fields, ipa, raw, section, structure }) => ({
      ...{ structure, section, decision },
      address: hexOrNull(ipa),
      raw: raw.map(hex),
      fields: Object.entries(fields).flatMap(([name, value]) => (value === 0n ? [] : [[name, hex(value)]])),
    })),
    end: endJson(end),
    writes: writes.map(({ ipa, value }) => ({ address: hexOrNull(ipa), value: hex(value) })),
  };
}

function endJson(end: ExplainedEnd): object {
  switch (end.kind) {
    case "ok":
      return { kind: end.kind, bypass: end.bypass, address: hexOrNull(end.ipa), pageBytes: Number(end.pageBytes) };
    case "not-covered":
      return { kind: end.kind, reason: end.reason };
    default:
      return { kind: end.kind, fault: end.fault === undefined ? null : faultJson(end.fault), recorded: end.recorded };
  }
}

function faultJson(fault: ExplainedFault): object {
  const { stage, type } = fault;
  return { type, stage: stage ?? null, class: fault.class ?? null, address: hexOrNull(fault.inputAddress) };
}

function hexOrNull(value: bigint | undefined): string | null {
  return value === undefined ? null : hex(value);
}
