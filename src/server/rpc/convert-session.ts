// Sessions, what they have, and what the keep-alive stream says.
// Of what a session is opened on, core checks grace and identities; here is what a message can say that core has no word for.

import type { CoreLimits } from "../core/limits.ts";
import type { Liveness, SessionState } from "../core/session.ts";
import type { SessionNotice } from "../core/session-notices.ts";
import type { TermsWish } from "../core/session-terms.ts";
import type { HeldView, SessionView } from "../core/views.ts";
import { iommubroker } from "./codec.ts";
import { allOf, displayName, enumeration, integer } from "./field.ts";
import { longOfNumber } from "./int64.ts";
import { addressSpaceName, deviceName, parseSession, sessionName, virtualIommuName } from "./names.ts";

type KeepAliveMessage = iommubroker.v1.IKeepSessionAliveResponse;
/** The ones that a client is told as such; the others end its stream. */
export type ToldNotice = Exclude<SessionNotice, { kind: "lost" | "ended" }>;

const WireLiveness = iommubroker.v1.Liveness;
const WireState = iommubroker.v1.SessionState;

const LIVENESS: ReadonlyMap<number, Liveness | undefined> = new Map([
  [WireLiveness.LIVENESS_TTL, "ttl"],
  [WireLiveness.LIVENESS_PEER_PROCESS, "peer-process"],
]);
const WIRE_LIVENESS = {
  ttl: WireLiveness.LIVENESS_TTL,
  "peer-process": WireLiveness.LIVENESS_PEER_PROCESS,
} as const satisfies Record<Liveness, number>;

const WIRE_STATES = {
  live: WireState.SESSION_STATE_LIVE,
  restored: WireState.SESSION_STATE_RESTORED,
  lost: WireState.SESSION_STATE_LOST,
} as const satisfies Record<SessionState, number>;

export function parseOpenSession(
  request: iommubroker.v1.OpenSessionRequest,
  limits: CoreLimits,
): TermsWish & { displayName: string } {
  const { graceMs, transferableTo } = request;
  const parsed = allOf({
    displayName: () => displayName(request.displayName, "display_name"),
    ...presence(request, limits),
  });
  return { ...parsed, graceMs, transferableTo };
}

export function parseClaimSession(
  request: iommubroker.v1.ClaimSessionRequest,
  limits: CoreLimits,
): { session: string; wish: Omit<TermsWish, "graceMs"> } {
  const { transferableTo } = request;
  const { session, ...wish } = allOf({
    session: () => parseSession(request.session, "session"),
    ...presence(request, limits),
  });
  return { session, wish: { ...wish, transferableTo } };
}

function presence(
  { liveness, leaseTtlMs }: { readonly liveness: number; readonly leaseTtlMs: number },
  limits: CoreLimits,
) {
  const bounds = { min: limits.leaseTtlMinMs, max: limits.leaseTtlMaxMs };
  return {
    liveness: () => livenessOf(liveness),
    ttlMs: () => (leaseTtlMs === 0 ? undefined : integer(leaseTtlMs, "lease_ttl_ms", bounds)),
  };
}

function livenessOf(asked: number): Liveness | undefined {
  if (asked === WireLiveness.LIVENESS_UNSPECIFIED) return undefined;
  return enumeration(asked, "liveness", LIVENESS, "LIVENESS_PEER_PROCESS, LIVENESS_TTL or unspecified");
}

export function sessionMessage(session: SessionView): iommubroker.v1.ISession {
  return {
    name: sessionName(session.id),
    displayName: session.displayName,
    liveness: WIRE_LIVENESS[session.liveness],
    leaseTtlMs: session.ttlMs,
    state: WIRE_STATES[session.state],
    graceMs: session.graceMs,
    transferableTo: [...session.transferableTo],
    openTime: timestamp(session.openedMs),
    lastSeenTime: timestamp(session.seenMs),
  };
}

export function holdingsMessage(held: HeldView): iommubroker.v1.ISessionHoldings {
  return {
    addressSpaces: held.addressSpaces.map(addressSpaceName),
    virtualIommus: held.virtualIommus.map(virtualIommuName),
    devices: held.devices.map(({ id, virtualIommu, generation, rebindRequired }) => ({
      device: deviceName(id),
      virtualIommu: virtualIommu === "" ? "" : virtualIommuName(virtualIommu),
      generation: longOfNumber(generation),
      rebindRequired,
    })),
  };
}

export function renewalMessage(remainingMs: number): KeepAliveMessage {
  return { leaseRemainingMs: wholeMs(remainingMs) };
}

export function noticeMessage(remainingMs: number, notice: ToldNotice): KeepAliveMessage {
  return { leaseRemainingMs: wholeMs(remainingMs), notice: wireNotice(notice) };
}

export function drainingMessage(remainingMs: number, graceMs: number): KeepAliveMessage {
  return { leaseRemainingMs: wholeMs(remainingMs), notice: { draining: { graceMs: wholeMs(graceMs) } } };
}

function wireNotice(notice: ToldNotice): iommubroker.v1.ISessionNotice {
  switch (notice.kind) {
    case "deviceRemoved":
      return { deviceRemoved: { device: deviceName(notice.device) } };
    case "revoked":
      return { revoked: { reason: notice.reason } };
    case "transferred":
      return { transferred: { to: notice.to } };
    case "preempted": {
      const { device, deadlineMs, by, reason } = notice;
      return { preempted: { device: deviceName(device), deadlineMs: wholeMs(deadlineMs), by, reason } };
    }
  }
}

function timestamp(wallMs: number) {
  const seconds = longOfNumber(Math.floor(wallMs / 1000));
  return { seconds, nanos: Math.floor((wallMs % 1000) * 1_000_000) };
}

function wholeMs(milliseconds: number): number {
  return Math.max(0, Math.floor(milliseconds));
}
