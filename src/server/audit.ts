// The audit log: who did what, and what came of it. A line for each call that may change something ("call"), and one for
// each change that followed, whoever caused it ("session", "stage", "memory", "device"); refusals by the policy are
// "denied". Lines of one session have its id; those of a call have its request id.
// What goes in is picked field by field: no token, no digest, no memory. Refusals can come as often as a client likes, so
// a line like another of the last ten seconds is left out, and counted in the next.

import { BrokerError } from "../backends/errors.ts";
import type { VSTE } from "../backends/vste.ts";
import { hex } from "../spec/u64.ts";
import { type Caller, describeCaller, identityOf } from "./core/caller.ts";
import type { BrokerEvent, BrokerEvents } from "./core/events.ts";
import { factsOf } from "./core/policy.ts";
import { VERBS } from "./core/policy-verbs.ts";
import type { Throttle } from "./event-log.ts";
import type { AuditLine } from "./log.ts";

/** A call that is over, as the edge tells it. */
export interface AuditedCall {
  readonly verb: string;
  readonly caller: Caller | undefined;
  readonly session: string | undefined;
  readonly requestID: string;
  readonly subjects: readonly string[];
  readonly reason: string;
  /** The gRPC status; 0 is OK. */
  readonly code: number;
  readonly error: unknown;
}

type Write = (line: AuditLine) => void;

/** What only looks: not worth a line. */
const LOOKING: ReadonlySet<string> = new Set([
  ...VERBS.read,
  "ListFaults",
  "ExplainTranslation",
  "ListSessions",
  "GetEffectivePolicy",
  "GetLogLevel",
  "Translate",
  "ReadMemory",
  "ReadStructures",
  "ListMsis",
  "Dma",
  "WriteMemory",
  "InvalidateCache",
  "StreamInvalidations",
]);

interface Owner {
  readonly displayName: string;
  readonly caller: Caller;
}

export class Audit {
  readonly #write: Write;
  readonly #throttle: Throttle;
  readonly #ownerOf: (session: string) => Owner | undefined;
  /** A caller never changes: it is put into words once. */
  readonly #known = new WeakMap<Caller, CallerWords>();

  constructor(deps: { write: Write; throttle: Throttle; ownerOf(session: string): Owner | undefined }) {
    this.#write = deps.write;
    this.#throttle = deps.throttle;
    this.#ownerOf = deps.ownerOf;
  }

  follow(events: BrokerEvents): void {
    events.subscribe((event) => this.#event(event));
  }

  call(act: AuditedCall): void {
    if (LOOKING.has(act.verb)) return;
    const { error } = act;
    const code = error instanceof BrokerError ? error.code : error === undefined ? undefined : "internal";
    if (code === "policy_denied" || code === "limit_reached") {
      this.#refusal(act, code);
      return;
    }
    this.#write({ event: "call", ...this.#who(act.caller, act.session), ...callFacts(act), outcome: code ?? "done" });
  }

  /** The policy's own refusals have lines of their own; others of this kind are as cheap to cause. */
  #refusal(act: AuditedCall, code: string): void {
    if (code === "policy_denied" && act.error instanceof BrokerError && act.error.facts.verb !== undefined) return;
    const key = `audit ${act.caller === undefined ? "" : identityOf(act.caller)} ${act.verb} ${code}`;
    const line = { event: "call", ...this.#who(act.caller, act.session), ...callFacts(act), outcome: code };
    this.#throttle.run(key, (left) => this.#write({ ...line, ...leftOut(left) }));
  }

  #event(event: BrokerEvent): void {
    if (event.type === "policyDenied") {
      const { caller, rule, subject, verb } = event;
      const line = { event: "denied", ...this.#who(caller, undefined), verb, rule, subject };
      this.#throttle.run(`audit ${identityOf(caller)} ${verb} ${rule}`, (left) =>
        this.#write({ ...line, ...leftOut(left) }),
      );
      return;
    }
    const line = this.#lineOf(event);
    if (line !== undefined) this.#write(line);
  }

