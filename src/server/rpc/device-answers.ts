// GetDevice's answers as bytes, kept while the device stays as it is: agents and VMMs ask again and again.
// What is kept is looked up by what core says of the device now, field by field, so that nothing has to be told to forget.

import type { DeviceID } from "../../backends/ids.ts";
import type { DeviceView } from "../core/views.ts";
import { deviceMessage } from "./convert-device.ts";
import { BROKER } from "./services.ts";

/** Devices whose answers are kept, some 500 bytes each; one more, and all of them begin anew. */
const KEPT_MAX = 1024;

interface Kept {
  readonly device: DeviceView;
  /** Only the owner is told what it has installed. */
  readonly isOwners: boolean;
  readonly bytes: Buffer;
}

export class DeviceAnswers {
  readonly #kept = new Map<DeviceID, Kept>();

  /** @param viewer  the session that is answered */
  bytes(device: DeviceView, viewer: string | undefined): Buffer {
    const isOwners = device.owner !== undefined && device.owner.id === viewer;
    const kept = this.#kept.get(device.id);
    if (kept !== undefined && kept.isOwners === isOwners && isSame(kept.device, device)) return kept.bytes;
    const bytes = alone(BROKER.getDevice.response.encode({ device: deviceMessage(device, viewer) }));
    if (kept === undefined && this.#kept.size >= KEPT_MAX) this.#kept.clear();
    this.#kept.set(device.id, { device, isOwners, bytes });
    return bytes;
  }
}

/** In memory of its own: an encoded message is a piece of a larger block, all of which it would keep. */
function alone(bytes: Buffer): Buffer {
  const copy = Buffer.alloc(bytes.length);
  bytes.copy(copy);
  return copy;
}

/** Lists and the vSTE are immutable and replaced when they change; a test goes through every field. */
function isSame(one: DeviceView, other: DeviceView): boolean {
  return (
    one.generation === other.generation &&
    one.state === other.state &&
    one.vste === other.vste &&
    one.waiters === other.waiters &&
    one.attached === other.attached &&
    one.stageAuthoritative === other.stageAuthoritative &&
    one.owner?.id === other.owner?.id &&
    one.owner?.displayName === other.owner?.displayName &&
    one.virtualIommu === other.virtualIommu &&
    one.virtualStreamID === other.virtualStreamID &&
    one.id === other.id &&
    one.iommu === other.iommu &&
    one.group === other.group &&
    one.groupDevices === other.groupDevices &&
    one.streamIDs === other.streamIDs
  );
}
