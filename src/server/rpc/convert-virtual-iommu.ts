// Virtual IOMMUs, their ID registers and their modes.

import type { PlainStage } from "../../backends/backend.ts";
import { invalidField } from "../../backends/errors.ts";
import type { IommuID } from "../../backends/ids.ts";
import type { IdRegisters } from "../../backends/inventory.ts";
import type { VirtualIommuView } from "../core/views.ts";
import type { ModeResult } from "../core/virtual-iommu-verbs.ts";
import { type google, iommubroker } from "./codec.ts";
import { allOf, eachOf, enumeration } from "./field.ts";
import { longOfNumber } from "./int64.ts";
import {
  addressSpaceName,
  deviceName,
  iommuName,
  parseAddressSpace,
  parseIommu,
  parseVirtualIommu,
  virtualIommuName,
} from "./names.ts";

const Stage1Mode = iommubroker.v1.Stage1Mode;
const PLAIN_MODES = new Map<number, PlainStage>([
  [Stage1Mode.STAGE1_MODE_BYPASS, "bypass"],
  [Stage1Mode.STAGE1_MODE_ABORT, "abort"],
]);
const IOMMUS_MAX = 64;

export function virtualIommuMessage(view: VirtualIommuView): iommubroker.v1.IVirtualIommu {
  return {
    name: virtualIommuName(view.id),
    addressSpace: addressSpaceName(view.addressSpace),
    registers: registersMessage(view.registers),
    iommus: view.iommus.map(iommuName),
    devices: view.devices.map(deviceName),
  };
}

export function registersMessage(registers: IdRegisters): iommubroker.v1.IIdRegisters {
  return { ...registers };
}

export function parseRegisters(message: iommubroker.v1.IdRegisters | null | undefined): IdRegisters | undefined {
  if (message === null || message === undefined) return undefined;
  const { idr0, idr1, idr2, idr3, idr4, idr5, idr6, iidr, aidr } = message;
  return { idr0, idr1, idr2, idr3, idr4, idr5, idr6, iidr, aidr };
}

export function parseCreateVirtualIommu(request: iommubroker.v1.CreateVirtualIommuRequest): {
  addressSpace: string;
  iommus: readonly IommuID[];
  registers: IdRegisters | undefined;
} {
  return allOf({
    addressSpace: () => parseAddressSpace(request.addressSpace, "address_space"),
    iommus: () => eachOf(iommuList(request.iommus), "iommus", parseIommu),
    registers: () => parseRegisters(request.registers),
  });
}

export function parseSetMode(request: iommubroker.v1.SetVirtualIommuModeRequest): {
  virtualIommu: string;
  mode: PlainStage;
} {
  return allOf({
    virtualIommu: () => parseVirtualIommu(request.virtualIommu, "virtual_iommu"),
    mode: () => parsePlainMode(request.mode, "mode"),
  });
}

/** A mode that needs no guest table. */
export function parsePlainMode(mode: number, path: string): PlainStage {
  return enumeration(mode, path, PLAIN_MODES, "STAGE1_MODE_BYPASS or STAGE1_MODE_ABORT");
}

export function modeResultMessage(
  result: ModeResult,
  error: google.rpc.IStatus | undefined,
): iommubroker.v1.IDeviceModeResult {
  return {
    device: deviceName(result.device),
    error: error ?? null,
    generation: longOfNumber(result.generation),
  };
}

function iommuList(names: readonly string[]): readonly string[] {
  if (names.length === 0) throw invalidField("iommus", "must name at least one host IOMMU");
  if (names.length > IOMMUS_MAX) throw invalidField("iommus", `must name at most ${IOMMUS_MAX} host IOMMUs`);
  const twice = names.findIndex((name, index) => names.indexOf(name) !== index);
  if (twice >= 0) throw invalidField(`iommus[${twice}]`, "is named twice");
  return names;
}
