// The policy of a configuration: its rules, and who administrates.

import type { Config } from "../config.ts";
import { type Policy, policyWith } from "../core/policy.ts";

export function policyOf({ admin, policyRules }: Config): Policy {
  return policyWith(policyRules, { daemonUid: process.getuid?.() ?? 0, adminUids: admin.uids });
}
