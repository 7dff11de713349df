// Devices, and pages of the device list.
// A page token is opaque to clients: it holds the last id of the page before, so that devices may come and go between.

import { invalidField } from "../../backends/errors.ts";
import { type DeviceID, deviceID } from "../../backends/ids.ts";
import type { StageState } from "../core/stage-state.ts";
import type { DeviceView } from "../core/views.ts";
import { iommubroker } from "./codec.ts";
import { longOf, longOfNumber } from "./int64.ts";
import { deviceName, iommuName, sessionName, virtualIommuName } from "./names.ts";

type v1Device = iommubroker.v1.IDevice;
const WireState = iommubroker.v1.StageState;

const STATES = {
  "default-domain": WireState.STAGE_STATE_DEFAULT_DOMAIN,
  "nest-parent": WireState.STAGE_STATE_NEST_PARENT,
  "guest-abort": WireState.STAGE_STATE_GUEST_ABORT,
  "guest-nested": WireState.STAGE_STATE_GUEST_NESTED,
} as const satisfies Record<StageState, iommubroker.v1.StageState>;

/** @param viewer  the session that is answered: what a guest has installed is its owner's to see */
export function deviceMessage(device: DeviceView, viewer: string | undefined): v1Device {
  const isOwners = device.owner !== undefined && device.owner.id === viewer;
  return {
    name: deviceName(device.id),
    iommu: iommuName(device.iommu),
    iommuGroup: device.group,
    groupDevices: device.groupDevices.map(deviceName),
    streamIds: [...device.streamIDs],
    state: STATES[device.state],
    generation: longOfNumber(device.generation),
    attached: device.attached,
    ownerDisplayName: device.owner?.displayName ?? "",
    owner: device.owner === undefined ? "" : sessionName(device.owner.id),
    virtualIommu: device.virtualIommu === undefined ? "" : virtualIommuName(device.virtualIommu),
    virtualStreamId: isOwners ? (device.virtualStreamID ?? null) : null,
    installedVste: isOwners && device.vste ? [longOf(device.vste.dword0), longOf(device.vste.dword1)] : [],
    stageAuthoritative: true,
  };
}

const PAGE_DEFAULT = 100;
const PAGE_MAX = 1000;
const TOKEN_PREFIX = "after:";
const TOKEN_CHARACTERS_MAX = 128;

/** How many devices a page has: 0 asks for the default, and more than the maximum for the maximum. */
export function pageSize(asked: number): number {
  return asked === 0 ? PAGE_DEFAULT : Math.min(asked, PAGE_MAX);
}

export function pageToken(last: DeviceID): string {
  return Buffer.from(TOKEN_PREFIX + last).toString("base64url");
}

/** The id after which the page starts; undefined: from the start. */
export function parsePageToken(token: string, path: string): DeviceID | undefined {
  if (token === "") return undefined;
  const text = token.length > TOKEN_CHARACTERS_MAX ? "" : Buffer.from(token, "base64url").toString();
  try {
    if (!text.startsWith(TOKEN_PREFIX)) throw invalidField(path, "no prefix");
    const last = deviceID(text.slice(TOKEN_PREFIX.length));
    if (pageToken(last) !== token) throw invalidField(path, "not as it was handed out");
    return last;
  } catch {
    throw invalidField(path, "must be the next_page_token of an earlier answer, or empty");
  }
}
