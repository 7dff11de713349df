// Rare facts become counters as they happen: what core tells through BrokerEvents, and what the edge tells of its calls.
// Nobody calls metrics; daemon.ts connects these observers to what they observe.

import type { Counter, Registry } from "prom-client";
import { limitOf } from "../backends/errors.ts";
import type { BrokerEvent, BrokerEvents } from "../server/core/events.ts";
import { QUOTAS } from "../server/core/policy.ts";
import { LOSS_REASONS, SESSION_STATES } from "../server/core/session.ts";
import { assertNever } from "../spec/assert.ts";
import { METRICS } from "./catalog.ts";
import { counter, histogram } from "./instruments.ts";
import { boundedValues } from "./label-values.ts";

/** A call, as the edge names it. */
export interface ObservedCall {
  readonly service: string;
  readonly method: string;
  readonly grpcType: string;
}

export interface RpcObserver {
  started(call: ObservedCall): void;
  message(call: ObservedCall, direction: "received" | "sent"): void;
  /** `code`: the number of the gRPC status. `error`: what the call was refused or failed with. */
  ended(call: ObservedCall & { readonly code: number; readonly seconds: number; readonly error: unknown }): void;
  bug(): void;
  /** A limit outside of any call. */
  limited(limit: string): void;
  /** Brings the registry up to date; to be called before each scrape. */
  sample(): void;
}

/** Statuses as Go's gRPC spells them, which is how dashboards select them. */
const CODES = [
  "OK",
  "Canceled",
  "Unknown",
  "InvalidArgument",
  "DeadlineExceeded",
  "NotFound",
  "AlreadyExists",
  "PermissionDenied",
  "ResourceExhausted",
  "FailedPrecondition",
  "Aborted",
  "OutOfRange",
  "Unimplemented",
  "Internal",
  "Unavailable",
  "DataLoss",
  "Unauthenticated",
] as const;

/** Limits that a call or a descriptor can be refused by; a name that is not here is counted as "other". */
export const LIMITS: ReadonlySet<string> = new Set([
  "sessions_max",
  "address_spaces_per_session_max",
  "virtual_iommus_per_session_max",
  "devices_per_session_max",
  "mappings_per_address_space_max",
  "mappings_per_call_max",
  "sources_per_call_max",
  "commands_per_call_max",
  "invalidation_streams_per_session_max",
  "invalidation_batches_outstanding_max",
  "binds_per_call_max",
  "fault_streams_per_session_max",
  "fault_observers_max",
  "queue_depth_max",
  "waiters_per_group_max",
  "device_watches_max",
  "open_memory_files_max",
  "tickets_max",
  "tickets_per_peer_max",
  "fd_connections_max",
  "request_ids_in_flight",
  "keep_alive_streams_per_session",
  "queued_notices",
  "accesses_per_call_max",
  "data_bytes_per_call_max",
  "simulated_host_physical_address_space",
  "simulated_host_ram_bytes",
  "stage2_leaves_per_address_space",
  "stage2_tables_per_virtual_iommu",
  "vmids",
  "kernel_calls_waiting",
  "kernel_calls_waiting_per_session",
  "locked_memory",
  "quota_sessions",
  "quota_devices",
  "quota_mapped_bytes",
  "quota_fault_streams",
  "quota_calls_per_second",
]);
const OTHER_LIMIT = "other";

/** Names of rules with series of their own, over all reloads of the policy. */
const RULES_MAX = 256;

/**
 * Calls are frequent: they are counted in plain numbers, which the scrape reads. Only their duration is given away at once.
 * @param calls  every RPC that is served, so that its series begin at 0 and not at the first call
 */
