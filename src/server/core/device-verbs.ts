// What the edge may ask about the inventory: a list, one device, and every change from a version on.
// registry.ts and inventory-watch.ts answer.

import type { DeviceID, IommuID } from "../../backends/ids.ts";
import type { DeviceView } from "./views.ts";

export interface DeviceQueries {
  /** All devices in order of id. */
  list(): readonly DeviceView[];
  get(device: DeviceID): DeviceView;
  /**
   * The inventory from now on, or from a version that was seen.
   * @param viewer  session of the watcher; undefined: nobody's
   */
  watch(viewer: string | undefined, request: DeviceWatchRequest): DeviceSubscription;
  /**
   * For an administrator: gives a quarantined device's group back to the host. It is reset first; where no reset is
   * possible the administrator vouches for it.
   */
  unquarantine(device: DeviceID): Promise<DeviceView>;
}

export interface DeviceWatchRequest {
  /** Devices in one batch. */
  readonly pageSize: number;
  /** A version of an earlier batch; undefined: begin with the list. */
  readonly resumeAfter: string | undefined;
  readonly iommu: IommuID | undefined;
  readonly group: number | undefined;
  /** Only what the viewer's session owns. */
  readonly ownedByViewer: boolean;
}

export interface DeviceChange {
  /** left: still there, but not among what is watched any more. removed: `device` is what was last known. */
  readonly kind: "listed" | "changed" | "left" | "removed";
  readonly device: DeviceView;
  readonly version: string;
}

export interface DeviceBatch {
  /** synced: what went before is complete. resync: what went before is void, the list begins anew. */
  readonly mark: "none" | "synced" | "resync";
  readonly changes: readonly DeviceChange[];
  /** What a later watch resumes after; undefined within the list. */
  readonly version: string | undefined;
}

export interface DeviceSubscription {
  /** Resolves with what is new; with undefined once its session ended or close() was called. One call at a time. */
  next(): Promise<DeviceBatch | undefined>;
  /** What a later watch resumes after; undefined while the list is not complete. */
  version(): string | undefined;
  close(): void;
}
