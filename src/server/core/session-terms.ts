// What a session is opened or claimed on: asked for within the limits, or refused by field.

import { BrokerError, invalidField } from "../../backends/errors.ts";
import { patternProblem } from "./identity-pattern.ts";
import type { CoreLimits } from "./limits.ts";
import type { Liveness } from "./session.ts";

/** How many identities one session may name as its next owners. */
export const TRANSFERABLE_TO_MAX = 8;

/** Of a field that is left out the broker decides. */
export interface TermsWish {
  /** Undefined: a lease where one is asked for or the process cannot be watched, else the process. */
  readonly liveness?: Liveness | undefined;
  readonly ttlMs: number | undefined;
  readonly graceMs?: number | undefined;
  readonly transferableTo?: readonly string[] | undefined;
}

export interface Terms {
  readonly liveness: Liveness | undefined;
  /** Of the lease, should there be one. */
  readonly ttlMs: number;
  readonly graceMs: number;
  readonly transferableTo: readonly string[];
}

/** @throws BrokerError argument_invalid with the field and its bounds */
export function settleTerms(wish: TermsWish, limits: CoreLimits): Terms {
  const liveness = wish.liveness ?? (wish.ttlMs === undefined ? undefined : "ttl");
  if (liveness === "peer-process" && wish.ttlMs !== undefined) {
    throw invalidField("lease_ttl_ms", "must be 0 with LIVENESS_PEER_PROCESS, which has no lease");
  }
  const graceMs = wish.graceMs ?? 0;
  const graceMaxMs = limits.sessionGraceMaxMs;
  if (graceMs < 0 || graceMs > graceMaxMs) {
    throw invalidField("grace_ms", `must be 0 to ${graceMaxMs}, is ${graceMs}`, { grace_ms: graceMs });
  }
  return { liveness, ttlMs: ttlOf(wish.ttlMs, limits), graceMs, transferableTo: patterns(wish.transferableTo ?? []) };
}

function patterns(asked: readonly string[]): readonly string[] {
  if (asked.length > TRANSFERABLE_TO_MAX) {
    throw invalidField("transferable_to", `must name at most ${TRANSFERABLE_TO_MAX} identities, names ${asked.length}`);
  }
  asked.forEach((pattern, index) => {
    const problem = patternProblem(pattern);
    if (problem !== undefined) throw invalidField(`transferable_to[${index}]`, problem);
  });
  return asked;
}

function ttlOf(asked: number | undefined, limits: CoreLimits): number {
  const { leaseTtlDefaultMs, leaseTtlMinMs, leaseTtlMaxMs } = limits;
  if (asked === undefined) return leaseTtlDefaultMs;
  if (asked >= leaseTtlMinMs && asked <= leaseTtlMaxMs) return asked;
  const expected = `must be ${leaseTtlMinMs} to ${leaseTtlMaxMs}, or 0 for ${leaseTtlDefaultMs}`;
  throw new BrokerError(
    "argument_invalid",
    `lease_ttl_ms ${asked} ${expected}`,
    { lease_ttl_ms: asked, minimum: leaseTtlMinMs, maximum: leaseTtlMaxMs },
    { fields: [{ path: "lease_ttl_ms", description: expected }] },
  );
}
