// Sessions and policy rules as an administrator sees them.

import { invalidField } from "../../backends/errors.ts";
import type { HeldSession } from "../core/admin-verbs.ts";
import { describeCaller } from "../core/caller.ts";
import { describeCondition, type PolicyRule } from "../core/policy.ts";
import { iommubroker } from "./codec.ts";
import { sessionMessage } from "./convert-session.ts";
import { longOfNumber } from "./int64.ts";
import { deviceName, parseSession, sessionName } from "./names.ts";

const State = iommubroker.v1.AdminSessionState;
const STATES = {
  live: State.ADMIN_SESSION_STATE_LIVE,
  restored: State.ADMIN_SESSION_STATE_LIVE,
  lost: State.ADMIN_SESSION_STATE_LOST,
} as const satisfies Record<HeldSession["state"], iommubroker.v1.AdminSessionState>;

export function adminSessionMessage(session: HeldSession): iommubroker.v1.IAdminSession {
  return {
    session: sessionMessage(session),
    identity: describeCaller(session.caller),
    state: session.isEnding ? State.ADMIN_SESSION_STATE_ENDING : STATES[session.state],
    leaseRemainingMs: Math.max(0, Math.floor(session.remainingMs)),
    devices: session.devices.map(deviceName),
    mappedBytes: longOfNumber(session.mappedBytes),
  };
}

export function policyRuleMessage(rule: PolicyRule): iommubroker.v1.IEffectivePolicyRule {
  return {
    name: rule.name,
    allows: rule.effect === "allow",
    who: rule.who.map(describeCondition),
    verbs: [...rule.verbs],
    devices: [...(rule.devices?.ids ?? [])],
    iommuGroups: [...(rule.devices?.groups ?? [])],
    memoryPaths: [...(rule.memoryPaths ?? [])],
    quotas: Object.fromEntries(Object.entries(rule.quotas).map(([quota, value]) => [quota, longOfNumber(value)])),
    callsPerSecond: rule.rate?.perSecond ?? 0,
    burst: rule.rate?.burst ?? 0,
    priority: rule.priority,
    mayPreempt: rule.mayPreempt,
  };
}

export function sessionPageToken(last: string): string {
  return Buffer.from(sessionName(last)).toString("base64url");
}

/** The id after which the page starts; undefined: from the start. */
export function parseSessionPageToken(token: string, path: string): string | undefined {
  if (token === "") return undefined;
  try {
    const last = parseSession(Buffer.from(token, "base64url").toString(), path);
    if (sessionPageToken(last) === token) return last;
  } catch {
    // refused below, like one that only looks like ours
  }
  throw invalidField(path, "must be the next_page_token of an earlier answer, or empty");
}
