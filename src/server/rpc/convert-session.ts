// Sessions, and what the keep-alive stream says.

import type { SessionNotice } from "../core/core.ts";
import type { CoreLimits } from "../core/limits.ts";
import type { SessionView } from "../core/views.ts";
import { iommubroker } from "./codec.ts";
import { allOf, displayName, enumeration, integer } from "./field.ts";
import { deviceName, sessionName } from "./names.ts";

const Liveness = iommubroker.v1.Liveness;
const LIVENESS = new Map([
  [Liveness.LIVENESS_UNSPECIFIED, "ttl"],
  [Liveness.LIVENESS_TTL, "ttl"],
]);

export function parseOpenSession(
  request: iommubroker.v1.OpenSessionRequest,
  limits: CoreLimits,
): { displayName: string; ttlMs: number | undefined } {
  const bounds = { min: limits.leaseTtlMinMs, max: limits.leaseTtlMaxMs };
  const ttlMs = request.leaseTtlMs;
  const parsed = allOf({
    displayName: () => displayName(request.displayName, "display_name"),
    liveness: () => enumeration(request.liveness, "liveness", LIVENESS, "LIVENESS_TTL or unspecified"),
    ttlMs: () => (ttlMs === 0 ? undefined : integer(ttlMs, "lease_ttl_ms", bounds)),
  });
  return { displayName: parsed.displayName, ttlMs: parsed.ttlMs };
}

export function sessionMessage(session: SessionView): iommubroker.v1.ISession {
  return {
    name: sessionName(session.id),
    displayName: session.displayName,
    liveness: Liveness.LIVENESS_TTL,
    leaseTtlMs: session.ttlMs,
  };
}

export function renewalMessage(remainingMs: number): iommubroker.v1.IKeepSessionAliveResponse {
  return { leaseRemainingMs: wholeMs(remainingMs) };
}

export function noticeMessage(
  remainingMs: number,
  notice: Exclude<SessionNotice, { readonly kind: "ended" }>,
): iommubroker.v1.IKeepSessionAliveResponse {
  const device = deviceName(notice.device);
  const leaseRemainingMs = wholeMs(remainingMs);
  if (notice.kind === "deviceRemoved") return { leaseRemainingMs, notice: { deviceRemoved: { device } } };
  const { by, deadlineMs, reason } = notice;
  const preempted = { device, deadlineMs: wholeMs(deadlineMs), by, reason };
  return { leaseRemainingMs, notice: { preempted } };
}

export function drainingMessage(remainingMs: number, graceMs: number): iommubroker.v1.IKeepSessionAliveResponse {
  return { leaseRemainingMs: wholeMs(remainingMs), notice: { draining: { graceMs: wholeMs(graceMs) } } };
}

function wholeMs(milliseconds: number): number {
  return Math.max(0, Math.floor(milliseconds));
}
