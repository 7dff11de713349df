// Rare facts become log lines. A client can bring some of them about as often as it likes, so those have a key, and a
// line with the same key is written at most once in ten seconds, with how many were left out.

import { limitOf } from "../backends/errors.ts";
import { assertNever } from "../spec/assert.ts";
import { describeCaller, identityOf } from "./core/caller.ts";
import type { BrokerEvent, BrokerEvents } from "./core/events.ts";
import type { Clock } from "./core/ports.ts";
import type { Log, LogFacts } from "./log.ts";

const QUIET_MS = 10_000;
/** Distinct keys that are remembered; beyond it the oldest is forgotten, and its line may come again early. */
const REMEMBERED_MAX = 256;

/** Writes a line unless one with the same key came within the last ten seconds. */
export class Throttle {
  readonly #clock: Clock;
  readonly #lines = new Map<string, { readonly sinceMs: number; left: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `write` is given how many lines were left out before this one, as a fact to log. */
  run(key: string, write: (left: LogFacts) => void): void {
    const nowMs = this.#clock.monotonicMs();
    const line = this.#lines.get(key);
    if (line !== undefined && nowMs - line.sinceMs < QUIET_MS) {
      line.left += 1;
      return;
    }
    this.#lines.delete(key); // so that it is the newest again
    this.#lines.set(key, { sinceMs: nowMs, left: 0 });
    const [oldest] = this.#lines.keys();
    if (this.#lines.size > REMEMBERED_MAX && oldest !== undefined) this.#lines.delete(oldest);
    write(line === undefined || line.left === 0 ? {} : { left: line.left });
  }
}

export function logEvents(events: BrokerEvents, log: Log, throttle: Throttle): void {
  events.subscribe((event) => {
    const { level, facts, message, key } = lineOf(event);
    if (key === undefined) log[level](facts, message);
    else throttle.run(key, (left) => log[level]({ ...facts, ...left }, message));
  });
}

/** A call that a limit refused: an operator may want to raise it. Other errors are the client's to see. */
export function logLimit(error: unknown, log: Log, throttle: Throttle): void {
  const limit = limitOf(error);
  if (limit !== undefined) throttle.run(`limit ${limit}`, (left) => log.warn({ limit, ...left }, "limit reached"));
}

interface Line {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly facts: LogFacts;
  readonly message: string;
  /** Present: write lines of this key rarely. */
  readonly key?: string;
}

function lineOf(event: BrokerEvent): Line {
  switch (event.type) {
    case "stageChanged": {
      const { group, from, to, trigger, generation, session } = event;
      const facts = { group, device: event.devices.join(" "), from, to, trigger, generation, ...given(session) };
      return { level: "debug", facts, message: "stage changed" };
    }
    case "sessionOpened":
      return { level: "debug", facts: { session: event.session, owner: event.displayName }, message: "session opened" };
    case "sessionEnded": {
      const facts = { session: event.session, owner: event.displayName, reason: event.reason };
      if (event.reason === "closed") return { level: "debug", facts, message: "session closed" };
      if (event.reason === "revoked") return { level: "warn", facts, message: "session revoked by an administrator" };
      return { level: "warn", facts, message: event.reason === "lease_expired" ? "lease expired" : "session ended" };
    }
    case "sessionLost": {
      const { session, displayName, reason, graceMs } = event;
      const facts = { session, owner: displayName, reason, facts: { graceMs } };
      return { level: "warn", facts, message: "session lost: its devices go to abort" };
    }
    case "sessionResumed": {
      const facts = { session: event.session, owner: event.displayName, facts: { was: event.was } };
      return { level: "info", facts, message: "session resumed" };
    }
    case "sessionClaimed": {
      const facts = { session: event.session, owner: event.displayName, facts: { to: event.to } };
      return { level: "info", facts, message: "session claimed" };
    }
    case "reaped":
      return {
        level: "debug",
        facts: { session: event.session, devices: event.devices },
        message: "session given back",
      };
    case "reapFailed": {
      const { session, subject, error } = event;
      const message = "could not be given back; will be tried again";
      return {
        level: "error",
        facts: { ...given(session), subject, error },
        message,
        key: `reap ${session} ${subject}`,
      };
    }
    case "leaseConflict": {
      const { device, session, owner } = event;
      const message = "refused: another session owns the device";
      return { level: "info", facts: { device, session, owner }, message, key: `conflict ${device}` };
    }
    case "memoryChanged": {
      const { session, addressSpace, change, ranges, bytes } = event;
      return { level: "debug", facts: { session, subject: addressSpace, facts: { ranges, bytes } }, message: change };
    }
    case "policyDenied": {
      const { caller, verb, rule, subject } = event;
      const facts = {
        owner: describeCaller(caller),
        trigger: verb,
        reason: rule,
        ...(subject === undefined ? {} : { subject }),
      };
      return {
        level: "info",
        facts,
        message: "refused by the policy",
        key: `denied ${identityOf(caller)} ${verb} ${rule}`,
      };
    }
    case "quotaReached": {
      const { quota, identity, rule } = event;
      const facts = { limit: `quota_${quota}`, owner: identity, reason: rule };
      return { level: "warn", facts, message: "quota reached", key: `quota ${quota} ${identity}` };
    }
    case "deviceForced": {
      const { device, session, reason } = event;
      return { level: "warn", facts: { device, session, reason }, message: "device taken back by an administrator" };
    }
    case "stalled": {
      const facts = { facts: { awayMs: Math.round(event.awayMs), sessions: event.sessions } };
      return { level: "warn", facts, message: "the daemon stood still: every lease starts anew", key: "stalled" };
    }
    case "sessionRestored": {
      const facts = { session: event.session, owner: event.displayName };
      return { level: "info", facts, message: "session restored" };
    }
    case "sessionGivenUp": {
      const { session, error } = event;
      const facts = { session, owner: event.displayName, error };
      return { level: "warn", facts, message: "session could not be restored: its devices are the host's again" };
    }
    case "groupHeld": {
      const { devices, error, generation, group, session } = event;
      const message = "a group did not come back to its session: a process still has its device's node open";
      return { level: "warn", facts: { session, group, device: devices.join(" "), generation, error }, message };
    }
    case "preempted": {
      const { device, session, by, graceMs } = event;
      const message = "a session of higher priority asked for the device";
      return { level: "info", facts: { device, session, facts: { by, graceMs } }, message, key: `preempt ${device}` };
    }
    case "preemptionEnded": {
      const { group, session, outcome } = event;
      const level = outcome === "failed" ? "error" : "info";
      return { level, facts: { group, session, facts: { outcome } }, message: "preemption ended", key: `end ${group}` };
    }
    case "deviceReset": {
      const { device, result } = event;
      if (result === "done") return { level: "debug", facts: { device }, message: "device reset" };
      return {
        level: "warn",
        facts: { device, facts: { result } },
        message: "device not reset",
        key: `reset ${device}`,
      };
    }
    case "quarantined": {
      const { device, group, reason } = event;
      const message = "quarantined: the device could not be reset after its owner";
      return { level: "error", facts: { device, group, facts: { reason } }, message };
    }
    case "handedOut": {
      const { device, how, session } = event;
      const message = "a ticket for the device's descriptors was given: its stage is not the broker's alone any more";
      return { level: "info", facts: { device, session, facts: { how } }, message, key: `hand out ${device}` };
    }
    case "descriptorsTaken": {
      const { device, session } = event;
      return { level: "info", facts: { device, session }, message: "descriptors fetched", key: `take ${device}` };
    }
    case "deviceTicketExpired": {
      const { device, uid, pid } = event;
      const message = "descriptors of a device were asked for and not fetched in time";
      return { level: "warn", facts: { device, facts: { uid, pid } }, message, key: `ticket ${uid}` };
    }
    case "ticketExpired": {
      const { label, uid, pid } = event;
      const message = "a passed descriptor was not mapped in time: closed";
      return { level: "warn", facts: { facts: { label, uid, pid } }, message, key: `ticket ${uid}` };
    }
    case "ticketUsed":
      return { level: "debug", facts: {}, message: "passed descriptor mapped" };
    case "putRefused": {
      const { uid, pid, why, limit } = event;
      const facts = { facts: { uid, pid, why }, ...(limit === undefined ? {} : { limit }) };
      return { level: "info", facts, message: "descriptor refused", key: `put ${uid}` };
    }
    case "deviceAdded":
      return { level: "info", facts: { device: event.device }, message: "device appeared" };
    case "deviceRemoved":
      return { level: "warn", facts: { device: event.device, ...given(event.session) }, message: "device disappeared" };
    default:
      return assertNever(event, "broker event");
  }
}

function given(session: string | undefined): LogFacts {
  return session === undefined ? {} : { session };
}
