// Devices as people read them: a row each, one device at length, and what became of one.

import { type Device, type DeviceChange, DeviceChangeKind, StageState } from "../client/client.ts";
import { idOf } from "./argument-values.ts";
import { tableText } from "./table-text.ts";
import { grouped, printable, type Terminal } from "./terminal.ts";

const HEADS = ["DEVICE", "IOMMU", "GROUP", "STATE", "OWNER", "GENERATION", "WAITERS"];

/** "nest-parent" of STAGE_STATE_NEST_PARENT. */
export function stateName(state: number): string {
  return (StageState[state] ?? `unknown state ${state}`)
    .replace(/^STAGE_STATE_/, "")
    .toLowerCase()
    .replaceAll("_", "-");
}

export function devicesText(devices: readonly Device[], terminal: Terminal): string {
  const rows = devices.map((device) => [
    idOf(device.name),
    idOf(device.iommu),
    String(device.iommuGroup),
    stateName(device.state),
    device.owner === "" ? "-" : device.ownerDisplayName,
    String(device.generation),
    String(device.waiters),
  ]);
  return `${tableText(HEADS, rows, terminal).join("\n")}\n`;
}

const KINDS: Readonly<Record<number, string>> = {
  [DeviceChangeKind.DEVICE_CHANGE_KIND_LISTED]: "listed",
  [DeviceChangeKind.DEVICE_CHANGE_KIND_CHANGED]: "changed",
  [DeviceChangeKind.DEVICE_CHANGE_KIND_LEFT]: "left",
  [DeviceChangeKind.DEVICE_CHANGE_KIND_REMOVED]: "removed",
};

/** One line. */
export function changeText({ device, kind }: DeviceChange): string {
  const what = KINDS[kind] ?? `unknown change ${kind}`;
  return device === undefined ? `${what}\n` : `${what.padEnd(8)} ${summaryOf(device)}\n`;
}

/** What hand work ends with: the device as it is now, on one line. */
export function summaryOf(device: Device): string {
  const { generation, iommuGroup, owner, ownerDisplayName, state, virtualStreamId, waiters } = device;
  return printable(
    [
      `${idOf(device.name)} ${stateName(state)}`,
      owner === "" ? "no owner" : `owner ${JSON.stringify(ownerDisplayName)}`,
      `group ${iommuGroup}`,
      `generation ${generation}`,
      ...(virtualStreamId === undefined ? [] : [`virtual StreamID ${grouped(BigInt(virtualStreamId))}`]),
      ...(waiters === 0 ? [] : [`${waiters} waiting`]),
    ].join(", "),
  );
}