export function observeRpc(registry: Registry, calls: readonly ObservedCall[]): RpcObserver {
  const seconds = histogram(registry, METRICS.rpcSeconds);
  const bugs = counter(registry, METRICS.bugs);
  const limits = counter(registry, METRICS.limitsReached);
  for (const limit of LIMITS) limits.inc({ limit }, 0);
  const tallies = new RpcTallies(registry);
  for (const call of calls) seconds.zero(tallies.of(call).labels);
  const limited = (limit: string): void => limits.inc({ limit: LIMITS.has(limit) ? limit : OTHER_LIMIT });
  return {
    started: (call) => {
      tallies.of(call).started += 1;
    },
    message: (call, direction) => {
      tallies.of(call)[direction] += 1;
    },
    ended: (call) => {
      const tally = tallies.of(call);
      tally.handled[call.code] = (tally.handled[call.code] ?? 0) + 1;
      seconds.observe(tally.labels, call.seconds);
      const limit = call.error === undefined ? undefined : limitOf(call.error);
      if (limit !== undefined) limited(limit);
    },
    bug: () => bugs.inc(),
    limited,
    sample: () => tallies.sample(),
  };
}

type RpcLabels = ReturnType<typeof labelsOf>;

interface RpcTally {
  readonly labels: RpcLabels;
  started: number;
  received: number;
  sent: number;
  /** By number of the gRPC status; a hole where there was none. */
  readonly handled: number[];
}

/** By service and method; there are as many as RPCs. */
class RpcTallies {
  readonly #byService = new Map<string, Map<string, RpcTally>>();
  readonly #started: Counter<keyof RpcLabels>;
  readonly #received: Counter<keyof RpcLabels>;
  readonly #sent: Counter<keyof RpcLabels>;
  readonly #handled: Counter<keyof RpcLabels | "grpc_code">;

  constructor(registry: Registry) {
    this.#started = counter(registry, METRICS.rpcStarted);
    this.#handled = counter(registry, METRICS.rpcHandled);
    this.#received = counter(registry, METRICS.rpcReceived);
    this.#sent = counter(registry, METRICS.rpcSent);
  }

  of(call: ObservedCall): RpcTally {
    return this.#byService.get(call.service)?.get(call.method) ?? this.#add(call);
  }

