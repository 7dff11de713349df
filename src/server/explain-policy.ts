// --explain-policy: which rule decides a call that nobody makes, why each rule before it does not, and what it grants.
// The same decide() as the daemon's, on facts from the command line; what is not given is not known, as in the daemon.

import type { Config } from "./config.ts";
import {
  type CallerFacts,
  DEFAULT_DENY,
  decide,
  mismatch,
  type Policy,
  type PolicyRule,
  policyWith,
  type Subject,
} from "./core/policy.ts";
import { isKeeping, verbGroup } from "./core/policy-verbs.ts";

/** As the command line has them. */
export interface PolicyQuestion {
  /** "uid=1001,exe=/usr/bin/qemu" */
  readonly as: string;
  /** "AttachDevice" */
  readonly verb: string;
  /** "0000:01:00.0" */
  readonly device: string | undefined;
  /** Of guest memory. */
  readonly path: string | undefined;
}

export type PolicyAnswer =
  | { readonly kind: "allowed" | "denied"; readonly lines: readonly string[] }
  | { readonly kind: "unclear"; readonly problem: string };

const FACTS = "uid=N, gid=N, exe=PATH, cgroup=PATH, cert=NAME, tcp (a TCP client without a certificate)";

export function explainPolicy(config: Config, daemonUid: number, question: PolicyQuestion): PolicyAnswer {
  const caller = parseCaller(question.as);
  if (typeof caller === "string") return { kind: "unclear", problem: caller };
  if (verbGroup(question.verb) === undefined) {
    return { kind: "unclear", problem: `--verb ${question.verb}: is the name of no RPC, like AttachDevice` };
  }
  const subject = subjectOf(question, config);
  if (subject === undefined) return { kind: "unclear", problem: "--device and --path: give one of them" };
  const policy = policyWith(config.policyRules, { daemonUid, adminUids: config.admin.uids });
  return answer(policy, caller, question.verb, subject);
}

function answer(policy: Policy, caller: CallerFacts, verb: string, subject: Subject): PolicyAnswer {
  const verdict = decide(policy, caller, verb, subject);
  const asked = verdict.rule === undefined ? policy.rules : policy.rules.slice(0, policy.rules.indexOf(verdict.rule));
  const lines = asked.map((rule) => `  no match  ${rule.name}: ${mismatch(rule, caller, verb, subject) ?? ""}`);
  if (verdict.rule !== undefined) lines.push(`  decides   ${verdict.rule.name}: ${verdict.rule.effect}`);
  const what = subject.kind === "none" ? verb : `${verb} of ${subject.kind === "device" ? subject.id : subject.path}`;
  const headline = `${verdict.kind === "allow" ? "allowed" : "denied"}: ${what}, by ${verdict.rule?.name ?? DEFAULT_DENY}`;
  if (verdict.kind === "allow") return { kind: "allowed", lines: [headline, ...lines, ...grants(verdict.rule)] };
  if (!isKeeping(verb)) return { kind: "denied", lines: [headline, ...lines] };
  const owner = `allowed: ${what}, to the session's owner: it keeps or gives back, and needs no permission`;
  return { kind: "allowed", lines: [owner, ...lines] };
}

function grants(rule: PolicyRule): string[] {
  const quotas = Object.entries(rule.quotas).map(([quota, value]) => `${quota} ${value}`);
  if (rule.rate !== undefined) quotas.push(`calls_per_second ${rule.rate.perSecond} (burst ${rule.rate.burst})`);
  return [
    `  quotas    ${quotas.length === 0 ? "none: the limits section alone bounds it" : quotas.join(", ")}`,
    `  priority  ${rule.priority}${rule.mayPreempt ? ", may preempt" : ""}`,
  ];
}

/** The group is known for a device of the simulated inventory; elsewhere rules by group do not match. */
function subjectOf({ device, path }: PolicyQuestion, { simulated }: Config): Subject | undefined {
  if (device !== undefined && path !== undefined) return undefined;
  if (path !== undefined) return { kind: "memory", path };
  if (device === undefined) return { kind: "none" };
  const found = simulated.devices.find(({ id }) => id === device);
  return { kind: "device", id: device, group: found?.group };
}

/** Text: what is wrong with it. */
function parseCaller(text: string): CallerFacts | string {
  const facts = new Map<string, string>();
  for (const word of text.split(",")) {
    const [name = "", ...value] = word.split("=");
    if (facts.has(name)) return `--as ${text}: ${name} is given twice`;
    facts.set(name, value.join("="));
  }
  const isTcp = facts.has("tcp");
  if (isTcp && (facts.size > 1 || facts.get("tcp") !== ""))
    return `--as ${text}: tcp stands alone, nothing else is known then`;
  const known = new Set(["uid", "gid", "exe", "cgroup", "cert", "tcp"]);
  for (const [name, value] of facts) {
    if (!known.has(name)) return `--as ${text}: ${JSON.stringify(name)} is no fact; known are ${FACTS}`;
    if (name !== "tcp" && value === "") return `--as ${text}: write ${name}=VALUE`;
    if ((name === "uid" || name === "gid") && !/^\d{1,10}$/.test(value))
      return `--as ${text}: ${name} must be a number`;
  }
  return {
    uid: numberOf(facts.get("uid")),
    gid: numberOf(facts.get("gid")),
    executable: facts.get("exe"),
    cgroup: facts.get("cgroup"),
    certificateNames: [facts.get("cert")].filter((name) => name !== undefined),
    isUnauthenticatedTcp: isTcp,
  };
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}
