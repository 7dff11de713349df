// What the admin socket may ask: who holds what, and to take it away. administration.ts answers.

import type { DeviceID } from "../../backends/ids.ts";
import type { Caller } from "./caller.ts";
import type { DeviceView, SessionView } from "./views.ts";

export interface HeldSession extends SessionView {
  readonly caller: Caller;
  /** It has ended, and what it held is being given back. */
  readonly isEnding: boolean;
  /** Milliseconds until its lease lapses. */
  readonly remainingMs: number;
  readonly devices: readonly DeviceID[];
  readonly mappedBytes: number;
}

/** For the admin socket alone: the caller has been checked. */
export interface AdminVerbs {
  /** All sessions that hold something, in order of id. */
  sessions(): readonly HeldSession[];
  /** Whose a session is; undefined once it is given back. */
  ownerOf(session: string): { readonly displayName: string; readonly caller: Caller } | undefined;
  /** Tells a session's owner why, ends it and gives back what it held. Throws session_unknown. */
  revoke(session: string, reason: string): Promise<void>;
  /** Takes a device's IOMMU group from its owner: abort first, then the host's. Throws not_owner when it has none. */
  forceRelease(device: DeviceID, reason: string): Promise<DeviceView>;
}