  /** Sets the counters to what was counted. */
  sample(): void {
    for (const each of [this.#started, this.#received, this.#sent, this.#handled]) each.reset();
    for (const { labels, handled, received, sent, started } of this.#all()) {
      this.#started.inc(labels, started);
      this.#received.inc(labels, received);
      this.#sent.inc(labels, sent);
      for (const [code, count] of handled.entries()) {
        if (count !== undefined) this.#handled.inc({ ...labels, grpc_code: CODES[code] ?? "Unknown" }, count);
      }
    }
  }

  #all(): RpcTally[] {
    return [...this.#byService.values()].flatMap((methods) => [...methods.values()]);
  }

  #add(call: ObservedCall): RpcTally {
    const tally = { labels: labelsOf(call), started: 0, received: 0, sent: 0, handled: [0] };
    const methods = this.#byService.get(call.service) ?? new Map<string, RpcTally>();
    this.#byService.set(call.service, methods.set(call.method, tally));
    return tally;
  }
}

/** Reloads by SIGHUP: "done", or "failed" and what was in force stays. */
export function observeReloads(registry: Registry): (outcome: "done" | "failed") => void {
  const reloads = counter(registry, METRICS.reloads);
  for (const outcome of ["done", "failed"]) reloads.inc({ outcome }, 0);
  return (outcome) => reloads.inc({ outcome });
}

export function observeEvents(registry: Registry, events: BrokerEvents): void {
  const stageChanges = counter(registry, METRICS.stageChanges);
  const sessionsOpened = counter(registry, METRICS.sessionsOpened);
  const sessionsEnded = counter(registry, METRICS.sessionsEnded);
  const sessionsLost = counter(registry, METRICS.sessionsLost);
  const sessionsResumed = counter(registry, METRICS.sessionsResumed);
  const sessionsClaimed = counter(registry, METRICS.sessionsClaimed);
  const devicesReaped = counter(registry, METRICS.devicesReaped);
  const reapFailures = counter(registry, METRICS.reapFailures);
  const leaseConflicts = counter(registry, METRICS.leaseConflicts);
  const deviceChanges = counter(registry, METRICS.deviceChanges);
  const stalls = counter(registry, METRICS.stalls);
  const preemptions = counter(registry, METRICS.preemptions);
  const resets = counter(registry, METRICS.resets);
  const quarantines = counter(registry, METRICS.quarantines);
  const handOuts = counter(registry, METRICS.handOuts);
  for (const how of ["brokered", "vended"]) handOuts.inc({ how }, 0);
  const sessionsRecovered = counter(registry, METRICS.sessionsRecovered);
  for (const outcome of ["taken", "handed_over", "called_off", "failed"]) preemptions.inc({ outcome }, 0);
  for (const result of ["done", "absent", "failed"]) resets.inc({ result }, 0);
  const ticketsEnded = counter(registry, METRICS.ticketsEnded);
  const putsRefused = counter(registry, METRICS.putsRefused);
  for (const outcome of ["used", "expired"]) ticketsEnded.inc({ outcome }, 0);
  for (const outcome of ["restored", "given_up"]) sessionsRecovered.inc({ outcome }, 0);
  for (const reason of ["closed", "revoked", ...LOSS_REASONS]) sessionsEnded.inc({ reason }, 0);
  for (const reason of LOSS_REASONS) sessionsLost.inc({ reason }, 0);
  for (const was of SESSION_STATES) sessionsResumed.inc({ was }, 0);
  for (const state of [...SESSION_STATES, "ending"]) leaseConflicts.inc({ reason: `owner_${state}` }, 0);
  const policyDenials = counter(registry, METRICS.policyDenials);
  const rule = boundedValues(RULES_MAX);
  const quotasReached = counter(registry, METRICS.quotasReached);
  const devicesForced = counter(registry, METRICS.devicesForced);
  for (const quota of [...QUOTAS, "calls_per_second"]) quotasReached.inc({ quota }, 0);
  for (const change of ["added", "removed"]) deviceChanges.inc({ change }, 0);
  events.subscribe((event: BrokerEvent) => {
    switch (event.type) {
      case "stageChanged":
        return stageChanges.inc({ from: event.from, to: event.to, trigger: event.trigger });
      case "sessionOpened":
        return sessionsOpened.inc();
      case "sessionEnded":
        return sessionsEnded.inc({ reason: event.reason });
      case "sessionLost":
        return sessionsLost.inc({ reason: event.reason });
      case "sessionResumed":
        return sessionsResumed.inc({ was: event.was });
      case "sessionClaimed":
        return sessionsClaimed.inc();
      case "sessionRestored":
        return sessionsRecovered.inc({ outcome: "restored" });
      case "sessionGivenUp":
        return sessionsRecovered.inc({ outcome: "given_up" });
      case "reaped":
        return devicesReaped.inc(event.devices);
      case "reapFailed":
        return reapFailures.inc();
      case "leaseConflict":
        return leaseConflicts.inc({ reason: `owner_${event.ownerState}` });
      case "preempted":
        return;
      case "preemptionEnded":
        return preemptions.inc({ outcome: event.outcome });
      case "deviceReset":
        return resets.inc({ result: event.result });
      case "quarantined":
        return quarantines.inc();
      case "handedOut":
        return handOuts.inc({ how: event.how });
      case "descriptorsTaken":
        return ticketsEnded.inc({ outcome: "used" });
      case "deviceTicketExpired":
        return ticketsEnded.inc({ outcome: "expired" });
      case "deviceAdded":
        return deviceChanges.inc({ change: "added" });
      case "deviceRemoved":
        return deviceChanges.inc({ change: "removed" });
      case "stalled":
        return stalls.inc();
      case "ticketUsed":
        return ticketsEnded.inc({ outcome: "used" });
      case "ticketExpired":
        return ticketsEnded.inc({ outcome: "expired" });
      case "putRefused":
        return putsRefused.inc();
      case "groupHeld":
        return undefined; // the census has its state
      case "memoryChanged":
        return undefined; // the census has the bytes
      case "policyDenied":
        return policyDenials.inc({ rule: rule(event.rule), verb: event.verb });
      case "quotaReached":
        return quotasReached.inc({ quota: event.quota });
      case "deviceForced":
        return devicesForced.inc();
      default:
        return assertNever(event, "broker event");
    }
  });
}

function labelsOf(call: ObservedCall): { grpc_type: string; grpc_service: string; grpc_method: string } {
  return { grpc_type: call.grpcType, grpc_service: call.service, grpc_method: call.method };
}
