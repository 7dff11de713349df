// Who may do what, to which device, how much of it: rules in order, the first that matches decides, none denies.
// A pure decision on facts that somebody vouches for. A fact that is not known matches no rule that asks for it.
// A rule limited to devices or paths speaks of calls that name one; asked before one is named, it may allow but not deny,
// so that the call gets as far as where it is named, and is decided there. docs/policy.md is the reference.

import { assertNever } from "../../spec/assert.ts";
import type { Caller } from "./caller.ts";
import { matchesGlob } from "./glob.ts";
import { type VerbGroup, verbGroup } from "./policy-verbs.ts";

/** What is known of a caller; undefined: nobody vouches for it. */
export interface CallerFacts {
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  /** Absolute path. */
  readonly executable: string | undefined;
  /** Path below the root of the cgroup file system. */
  readonly cgroup: string | undefined;
  /** Names in its certificate: DNS names, SPIFFE ids. */
  readonly certificateNames: readonly string[];
  /** On a TCP connection where nobody vouches for anything. */
  readonly isUnauthenticatedTcp: boolean;
}

/** Holds when one of its alternatives does. */
export type Condition =
  | { readonly fact: "uid" | "gid"; readonly oneOf: readonly number[] }
  | { readonly fact: "executable" | "cgroup" | "certificate"; readonly oneOf: readonly string[] }
  | { readonly fact: "tcp_unauthenticated" };

export const QUOTAS = ["sessions", "devices", "mapped_bytes", "fault_streams"] as const;
/** What an identity can have only so much of, over all its sessions. */
export type Quota = (typeof QUOTAS)[number];

export interface CallRate {
  readonly perSecond: number;
  /** Calls that may come at once after a pause. */
  readonly burst: number;
}

export interface PolicyRule {
  readonly name: string;
  readonly effect: "allow" | "deny";
  /** All must hold; empty: anybody. */
  readonly who: readonly Condition[];
  /** RPC names, groups of them, or "all". */
  readonly verbs: readonly string[];
  /** Device ids (globs) and IOMMU groups that it is limited to; undefined: all. */
  readonly devices: { readonly ids: readonly string[]; readonly groups: readonly number[] } | undefined;
  /** Paths (globs) of guest memory that it is limited to; undefined: all. */
  readonly memoryPaths: readonly string[] | undefined;
  readonly quotas: Readonly<Partial<Record<Quota, number>>>;
  readonly rate: CallRate | undefined;
  /** Who comes first where several wait for one device: the higher. */
  readonly priority: number;
  readonly mayPreempt: boolean;
}

export type Priority = Pick<PolicyRule, "priority" | "mayPreempt">;
/** Whoever no rule speaks for takes nothing from anybody. */
export const NO_PRIORITY: Priority = { priority: 0, mayPreempt: false };

export interface Policy {
  /** In order; the built-in ones come last. */
  readonly rules: readonly PolicyRule[];
}

/** What a call is about, as far as it is known when the question is put. */
export type Subject =
  | { readonly kind: "none" }
  | { readonly kind: "device"; readonly id: string; readonly group: number | undefined }
  | { readonly kind: "memory"; readonly path: string };

export type Verdict =
  | { readonly kind: "allow"; readonly rule: PolicyRule }
  | { readonly kind: "deny"; readonly rule: PolicyRule | undefined };

export const NO_SUBJECT: Subject = { kind: "none" };
export const DEFAULT_DENY = "default deny";

const NOTHING_GRANTED = { devices: undefined, memoryPaths: undefined, quotas: {}, rate: undefined } as const;

/**
 * The configured rules, and behind them the built-in ones: root and the daemon's own uid may do everything, the admin
 * uids may look and administer. Where nothing is configured, so may whoever reaches a TCP address that asks for no
 * certificate: to listen on one is already the decision to trust who can connect.
 */
export function policyWith(
  rules: readonly PolicyRule[],
  owners: { readonly daemonUid: number; readonly adminUids: readonly number[] },
): Policy {
  const owner = builtIn("built-in: root and the daemon", { fact: "uid", oneOf: [...new Set([0, owners.daemonUid])] }, [
    "all",
  ]);
  const admins = builtIn("built-in: admin uids", { fact: "uid", oneOf: owners.adminUids }, [
    "admin",
    "read",
    ...OBSERVING, // elsewhere than on the admin socket these need a session
  ]);
  const tcp = builtIn("built-in: unauthenticated TCP", { fact: "tcp_unauthenticated" }, ["all"]);
  return { rules: [...rules, owner, admins, ...(rules.length === 0 ? [tcp] : [])] };
}

