// Every metric of the broker, by family. Nothing else makes one; a test compares a scrape with this table.
// iommu_ is the hardware, named after the architecture's performance events (IHI 0070G.b §10.3); iommu_broker_ is this
// process; grpc_server_ is what every gRPC dashboard expects. Labels never hold an address, a pid or a token.

import { DURABILITY } from "./catalog/durability.ts";
import { EDGE } from "./catalog/edge.ts";
import { FAULTS } from "./catalog/faults.ts";
import { HARDWARE } from "./catalog/hardware.ts";
import { HOLDINGS } from "./catalog/holdings.ts";
import type { Metric } from "./catalog/metric.ts";
import { OWNERSHIP } from "./catalog/ownership.ts";
import { PROCESS } from "./catalog/process.ts";
import { RPC } from "./catalog/rpc.ts";

export const METRICS = {
  ...HARDWARE,
  ...HOLDINGS,
  ...DURABILITY,
  ...EDGE,
  ...FAULTS,
  ...OWNERSHIP,
  ...PROCESS,
  ...RPC,
} as const satisfies Record<string, Metric>;
