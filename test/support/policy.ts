// Policies for tests: rules with only what a test is about.

import type { Policy, PolicyRule } from "../../src/server/core/policy.ts";

/** A rule that allows anybody everything, but for what is given. */
export function rule(name: string, given: Partial<PolicyRule> = {}): PolicyRule {
  return {
    name,
    effect: "allow",
    who: [],
    verbs: ["all"],
    devices: undefined,
    memoryPaths: undefined,
    quotas: {},
    rate: undefined,
    priority: 0,
    mayPreempt: false,
    ...given,
  };
}

/** For tests that are not about the policy. */
export const ANYBODY: Policy = { rules: [rule("anybody")] };