  /** Undefined: counted and logged elsewhere, no act of anybody. */
  #lineOf(event: BrokerEvent): AuditLine | undefined {
    switch (event.type) {
      case "sessionOpened":
        return { event: "session", change: "opened", ...this.#of(event.session) };
      case "sessionRestored":
        return { event: "session", change: "restored", ...this.#of(event.session) };
      case "sessionLost":
        return { event: "session", change: "lost", reason: event.reason, ...this.#of(event.session) };
      case "sessionResumed":
        return { event: "session", change: "resumed", was: event.was, ...this.#of(event.session) };
      case "sessionClaimed":
        return { event: "session", change: "claimed", ...this.#of(event.session) };
      case "sessionEnded":
        return { event: "session", change: event.reason, ...this.#of(event.session) };
      case "sessionGivenUp":
        return { event: "session", change: "given up", session: event.session, owner: event.displayName };
      case "reaped":
        return { event: "session", change: "given back", session: event.session, devices: event.devices };
      case "stageChanged": {
        const { devices, from, generation, group, pageTable, session, to, trigger, vste } = event;
        const table = pageTable && { page_table: hex(pageTable.root), address_bits: pageTable.addressBits };
        const ste = { ste_from: words(vste.from), ste_to: words(vste.to), ...table };
        return { event: "stage", ...this.#of(session), devices, group, trigger, from, to, generation, ...ste };
      }
      case "memoryChanged": {
        const { addressSpace, bytes, change, ranges, session } = event;
        return { event: "memory", change, ...this.#of(session), address_space: addressSpace, ranges, bytes };
      }
      case "deviceForced": {
        const { device, reason, session } = event;
        return { event: "device", change: "force released", device, reason, ...this.#of(session) };
      }
      case "preempted":
        return { event: "device", change: "preempted", device: event.device, by: event.by, ...this.#of(event.session) };
      case "deviceReset":
        return { event: "device", change: "reset", device: event.device, result: event.result };
      case "quarantined":
        return {
          event: "device",
          change: "quarantined",
          device: event.device,
          group: event.group,
          reason: event.reason,
        };
      case "groupHeld": {
        const { devices, generation, group, session } = event;
        return { event: "device", change: "still held", devices, group, generation, ...this.#of(session) };
      }
      case "handedOut": {
        const { device, how, session } = event;
        return { event: "device", change: "handed out", device, how, ...this.#of(session) };
      }
      case "descriptorsTaken":
        return { event: "device", change: "descriptors taken", device: event.device, ...this.#of(event.session) };
      case "deviceRemoved":
        return { event: "device", change: "removed", device: event.device, ...this.#of(event.session) };
      default:
        return undefined;
    }
  }

  #of(session: string | undefined): Record<string, string | number | undefined> {
    return this.#who(undefined, session);
  }

  /** Who calls; else whose the session is. */
  #who(caller: Caller | undefined, session: string | undefined): Record<string, string | number | undefined> {
    const owner = session === undefined ? undefined : this.#ownerOf(session);
    const who = caller ?? owner?.caller;
    if (who === undefined) return { session };
    const known = this.#known.get(who) ?? wordsFor(who);
    this.#known.set(who, known);
    return { ...known, session, owner: owner?.displayName };
  }
}

interface CallerWords {
  readonly identity: string;
  readonly caller: string;
  readonly pid: number | undefined;
  readonly executable: string | undefined;
}

function wordsFor(caller: Caller): CallerWords {
  const pid = caller.kind === "process" ? caller.pid : undefined;
  return { identity: identityOf(caller), caller: describeCaller(caller), pid, executable: factsOf(caller).executable };
}

function callFacts({ code, error, reason, requestID, subjects, verb }: AuditedCall): Omit<AuditLine, "event"> {
  return {
    verb,
    subjects: subjects.length === 0 ? undefined : subjects,
    request_id: requestID === "" ? undefined : requestID,
    reason: reason === "" ? undefined : reason,
    code,
    error: error instanceof BrokerError ? error.message : undefined,
  };
}

/** Doublewords 0 and 1 of a guest's STE. */
function words(vste: VSTE | undefined): readonly string[] | undefined {
  return vste && [hex(vste.dword0), hex(vste.dword1)];
}

function leftOut({ left }: { readonly left?: number }): { left?: number } {
  return left === undefined ? {} : { left };
}
