// What is asked about faults, from messages: which devices and events, from where on, and the answer to one that waits.

import { invalidField } from "../../backends/errors.ts";
import { type FaultAnswer, PAGE_REQUEST } from "../../backends/faults.ts";
import type { DeviceID } from "../../backends/ids.ts";
import { EVENT_NUMBER } from "../../spec/events.ts";
import { nearest } from "../../spec/nearest.ts";
import type { FaultListRequest, FaultWatchRequest } from "../core/fault-verbs.ts";
import { iommubroker } from "./codec.ts";
import { pageSize } from "./convert-device.ts";
import { allOf, eachOf, enumeration } from "./field.ts";
import { parseHeartbeat } from "./heartbeat.ts";
import { bigintOf } from "./int64.ts";
import { parseDevice } from "./names.ts";

export interface FaultWatchParsed extends FaultWatchRequest {
  /** Event names; undefined: all. */
  readonly types: ReadonlySet<string> | undefined;
  readonly heartbeatMs: number;
}

export function parseWatchFaults(
  request: iommubroker.v1.WatchFaultsRequest,
  heartbeatDefaultMs: number,
): FaultWatchParsed {
  const resumed = Object.entries(request.resumeAfter);
  const parsed = allOf({
    devices: () => eachOf(eachOnce(request.devices), "devices", parseDevice),
    resumeAfter: () => new Map(eachResumed(resumed)),
    types: () => parseTypes(request.types),
    heartbeatMs: () => parseHeartbeat(request.heartbeatMs, heartbeatDefaultMs),
  });
  return {
    ...parsed,
    fromStart: request.fromStart,
    types: parsed.types.length === 0 ? undefined : new Set(parsed.types),
  };
}

export function parseListFaults(request: iommubroker.v1.ListFaultsRequest): FaultListRequest {
  const { pageToken } = request;
  return allOf({
    devices: () => eachOf(eachOnce(request.devices), "devices", parseDevice),
    types: () => parseTypes(request.types),
    pageSize: () => pageSize(request.pageSize),
    pageToken: () => {
      if (pageToken.length <= PAGE_TOKEN_CHARACTERS_MAX) return pageToken;
      throw invalidField("page_token", "must be the next_page_token of an earlier answer, or empty");
    },
  });
}

const Action = iommubroker.v1.FaultAction;
const ANSWERS: ReadonlyMap<number, FaultAnswer> = new Map([
  [Action.FAULT_ACTION_RETRY, "retry"],
  [Action.FAULT_ACTION_ABORT, "abort"],
  [Action.FAULT_ACTION_TERMINATE, "terminate"],
  [Action.FAULT_ACTION_SUCCESS, "success"],
  [Action.FAULT_ACTION_INVALID, "invalid"],
  [Action.FAULT_ACTION_FAILURE, "failure"],
]);

export function parseRespondToFault(request: iommubroker.v1.RespondToFaultRequest): {
  readonly token: string;
  readonly answer: FaultAnswer;
} {
  const { responseToken: token } = request;
  return allOf({
    token: () => {
      if (token !== "" && token.length <= RESPONSE_TOKEN_CHARACTERS_MAX) return token;
      throw invalidField("response_token", "must be the response_token in an event's pending");
    },
    answer: () =>
      enumeration(
        request.action,
        "action",
        ANSWERS,
        "RETRY, ABORT or TERMINATE for a stall, SUCCESS, INVALID or FAILURE for page requests",
      ),
  });
}

const EVENT_NAMES: readonly string[] = [...Object.keys(EVENT_NUMBER), PAGE_REQUEST];

const TYPES_MAX = 32;
const TYPE_SHOWN_MAX = 40;
const RESUME_KEY_SHOWN_MAX = 80;
const PAGE_TOKEN_CHARACTERS_MAX = 1024;
const RESPONSE_TOKEN_CHARACTERS_MAX = 256;

function parseTypes(types: readonly string[]): string[] {
  if (types.length > TYPES_MAX) throw invalidField("types", `must name at most ${TYPES_MAX} events; empty: all`);
  return eachOf(types, "types", (type, path) => {
    if (EVENT_NAMES.includes(type)) return type;
    const shown = type.slice(0, TYPE_SHOWN_MAX);
    const near = nearest(shown, EVENT_NAMES);
    const hint = near === undefined ? `known are ${EVENT_NAMES.join(", ")}` : `did you mean ${near}?`;
    throw invalidField(path, `${JSON.stringify(shown)} is no event name; ${hint}`);
  });
}

/** A list that names one device many times would cost every fault of any device a look through all of it. */
function eachOnce(names: readonly string[]): readonly string[] {
  const seen = new Set<string>();
  names.forEach((name, index) => {
    if (seen.has(name)) throw invalidField(`devices[${index}]`, "is named twice");
    seen.add(name);
  });
  return names;
}

function eachResumed(entries: readonly [string, Parameters<typeof bigintOf>[0]][]): [DeviceID, bigint][] {
  const devices = eachOf(
    entries.map(([name]) => name),
    "resume_after",
    (name) => parseDevice(name, `resume_after["${name.slice(0, RESUME_KEY_SHOWN_MAX)}"]`),
  );
  return devices.map((device, index) => [device, bigintOf(entries[index]?.[1] ?? 0)]);
}
