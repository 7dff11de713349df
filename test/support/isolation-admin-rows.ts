// Every RPC of IommuBrokerAdmin, and how it ends for an administrator on the admin socket. In an order in which each still
// finds what it is about: the last one stops the daemon. An RPC without a row here fails test/e2e/isolation.test.ts.

import { ADMIN } from "../../src/server/rpc/services.ts";
import { IDLE, OTHERS, type World } from "./e2e-world.ts";
import { type RawRequest, rawRequest } from "./isolation-call.ts";

export interface AdminRow {
  readonly name: string;
  readonly request: (world: World) => RawRequest;
  readonly administrator: string;
}

const reason = "because";

export const ADMIN_ROWS: readonly AdminRow[] = [
  { name: ADMIN.listSessions.path, request: () => rawRequest(ADMIN.listSessions, {}), administrator: "OK" },
  {
    name: ADMIN.forceReleaseDevice.path,
    request: () => rawRequest(ADMIN.forceReleaseDevice, { device: OTHERS, reason }),
    administrator: "OK",
  },
  {
    name: ADMIN.unquarantineDevice.path,
    request: () => rawRequest(ADMIN.unquarantineDevice, { device: IDLE, reason }),
    administrator: "FAILED_PRECONDITION TRANSITION_ILLEGAL", // it is not quarantined
  },
  {
    name: ADMIN.revokeSession.path,
    request: ({ others }) => rawRequest(ADMIN.revokeSession, { session: others.session.name, reason }),
    administrator: "OK",
  },
  { name: ADMIN.getEffectivePolicy.path, request: () => rawRequest(ADMIN.getEffectivePolicy, {}), administrator: "OK" },
  { name: ADMIN.getLogLevel.path, request: () => rawRequest(ADMIN.getLogLevel, {}), administrator: "OK" },
  {
    name: ADMIN.setLogLevel.path,
    request: () => rawRequest(ADMIN.setLogLevel, { level: "debug" }),
    administrator: "OK",
  },
  { name: ADMIN.drain.path, request: () => rawRequest(ADMIN.drain, { reason }), administrator: "OK" },
];
