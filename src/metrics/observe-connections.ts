// What the listeners tell: connections and handshakes refused, certificates read.
// daemon.ts says which limits and reasons there are, so that their series begin at 0.

import type { Registry } from "prom-client";
import { METRICS } from "./catalog.ts";
import { counter, gauge } from "./instruments.ts";

export interface ConnectionKinds {
  /** Names of the settings that close a connection. */
  readonly limits: readonly string[];
  /** Why a TLS handshake comes to nothing. */
  readonly handshakeRefusals: readonly string[];
}

export interface ConnectionObserver {
  refused(limit: string): void;
  handshakeRefused(reason: string): void;
  /** `validTo`: when the broker's own certificate ends. */
  tlsLoaded(validTo: Date): void;
  tlsFailed(): void;
}

export function observeConnections(registry: Registry, kinds: ConnectionKinds): ConnectionObserver {
  const refused = counter(registry, METRICS.connectionsRefused);
  const handshakesRefused = counter(registry, METRICS.tlsHandshakesRefused);
  const reloads = counter(registry, METRICS.tlsReloads);
  const end = gauge(registry, METRICS.tlsCertificateEnd);
  for (const limit of kinds.limits) refused.inc({ limit }, 0);
  for (const reason of kinds.handshakeRefusals) handshakesRefused.inc({ reason }, 0);
  for (const outcome of ["loaded", "failed"]) reloads.inc({ outcome }, 0);
  end.set(0);
  return {
    refused: (limit) => refused.inc({ limit }),
    handshakeRefused: (reason) => handshakesRefused.inc({ reason }),
    tlsLoaded: (validTo) => {
      reloads.inc({ outcome: "loaded" });
      end.set(validTo.getTime() / 1000);
    },
    tlsFailed: () => reloads.inc({ outcome: "failed" }),
  };
}
