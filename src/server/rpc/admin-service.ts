// service IommuBrokerAdmin, and beside it what an administrator may look at of IommuBroker: for the admin socket only.
// Whoever is not in admin.uids is refused before the policy is asked; the policy may then still deny a verb to one of them.

import type * as grpc from "@grpc/grpc-js";
import { BrokerError, invalidField } from "../../backends/errors.ts";
import { type Caller, describeCaller, identityOf, uidOf } from "../core/caller.ts";
import { Calls } from "./calls.ts";
import { capabilityCalls } from "./capability-calls.ts";
import type { iommubroker } from "./codec.ts";
import { adminSessionMessage, parseSessionPageToken, policyRuleMessage, sessionPageToken } from "./convert-admin.ts";
import { deviceMessage, pageSize } from "./convert-device.ts";
import type { RpcDeps } from "./deps.ts";
import { observerCalls } from "./fault-calls.ts";
import { allOf, displayName } from "./field.ts";
import { parseDevice, parseSession } from "./names.ts";
import { ADMIN, ADMIN_BROKER, byteDefinition } from "./services.ts";

export interface AdminDeps extends RpcDeps {
  /** Who is an administrator, now. */
  adminUids(): readonly number[];
  readonly logLevel: {
    get(): string;
    /** Gives false for a name that is no level. */
    set(level: string): boolean;
  };
  /** Begins to stop the daemon. */
  stop(): void;
}

/** Gives the calls' own handle: to drain them with the daemon. */
export function addAdminServices(server: grpc.Server, deps: AdminDeps): Pick<Calls, "drain"> {
  const calls = new Calls(deps, (caller) => requireAdmin(caller, deps.adminUids()));
  const admin = adminCalls(calls, deps) satisfies Record<keyof typeof ADMIN, unknown>;
  server.addService(byteDefinition(ADMIN), admin);
  const looking = { ...capabilityCalls(calls, deps), ...observerCalls(calls, deps) };
  server.addService(byteDefinition(ADMIN_BROKER), looking satisfies Record<keyof typeof ADMIN_BROKER, unknown>);
  return calls;
}

function adminCalls(calls: Calls, deps: AdminDeps) {
  const { administration, devices, permissions } = deps.core;
  return {
    listSessions: calls.open(ADMIN.listSessions, (request) => listSessions(request, deps)),
    revokeSession: calls.open(ADMIN.revokeSession, async (request) => {
      const { session, reason } = allOf({
        session: () => parseSession(request.session, "session"),
        reason: () => displayName(request.reason, "reason"),
      });
      await administration.revoke(session, reason);
      return {};
    }),
    forceReleaseDevice: calls.open(ADMIN.forceReleaseDevice, async (request) => {
      const { device, reason } = allOf({
        device: () => parseDevice(request.device, "device"),
        reason: () => displayName(request.reason, "reason"),
      });
      return { device: deviceMessage(await administration.forceRelease(device, reason), undefined) };
    }),
    unquarantineDevice: calls.open(ADMIN.unquarantineDevice, async (request) => {
      const { device } = allOf({
        device: () => parseDevice(request.device, "device"),
        reason: () => displayName(request.reason, "reason"),
      });
      return { device: deviceMessage(await devices.unquarantine(device), undefined) };
    }),
    getEffectivePolicy: calls.open(ADMIN.getEffectivePolicy, () => ({
      rules: permissions.policy.rules.map(policyRuleMessage),
    })),
    getLogLevel: calls.open(ADMIN.getLogLevel, () => ({ level: deps.logLevel.get() })),
    setLogLevel: calls.open(ADMIN.setLogLevel, (request) => {
      const previous = deps.logLevel.get();
      if (!deps.logLevel.set(request.level))
        throw invalidField("level", "must be trace, debug, info, warn, error or fatal");
      return { previous };
    }),
    drain: calls.open(ADMIN.drain, (request) => {
      displayName(request.reason, "reason");
      deps.stop();
      return { graceMs: deps.graceMs };
    }),
  };
}

function listSessions(
  request: iommubroker.v1.ListSessionsRequest,
  { core }: AdminDeps,
): iommubroker.v1.IListSessionsResponse {
  const after = parseSessionPageToken(request.pageToken, "page_token");
  const rest = core.administration.sessions().filter(({ id }) => after === undefined || id > after);
  const page = rest.slice(0, pageSize(request.pageSize));
  const last = page.at(-1);
  const isLastPage = last === undefined || page.length === rest.length;
  return {
    sessions: page.map(adminSessionMessage),
    nextPageToken: isLastPage ? "" : sessionPageToken(last.id),
  };
}

function requireAdmin(caller: Caller, uids: readonly number[]): void {
  const uid = uidOf(caller);
  if (uid !== undefined && uids.includes(uid)) return;
  throw new BrokerError(
    "policy_denied",
    `${describeCaller(caller)} is no administrator: admin.uids of the broker's configuration names who is`,
    { rule: "admin.uids", identity: identityOf(caller) },
  );
}
