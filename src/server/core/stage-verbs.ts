// What the edge may ask about a device's stages: attach, bind, unbind, detach, reset, hand out. arbiter.ts answers.

import type { BindPreview, PlainStage, VendedNode } from "../../backends/backend.ts";
import type { DeviceID, VirtualStreamID } from "../../backends/ids.ts";
import type { PageTable } from "../../backends/page-table.ts";
import type { Disposition, VSTE } from "../../backends/vste.ts";
import type { CallGate } from "./call-gate.ts";
import type { Ticket } from "./ports.ts";
import type { DeviceView } from "./views.ts";

export interface BindOutcome {
  readonly device: DeviceView;
  readonly disposition: Disposition;
  /** Only with validateOnly. */
  readonly preview: BindPreview | undefined;
}

export interface AttachRequest {
  readonly device: DeviceID;
  readonly virtualIommu: string;
  readonly initial: PlainStage;
  readonly expectedGeneration: bigint | undefined;
  /** How long to stand in line while the device is another's or is being reset; absent or 0: not at all. */
  readonly waitMs?: number;
  /** Take it from an owner of lower priority, after a grace period. */
  readonly preempt?: boolean;
}

/** A guest's stage 1, as its IOMMU takes it. */
export type GuestStage = { readonly vste: VSTE } | { readonly pageTable: PageTable };

export type BindRequest = GuestStage & {
  readonly device: DeviceID;
  readonly virtualStreamID: VirtualStreamID | undefined;
  readonly validateOnly: boolean;
  readonly expectedGeneration: bigint | undefined;
};

export interface VendRequest {
  readonly device: DeviceID;
  readonly node: VendedNode;
  readonly expectedGeneration: bigint | undefined;
}

/** A ticket for the descriptors of a device, and the device as it is now. */
export interface HandedOut {
  readonly ticket: Ticket;
  readonly device: DeviceView;
  /** The kernel's number of a vended device on the iommufd that it is bound to; undefined: brokered, not bound, or simulated. */
  readonly object: number | undefined;
}

export interface StageVerbs {
  attach(session: string, request: AttachRequest, gate?: CallGate): Promise<DeviceView>;
  detach(
    session: string,
    request: { device: DeviceID; expectedGeneration: bigint | undefined },
    gate?: CallGate,
  ): Promise<DeviceView>;
  bind(session: string, request: BindRequest, gate?: CallGate): Promise<BindOutcome>;
  unbind(
    session: string,
    request: { device: DeviceID; expectedGeneration: bigint | undefined },
    gate?: CallGate,
  ): Promise<DeviceView>;
  /**
   * A ticket for the node of a device that is attached, for its owner to drive it. The broker is then not the only one any
   * more who can attach and detach it: from its release on nobody has the device until every copy is closed.
   */
  getDescriptor(
    session: string,
    request: { device: DeviceID; expectedGeneration: bigint | undefined },
    gate?: CallGate,
  ): Promise<HandedOut>;
  /** A ticket for a device's node and an iommufd for it: its stages are then its holder's, not the broker's. */
  vend(session: string, request: VendRequest, gate?: CallGate): Promise<HandedOut>;
  /** Function-level reset; meanwhile who would change the device's stage is refused. Changes no generation. */
  reset(
    session: string,
    request: { device: DeviceID; expectedGeneration: bigint | undefined },
    gate?: CallGate,
  ): Promise<DeviceView>;
}
