// What comes from outside: guests' memory files, connections, TLS.

import type { Metric } from "./metric.ts";

export const EDGE = {
  openMemoryFiles: {
    type: "gauge",
    name: "iommu_broker_open_memory_files",
    help: "Distinct files open as guest memory.",
    labels: [],
  },
  connections: { type: "gauge", name: "iommu_broker_connections", help: "Open client connections.", labels: [] },
  connectionsRefused: {
    type: "counter",
    name: "iommu_broker_connections_refused_total",
    help: "Client connections closed because of a limit, by its name.",
    labels: ["limit"],
  },
  tlsHandshakesRefused: {
    type: "counter",
    name: "iommu_broker_tls_handshakes_refused_total",
    help: "TLS handshakes that came to nothing, by reason.",
    labels: ["reason"],
  },
  tlsReloads: {
    type: "counter",
    name: "iommu_broker_tls_reloads_total",
    help: "Times the files of listen.tls were read, by outcome: loaded, or failed when what was read before stays.",
    labels: ["outcome"],
  },
  tlsCertificateEnd: {
    type: "gauge",
    name: "iommu_broker_tls_certificate_end_timestamp_seconds",
    help: "When the broker's own certificate ends, in Unix time; 0 without TLS.",
    labels: [],
  },
} as const satisfies Record<string, Metric>;
