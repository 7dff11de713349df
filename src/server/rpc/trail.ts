// What becomes known of a call while it runs, for the audit log: who calls, for which session, about what and why.

import { status } from "@grpc/grpc-js";
import { assert } from "../../spec/assert.ts";
import type { Caller } from "../core/caller.ts";

export interface Trail {
  readonly verb: string;
  caller: Caller | undefined;
  session: string | undefined;
  requestID: string;
  subjects: readonly string[];
  reason: string;
  code: status;
  error: unknown;
}

const NO_SUBJECTS: readonly string[] = [];

export function newTrail(verb: string): Trail {
  const [caller, session, error] = [undefined, undefined, undefined];
  return { verb, caller, session, requestID: "", subjects: NO_SUBJECTS, reason: "", code: status.OK, error };
}

/** A call is admitted, and so its caller known, before anything is answered. */
export function callerIn({ caller }: Trail): Caller {
  assert(caller !== undefined, "a call is answered before it was admitted");
  return caller;
}

/** What a request says of itself is noted up to here; longer is refused anyway. */
const NOTED_CHARACTERS_MAX = 128;
const NOTED_BINDS_MAX = 16;
const SUBJECT_FIELDS = ["device", "session", "addressSpace", "virtualIommu"] as const;

/** Notes what a request names. Requests are read by these fields' names alone: nothing else of them is noted. */
export function noted<Req>(request: Req, trail: Trail): Req {
  if (typeof request !== "object" || request === null) return request;
  trail.requestID = textIn(request, "requestId");
  trail.reason = textIn(request, "reason");
  const subjects: string[] = [];
  noteSubjects(request, subjects);
  for (const bind of bindsIn(request)) noteSubjects(bind, subjects);
  trail.subjects = subjects;
  return request;
}

function noteSubjects(request: object, subjects: string[]): void {
  for (const field of SUBJECT_FIELDS) {
    const text = textIn(request, field);
    if (text !== "") subjects.push(text);
  }
}

function textIn(request: object, field: string): string {
  const value: unknown = Reflect.get(request, field);
  return typeof value === "string" ? value.slice(0, NOTED_CHARACTERS_MAX) : "";
}

/** The first of a batch. */
function bindsIn(request: object): readonly object[] {
  const binds: unknown = Reflect.get(request, "requests");
  return Array.isArray(binds) ? binds.slice(0, NOTED_BINDS_MAX).filter((each) => typeof each === "object") : [];
}
