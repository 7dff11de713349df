// After a restart: a group whose descriptors were handed out may be out of the broker's reach, as others have kept them open.
// That ends the group's part in its session, not the session. Only the backend can say so, and only by refusing the attach:
// where hardware can be taken over beside a holder, as the simulated one's can, the group comes back like any other.

import type { Backend, PartHandle } from "../../backends/backend.ts";
import { BrokerError } from "../../backends/errors.ts";
import type { DeviceID, GroupID } from "../../backends/ids.ts";

/** A group that did not come back with its session. */
export interface HeldGroup {
  readonly session: string;
  readonly group: GroupID;
  readonly devices: readonly DeviceID[];
  readonly generation: number;
  /** What the backend said to the attach. */
  readonly error: BrokerError;
}

/**
 * Default domain → stage 1 at abort, unless others hold the group: then it is as recall() leaves it.
 *
 * @returns what the attach was refused with while somebody holds it; undefined: it is attached
 * @throws BrokerError with what has another reason
 */
export async function attachUnlessHeld(
  backend: Backend,
  { group, part, isHandedOut }: { group: GroupID; part: PartHandle; isHandedOut: boolean },
): Promise<BrokerError | undefined> {
  try {
    await backend.attach(group, part, "abort");
    return undefined;
  } catch (error) {
    if (!isHandedOut || !(error instanceof BrokerError)) throw error;
    await backend.recall(group);
    if (!(await backend.reclaim(group))) return error;
  }
  await backend.detach(group); // closed meanwhile, or never held: then the attach is refused again
  await backend.attach(group, part, "abort");
  return undefined;
}
