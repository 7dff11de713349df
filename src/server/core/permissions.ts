// The policy in force: asked at the edge for each call, and by the verbs for each device, path and quota.
// What it grants counts for an identity over all its sessions. What is asked for but not yet in the records is reserved
// meanwhile, so that calls that run at once do not get together what none of them would get alone.
// Replacing the policy takes nothing away: it decides what comes next.

import { BrokerError } from "../../backends/errors.ts";
import { type Caller, describeCaller, identityOf } from "./caller.ts";
import type { BrokerEvents } from "./events.ts";
import {
  DEFAULT_DENY,
  decide,
  factsOf,
  NO_PRIORITY,
  NO_SUBJECT,
  type Policy,
  type PolicyRule,
  type Priority,
  type Quota,
  type Subject,
  type Verdict,
} from "./policy.ts";
import { isKeeping } from "./policy-verbs.ts";
import type { Clock } from "./ports.ts";
import { TokenBuckets } from "./token-buckets.ts";

export interface PermissionsDeps {
  readonly policy: Policy;
  readonly clock: Clock;
  readonly events: BrokerEvents;
  /** How much of it the identity has, over all its sessions, ended ones included until they are given back. */
  usage(identity: string, quota: Quota): number;
}

/** What a verb asks of a quota. */
export interface QuotaRequest {
  readonly verb: string;
  readonly subject: Subject;
  readonly quota: Quota;
  readonly amount: number;
}

const QUOTA_REMEDY: Readonly<Record<Quota, string>> = {
  sessions: "close a session",
  devices: "detach a device",
  mapped_bytes: "unmap something",
  fault_streams: "end a stream",
};

export class Permissions {
  readonly #deps: PermissionsDeps;
  readonly #buckets: TokenBuckets;
  /** By quota and identity; gone when nothing is on its way. */
  readonly #reserved = new Map<string, number>();
  #policy: Policy;
  /** What the policy in force says of each verb of a caller, before anything is named: callers last as connections do. */
  #verdicts = new WeakMap<Caller, Map<string, Verdict>>();

  constructor(deps: PermissionsDeps) {
    this.#deps = deps;
    this.#policy = deps.policy;
    this.#buckets = new TokenBuckets(deps.clock);
  }

  get policy(): Policy {
    return this.#policy;
  }

  replace(policy: Policy): void {
    this.#policy = policy;
    this.#verdicts = new WeakMap();
    this.#buckets.clear();
  }

  /**
   * Lets a call in, or not. What keeps or gives back is let in whatever the rules say: the session's token decides.
   * @throws BrokerError policy_denied, or limit_reached with the time after which the caller may come again
   */
  admitCall(caller: Caller, verb: string): void {
    const verdict = this.#verdictOf(caller, verb);
    if (verdict.kind === "deny") {
      if (isKeeping(verb)) return;
      throw this.#denied(caller, verb, NO_SUBJECT, verdict.rule);
    }
    if (verb === "KeepSessionAlive") return; // a lease must not lapse because its holder is busy
    this.#countCall(caller, verdict.rule);
  }

  /** The name of the rule that lets a caller attach devices, for those who count: bounded as the policy is. */
  clientName(caller: Caller): string {
    return this.#verdictOf(caller, "AttachDevice").rule?.name ?? DEFAULT_DENY;
  }

  /** @param verb  an RPC's name: there are so many and no more */
  #verdictOf(caller: Caller, verb: string): Verdict {
    const known = this.#verdicts.get(caller)?.get(verb);
    if (known !== undefined) return known;
    const verdict = decide(this.#policy, factsOf(caller), verb, NO_SUBJECT);
    const verdicts = this.#verdicts.get(caller) ?? new Map<string, Verdict>();
    this.#verdicts.set(caller, verdicts.set(verb, verdict));
    return verdict;
  }

  /** @throws BrokerError policy_denied */
  admit(caller: Caller, verb: string, subject: Subject): PolicyRule {
    const verdict = decide(this.#policy, factsOf(caller), verb, subject);
    if (verdict.kind === "deny") throw this.#denied(caller, verb, subject, verdict.rule);
    return verdict.rule;
  }

  /** Who comes first where several want one device: said by the rule that lets a caller attach it. */
  priorityOf(caller: Caller, subject: Subject): Priority {
    const verdict = decide(this.#policy, factsOf(caller), "AttachDevice", subject);
    return verdict.kind === "allow" ? verdict.rule : NO_PRIORITY;
  }

  /**
   * Sets an amount of a quota aside until it is in the records, or has failed: then call what is returned, once.
   * @throws BrokerError policy_denied, or limit_reached with quota, identity and rule
   */
  reserve(caller: Caller, request: QuotaRequest): () => void {
    const rule = this.admit(caller, request.verb, request.subject);
    const { amount, quota } = request;
    const maximum = rule.quotas[quota];
    const identity = identityOf(caller);
    const key = `${quota} of ${identity}`;
    const reserved = this.#reserved.get(key) ?? 0;
    if (maximum !== undefined && this.#deps.usage(identity, quota) + reserved + amount > maximum) {
      throw this.#exhausted(identity, rule, { quota, maximum, remedy: QUOTA_REMEDY[quota] });
    }
    this.#reserved.set(key, reserved + amount);
    return () => {
      const left = (this.#reserved.get(key) ?? 0) - amount;
      if (left === 0) this.#reserved.delete(key);
      else this.#reserved.set(key, left);
    };
  }

  #countCall(caller: Caller, rule: PolicyRule): void {
    if (rule.rate === undefined) return;
    const identity = identityOf(caller);
    const waitMs = this.#buckets.take(`${identity} by ${rule.name}`, rule.rate);
    if (waitMs === 0) return;
    const maximum = rule.rate.perSecond;
    throw this.#exhausted(identity, rule, { quota: "calls_per_second", maximum, remedy: "call less often" }, waitMs);
  }

  #exhausted(
    identity: string,
    rule: PolicyRule,
    { quota, maximum, remedy }: { quota: Quota | "calls_per_second"; maximum: number; remedy: string },
    retryAfterMs = 1000,
  ): BrokerError {
    this.#deps.events.emit({ type: "quotaReached", quota, identity, rule: rule.name });
    return new BrokerError(
      "limit_reached",
      `quota ${quota} (${maximum}) of ${identity} by policy rule ${JSON.stringify(rule.name)} reached: ${remedy}`,
      { limit: `quota_${quota}`, maximum, identity, rule: rule.name },
      { retryAfterMs },
    );
  }

  #denied(caller: Caller, verb: string, subject: Subject, rule: PolicyRule | undefined): BrokerError {
    const by = rule === undefined ? DEFAULT_DENY : rule.name;
    const named = subject.kind === "device" ? subject.id : subject.kind === "memory" ? subject.path : undefined;
    this.#deps.events.emit({ type: "policyDenied", caller, verb, rule: by, subject: named });
    const what = named === undefined ? verb : `${verb} of ${named}`;
    const why = rule === undefined ? "no rule allows it (default deny)" : `rule ${JSON.stringify(rule.name)} denies it`;
    return new BrokerError(
      "policy_denied",
      `the policy refuses ${what} to ${describeCaller(caller)}: ${why}; policy.rules of the broker's configuration can allow it, iommu-brokerd --explain-policy tells why`,
      { rule: by, identity: identityOf(caller), verb, ...(named === undefined ? {} : { [subject.kind]: named }) },
    );
  }
}
