// What the edge is given of core: the verbs of each topic (session-verbs.ts, stage-verbs.ts, …), put together by
// create-core.ts, and what the daemon asks beside them.
// A verb takes the id of an authenticated session; each rejects with a BrokerError and has then changed nothing.

import type { AddressSpaceVerbs } from "./address-space-verbs.ts";
import type { AdminVerbs } from "./admin-verbs.ts";
import type { CapabilityQueries } from "./capability-views.ts";
import type { DeviceQueries } from "./device-verbs.ts";
import type { DurableImage, DurableRecord } from "./durable.ts";
import type { BrokerEvents } from "./events.ts";
import type { ExplainVerbs } from "./explain-verbs.ts";
import type { FaultVerbs } from "./fault-verbs.ts";
import type { Permissions } from "./permissions.ts";
import type { SessionVerbs } from "./session-verbs.ts";
import type { SimulatorVerbs } from "./simulator-verbs.ts";
import type { StageVerbs } from "./stage-verbs.ts";
import type { Census } from "./views.ts";
import type { VirtualIommuVerbs } from "./virtual-iommu-verbs.ts";

/** Everything the edge is given. */
export interface Core {
  /** The policy in force. */
  readonly permissions: Permissions;
  readonly administration: AdminVerbs;
  readonly sessions: SessionVerbs;
  readonly addressSpaces: AddressSpaceVerbs;
  readonly virtualIommus: VirtualIommuVerbs;
  readonly stages: StageVerbs;
  readonly faults: FaultVerbs;
  readonly explanations: ExplainVerbs;
  readonly devices: DeviceQueries;
  readonly capabilities: CapabilityQueries;
  readonly simulator: SimulatorVerbs | undefined;
  readonly events: BrokerEvents;
  /**
   * Takes in what outlived a restart, once, before anybody calls; sessions that cannot be restored are given up. From
   * then on changes are noted in the journal.
   */
  recover(records: readonly DurableRecord[]): Promise<void>;
  /** All that shall outlive the daemon, as it is in this moment. */
  image(): DurableImage;
  /**
   * Resolves once all that was changed so far outlives a crash: an answer waits for it.
   * @throws BrokerError backend_failed when it cannot be kept
   */
  durable(): Promise<void>;
  /** Ends lapsed sessions and gives back what they held. The daemon calls it on a timer; resolves when done. */
  reapExpired(): Promise<void>;
  census(): Census;
}
