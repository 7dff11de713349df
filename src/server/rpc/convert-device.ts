// Devices, and pages of the device list.
// A page token is opaque to clients: it holds the last id of the page before, so that devices may come and go between.

import { invalidField } from "../../backends/errors.ts";
import { type DeviceID, deviceID } from "../../backends/ids.ts";
import type { DeviceBatch, DeviceChange, DeviceWatchRequest } from "../core/device-verbs.ts";
import type { StageState } from "../core/stage-state.ts";
import type { DeviceView } from "../core/views.ts";
import { iommubroker } from "./codec.ts";
import { allOf } from "./field.ts";
import { parseHeartbeat } from "./heartbeat.ts";
import { longOf, longOfNumber } from "./int64.ts";
import { deviceName, iommuName, parseIommu, sessionName, virtualIommuName } from "./names.ts";

type v1Device = iommubroker.v1.IDevice;
const WireState = iommubroker.v1.StageState;

const STATES = {
  "default-domain": WireState.STAGE_STATE_DEFAULT_DOMAIN,
  "nest-parent": WireState.STAGE_STATE_NEST_PARENT,
  "guest-abort": WireState.STAGE_STATE_GUEST_ABORT,
  "guest-nested": WireState.STAGE_STATE_GUEST_NESTED,
  quarantined: WireState.STAGE_STATE_QUARANTINED,
  vended: WireState.STAGE_STATE_VENDED,
  releasing: WireState.STAGE_STATE_RELEASING,
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
    stageAuthoritative: device.stageAuthoritative,
    waiters: device.waiters,
  };
}

const CHANGES = {
  listed: iommubroker.v1.DeviceChangeKind.DEVICE_CHANGE_KIND_LISTED,
  changed: iommubroker.v1.DeviceChangeKind.DEVICE_CHANGE_KIND_CHANGED,
  left: iommubroker.v1.DeviceChangeKind.DEVICE_CHANGE_KIND_LEFT,
  removed: iommubroker.v1.DeviceChangeKind.DEVICE_CHANGE_KIND_REMOVED,
} as const satisfies Record<DeviceChange["kind"], iommubroker.v1.DeviceChangeKind>;

const MARKS = {
  none: iommubroker.v1.DeviceWatchMark.DEVICE_WATCH_MARK_UNSPECIFIED,
  synced: iommubroker.v1.DeviceWatchMark.DEVICE_WATCH_MARK_SYNCED,
  resync: iommubroker.v1.DeviceWatchMark.DEVICE_WATCH_MARK_RESYNC,
} as const satisfies Record<DeviceBatch["mark"], iommubroker.v1.DeviceWatchMark>;

/** @param viewer  as in deviceMessage() */
export function deviceBatchMessage(
  batch: DeviceBatch,
  viewer: string | undefined,
): iommubroker.v1.IWatchDevicesResponse {
  return {
    mark: MARKS[batch.mark],
    changes: batch.changes.map(({ kind, device, version }) => ({
      kind: CHANGES[kind],
      device: kind === "removed" ? lost(deviceMessage(device, viewer)) : deviceMessage(device, viewer),
      resourceVersion: version,
    })),
    resourceVersion: batch.version ?? "",
  };
}

/** What was last known of a device that is gone. */
function lost(device: v1Device): v1Device {
  return { ...device, state: WireState.STAGE_STATE_LOST };
}

export function parseWatchDevices(
  request: iommubroker.v1.WatchDevicesRequest,
  viewer: string | undefined,
  heartbeatDefaultMs: number,
): DeviceWatchRequest & { readonly heartbeatMs: number } {
  return allOf({
    pageSize: () => pageSize(request.pageSize),
    resumeAfter: () => (request.resumeAfter === "" ? undefined : parseVersion(request.resumeAfter)),
    iommu: () => (request.iommu === "" ? undefined : parseIommu(request.iommu, "iommu")),
    group: () => request.iommuGroup ?? undefined,
    ownedByViewer: () => requireViewer(request.ownedByMe, viewer),
    heartbeatMs: () => parseHeartbeat(request.heartbeatMs, heartbeatDefaultMs),
  });
}

/** A version that this daemon never gave is only old; what is none at all is a mistake. */
function parseVersion(text: string): string {
  if (/^\d{1,15}-\d{1,15}$/.test(text)) return text;
  throw invalidField("resume_after", "must be the resource_version of an earlier message, or empty");
}

function requireViewer(ownedByMe: boolean, viewer: string | undefined): boolean {
  if (ownedByMe && viewer === undefined) {
    throw invalidField("owned_by_me", "needs a session: send its token in the metadata");
  }
  return ownedByMe;
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
