// The shape of the "policy:" section, and what its rules mean to core. docs/policy.md is the reference.
// What one rule says about another (a name used twice) is checked here too, so that --check-config finds it.

import { z } from "zod";
import { nearest } from "../../spec/nearest.ts";
import { type Condition, type PolicyRule, QUOTAS, type Quota } from "../core/policy.ts";
import { VERB_GROUPS, VERBS } from "../core/policy-verbs.ts";

const NAME_ERROR = "must be 1 to 63 of A-Z a-z 0-9 . _ - and begin with a letter or digit";
const NAME = z
  .string({ error: NAME_ERROR })
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, { error: NAME_ERROR })
  .refine((name) => name !== "admin.uids", { error: "is what refusals on the admin socket are called: take another" });

const ITEMS_MAX = 256;
const PATTERN_CHARACTERS_MAX = 256;
const MAPPED_BYTES_MAX = 2 ** 52;

function listOf<T extends z.ZodType>(item: T, what: string) {
  return z
    .array(item, { error: `must be a list of ${what}` })
    .min(1, { error: `must name at least one of ${what}: leave it out for no limit` })
    .max(ITEMS_MAX, { error: `must name at most ${ITEMS_MAX}` })
    .optional();
}

function whole(minimum: number, maximum: number) {
  const error = `must be a whole number from ${minimum} to ${maximum}`;
  return z.int({ error }).min(minimum, { error }).max(maximum, { error });
}

const GLOB_ERROR = `must be 1 to ${PATTERN_CHARACTERS_MAX} characters; * stands for any but /, ** for any, ? for one`;
const GLOB = z
  .string({ error: GLOB_ERROR })
  .min(1, { error: GLOB_ERROR })
  .max(PATTERN_CHARACTERS_MAX, { error: GLOB_ERROR });
const ID = whole(0, 2 ** 32 - 2);
const ONLY_TRUE = z.literal(true, { error: "must be true, or left out" }).optional();

const WHO = z
  .strictObject({
    anyone: ONLY_TRUE,
    uid: listOf(ID, "uids"),
    gid: listOf(ID, "gids"),
    executable: listOf(GLOB, "paths"),
    cgroup: listOf(GLOB, "cgroup paths"),
    certificate: listOf(GLOB, "certificate names"),
    tcp_unauthenticated: ONLY_TRUE,
  })
  .refine((who) => Object.values(who).some((value) => value !== undefined), {
    error: "must say something of the caller; anyone: true is everybody",
  })
  .refine((who) => who.anyone === undefined || Object.keys(who).length === 1, {
    error: "must be anyone alone, or facts of the caller, which must all hold",
  });

/** Says who it is by something that the caller did not choose. */
function hasAnchor({ uid, gid, cgroup }: z.output<typeof WHO>): boolean {
  return uid !== undefined || gid !== undefined || cgroup !== undefined;
}

const KNOWN_VERBS: readonly string[] = ["all", ...VERB_GROUPS, ...VERB_GROUPS.flatMap((group) => VERBS[group])];
const VERB = z
  .string({ error: "must be the name of an RPC or of a group of them" })
  .refine((verb) => KNOWN_VERBS.includes(verb), {
    error: (issue) => {
      const near = nearest(String(issue.input), KNOWN_VERBS);
      const hint = near === undefined ? `groups are all, ${VERB_GROUPS.join(", ")}` : `did you mean ${near}?`;
      return `is neither an RPC nor a group of them: ${hint}`;
    },
  });

const QUOTA_SETTINGS = z.strictObject({
  sessions: whole(0, 65_536).optional(),
  devices: whole(0, 65_536).optional(),
  mapped_bytes: whole(0, MAPPED_BYTES_MAX).optional(),
  fault_streams: whole(0, 65_536).optional(),
  calls_per_second: whole(1, 1_000_000).optional(),
  burst: whole(1, 1_000_000).optional(),
});