const OBSERVING = ["WatchFaults", "ListFaults"];

function builtIn(name: string, condition: Condition, verbs: readonly string[]): PolicyRule {
  return { name, effect: "allow", who: [condition], verbs, ...NOTHING_GRANTED, priority: 0, mayPreempt: false };
}

export function decide(policy: Policy, caller: CallerFacts, verb: string, subject: Subject): Verdict {
  const rule = policy.rules.find((candidate) => mismatch(candidate, caller, verb, subject) === undefined);
  return rule?.effect === "allow" ? { kind: "allow", rule } : { kind: "deny", rule };
}

/** Why a rule does not speak of this call; undefined: it does. */
export function mismatch(rule: PolicyRule, caller: CallerFacts, verb: string, subject: Subject): string | undefined {
  const unmet = rule.who.find((condition) => !holds(condition, caller));
  if (unmet !== undefined) return `who: ${describeCondition(unmet)}, the caller ${describeFact(unmet, caller)}`;
  if (!covers(rule.verbs, verb)) return `verbs: ${rule.verbs.join(", ")} do not cover ${verb}`;
  return subjectMismatch(rule, subject);
}

function subjectMismatch(rule: PolicyRule, subject: Subject): string | undefined {
  const { devices, effect, memoryPaths } = rule;
  if (devices !== undefined) {
    if (subject.kind !== "device") return effect === "allow" ? undefined : "devices: no device is named yet";
    const { id, group } = subject;
    const isNamed = devices.ids.some((glob) => matchesGlob(glob, id));
    const isInGroup = group !== undefined && devices.groups.includes(group);
    if (!isNamed && !isInGroup) return `devices: ${listed(devices)} are not ${id}`;
  }
  if (memoryPaths === undefined) return undefined;
  if (subject.kind !== "memory") return effect === "allow" ? undefined : "memory_paths: no path is named yet";
  if (memoryPaths.some((glob) => matchesGlob(glob, subject.path))) return undefined;
  return `memory_paths: ${memoryPaths.join(", ")} do not match ${subject.path}`;
}

function listed(devices: { readonly ids: readonly string[]; readonly groups: readonly number[] }): string {
  return [...devices.ids, ...devices.groups.map((group) => `group ${group}`)].join(", ");
}

function covers(verbs: readonly string[], verb: string): boolean {
  const group: VerbGroup | undefined = verbGroup(verb);
  return verbs.some((word) => word === "all" || word === verb || (group !== undefined && word === group));
}

function holds(condition: Condition, caller: CallerFacts): boolean {
  switch (condition.fact) {
    case "uid":
      return caller.uid !== undefined && condition.oneOf.includes(caller.uid);
    case "gid":
      return caller.gid !== undefined && condition.oneOf.includes(caller.gid);
    case "executable":
    case "cgroup": {
      const known = caller[condition.fact];
      return known !== undefined && condition.oneOf.some((glob) => matchesGlob(glob, known));
    }
    case "certificate":
      return condition.oneOf.some((glob) => caller.certificateNames.some((name) => matchesGlob(glob, name)));
    case "tcp_unauthenticated":
      return caller.isUnauthenticatedTcp;
    default:
      return assertNever(condition, "policy condition");
  }
}

export function describeCondition(condition: Condition): string {
  if (condition.fact === "tcp_unauthenticated") return "tcp_unauthenticated";
  return `${condition.fact} ${condition.oneOf.join(" or ")}`;
}

function describeFact(condition: Condition, caller: CallerFacts): string {
  if (condition.fact === "tcp_unauthenticated") return "is known";
  if (condition.fact === "certificate") {
    return caller.certificateNames.length === 0 ? "has no certificate" : `has ${caller.certificateNames.join(", ")}`;
  }
  const known = caller[condition.fact];
  return known === undefined ? `has no known ${condition.fact}` : `has ${known}`;
}

/** What somebody vouches for. A process's executable and cgroup are known where it could be read. */
export function factsOf(caller: Caller): CallerFacts {
  const unknown = { uid: undefined, gid: undefined, executable: undefined, cgroup: undefined, certificateNames: [] };
  switch (caller.kind) {
    case "process": {
      const { uid, gid, executable, cgroup } = caller;
      return { ...unknown, uid, gid, executable, cgroup, isUnauthenticatedTcp: false };
    }
    case "certificate":
      return { ...unknown, certificateNames: [caller.name], isUnauthenticatedTcp: false };
    case "unknown":
      return { ...unknown, isUnauthenticatedTcp: true };
    default:
      return assertNever(caller, "caller");
  }
}