const RULE = z
  .strictObject({
    name: NAME,
    effect: z.enum(["allow", "deny"], { error: 'must be "allow" or "deny"' }).default("allow"),
    who: WHO,
    verbs: z
      .array(VERB, { error: "must be a list of RPCs or groups of them" })
      .min(1, { error: "must name at least one RPC or group: all is every one" })
      .max(ITEMS_MAX, { error: `must name at most ${ITEMS_MAX}` }),
    devices: listOf(GLOB, "device ids"),
    groups: listOf(whole(0, 2 ** 31 - 1), "IOMMU groups"),
    memory_paths: listOf(GLOB, "paths"),
    quotas: QUOTA_SETTINGS.prefault({}),
    priority: whole(-1000, 1000).default(0),
    may_preempt: z.boolean({ error: "must be true or false" }).default(false),
  })
  .refine(({ effect, quotas }) => effect === "allow" || Object.keys(quotas).length === 0, {
    error: "must not deny and give quotas: only what allows gives",
    path: ["quotas"],
  })
  .refine(({ effect, who }) => effect === "deny" || who.executable === undefined || hasAnchor(who), {
    error: "must name uid, gid or cgroup beside executable: whoever makes a container's image names what it runs",
    path: ["who"],
  })
  .refine(({ quotas }) => quotas.burst === undefined || quotas.calls_per_second !== undefined, {
    error: "must come with calls_per_second",
    path: ["quotas", "burst"],
  });

const RULES = z
  .array(RULE, { error: "must be a list of rules" })
  .max(ITEMS_MAX, { error: `must have at most ${ITEMS_MAX} rules` })
  .superRefine((rules, context) => {
    const names = new Set<string>();
    for (const [index, { name }] of rules.entries()) {
      if (names.has(name)) {
        context.addIssue({
          code: "custom",
          path: [index, "name"],
          message: "is the name of another rule: names are unique",
        });
      }
      names.add(name);
    }
  })
  .default(() => [])
  .describe(
    "Asked in order, the first that matches decides; none: root and the daemon's uid may do everything, others nothing. See docs/policy.md.",
  );

export const POLICY = z.strictObject({ rules: RULES });

export type PolicySettings = z.output<typeof POLICY>;
type RuleSettings = PolicySettings["rules"][number];

export function policyRules({ rules }: PolicySettings): PolicyRule[] {
  return rules.map((rule) => ({
    name: rule.name,
    effect: rule.effect,
    who: conditionsOf(rule.who),
    verbs: rule.verbs,
    devices:
      rule.devices === undefined && rule.groups === undefined
        ? undefined
        : { ids: rule.devices ?? [], groups: rule.groups ?? [] },
    memoryPaths: rule.memory_paths,
    quotas: quotasOf(rule.quotas),
    rate: rateOf(rule.quotas),
    priority: rule.priority,
    mayPreempt: rule.may_preempt,
  }));
}

function conditionsOf(who: RuleSettings["who"]): Condition[] {
  const conditions: Condition[] = [];
  for (const fact of ["uid", "gid"] as const) {
    const oneOf = who[fact];
    if (oneOf !== undefined) conditions.push({ fact, oneOf });
  }
  for (const fact of ["executable", "cgroup", "certificate"] as const) {
    const oneOf = who[fact];
    if (oneOf !== undefined) conditions.push({ fact, oneOf });
  }
  if (who.tcp_unauthenticated === true) conditions.push({ fact: "tcp_unauthenticated" });
  return conditions;
}

function quotasOf(quotas: RuleSettings["quotas"]): Partial<Record<Quota, number>> {
  return Object.fromEntries(
    QUOTAS.map((quota) => [quota, quotas[quota]] as const).filter(([, value]) => value !== undefined),
  );
}

/** Without a burst: one second's calls. */
function rateOf({ burst, calls_per_second: perSecond }: RuleSettings["quotas"]): PolicyRule["rate"] {
  return perSecond === undefined ? undefined : { perSecond, burst: burst ?? perSecond };
}
