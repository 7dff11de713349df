// What IOMMUs and a device can do, as people read it: what it means for a guest first, registers where they are asked for.

import {
  BackendKind,
  type Capabilities,
  type DeviceCapabilities,
  FaultAction,
  FaultStage,
  type IdRegisters,
  IommuArchitecture,
  type IommuCapabilities,
  ReservedRegionKind,
} from "../client/client.ts";
import { grouped, paintOf, printable, sizeOf, type Terminal, wrapped } from "./terminal.ts";

const ARCHITECTURES: Readonly<Record<number, string>> = {
  [IommuArchitecture.IOMMU_ARCHITECTURE_ARM_SMMUV3]: "Arm SMMUv3",
  [IommuArchitecture.IOMMU_ARCHITECTURE_INTEL_VTD]: "Intel VT-d",
  [IommuArchitecture.IOMMU_ARCHITECTURE_AMD]: "AMD",
};
const REGISTERS: readonly (readonly [key: keyof IdRegisters, name: string])[] = [
  ["idr0", "IDR0"],
  ["idr1", "IDR1"],
  ["idr2", "IDR2"],
  ["idr3", "IDR3"],
  ["idr4", "IDR4"],
  ["idr5", "IDR5"],
  ["idr6", "IDR6"],
  ["iidr", "IIDR"],
  ["aidr", "AIDR"],
];
const NAME_COLUMNS = 26;
const UNTOLD_COLUMNS = 100;

/** @param withFields  every field of the registers too */
export function capabilitiesText(answer: Capabilities, withFields: boolean, terminal: Terminal): string {
  const backend = answer.backend === BackendKind.BACKEND_KIND_SIMULATED ? "simulated" : "iommufd";
  const lines = [
    `backend ${backend}`,
    ...answer.iommus.flatMap((iommu) => ["", ...iommuLines(iommu, withFields, terminal)]),
    ...(answer.device === undefined ? [] : ["", ...deviceLines(answer.device, terminal)]),
  ];
  return `${lines.join("\n")}\n`;
}

function iommuLines(iommu: IommuCapabilities, withFields: boolean, terminal: Terminal): string[] {
  const told = (name: string, text: string): string[] => fact(name, text, terminal);
  const isSmmu = iommu.architecture === IommuArchitecture.IOMMU_ARCHITECTURE_ARM_SMMUV3;
  const architecture = ARCHITECTURES[iommu.architecture] ?? `unknown: ${iommu.unknownReason}`;
  return [
    paintOf(terminal)(printable(iommu.name), "bold"),
    ...told("architecture", architecture),
    ...told("a guest's stage 1", iommu.nesting ? "nested on the host's stage 2" : `no: ${iommu.nestingReason}`),
    ...(isSmmu ? smmuFacts(iommu).flatMap(([name, text]) => told(name, text)) : []),
    ...told("stage 2 pages", sizes(iommu.stage2PageBytes)),
    ...told("faults can be answered", iommu.faultActions.map(actionName).join(", ") || "none ever waits"),
    ...told("faults that are told", toldFaults(iommu)),
    ...iommu.reduced.flatMap(({ field, hostValue, reason, register, virtualValue }) =>
      told(`${register}.${field}`, `a guest is shown ${virtualValue}, not ${hostValue}: ${reason}`),
    ),
    ...(withFields ? fieldLines(iommu, terminal) : []),
  ];
}

function smmuFacts(iommu: IommuCapabilities): readonly (readonly [name: string, text: string])[] {
  return [
    ["input address", bits(iommu.iovaBits)],
    ["guest physical address", bits(iommu.ipaBits)],
    ["output address", bits(iommu.outputBits)],
    ["StreamID", bits(iommu.streamIdBits)],
    ["SubstreamID (PASID)", iommu.substreamIdBits === 0 ? "none" : bits(iommu.substreamIdBits)],
    ["ASID", bits(iommu.asidBits)],
    ["stage 1 granules", sizes(iommu.granuleBytes.map(BigInt))],
  ];
}

function fieldLines({ fields, rawRegisters, registers, virtualRegisters }: IommuCapabilities, terminal: Terminal) {
  const raw = REGISTERS.flatMap(([key, name]) => {
    if (registers === undefined) return [];
    const shown = virtualRegisters === undefined ? "" : `, a guest's ${grouped(BigInt(virtualRegisters[key]), 8)}`;
    return fact(name, `${grouped(BigInt(registers[key]), 8)}${shown}`, terminal);
  });
  return [
    ...raw,
    ...rawRegisters.flatMap(({ register, value }) => fact(register, grouped(value, 16), terminal)),
    ...fields.flatMap(({ field, lsb, meaning, msb, register, value }) =>
      fact(`${register}.${field}`, `[${msb}:${lsb}] ${value}: ${meaning}`, terminal),
    ),
  ];
}

function deviceLines(device: DeviceCapabilities, terminal: Terminal): string[] {
  const told = (name: string, text: string): string[] => fact(name, text, terminal);
  const { apertureFirst, apertureLast, msiWindow, streamIds } = device;
  return [
    paintOf(terminal)(printable(device.name), "bold"),
    ...told("behind", device.iommu),
    ...told("StreamIDs", streamIds.map((id) => grouped(BigInt(id))).join(", ") || "the kernel keeps them to itself"),
    ...told("a guest's tables", device.translate ? "can be bound" : `cannot be bound: ${device.translateReason}`),
    ...told("PASID", device.pasidBits === 0 ? "none" : bits(device.pasidBits)),
    ...told("ATS", device.ats ? "yes" : "no"),
    ...told("page requests (PRI)", device.pageRequests ? "yes" : "no"),
    ...told("stalls", device.stall ? "yes, where the guest's CD.S asks for it" : "no"),
    ...told("can be mapped", `${grouped(apertureFirst)} to ${grouped(apertureLast)}`),
    ...device.reservedRegions.flatMap(({ bytes, ipa, kind }) =>
      told("reserved", `${grouped(ipa)}, ${grouped(bytes)} bytes: ${regionName(kind)}`),
    ),
    ...(msiWindow === undefined
      ? []
      : told("MSI window", `${grouped(msiWindow.ipa)}, ${grouped(msiWindow.bytes)} bytes: map it in stage 1`)),
  ];
}

/** A name and what is to say of it, wrapped beneath itself. */
function fact(name: string, text: string, { columns }: Terminal): string[] {
  const width = (columns ?? UNTOLD_COLUMNS) - NAME_COLUMNS - 2;
  const [first = "", ...more] = wrapped(printable(text), Math.max(width, 12));
  const indent = " ".repeat(NAME_COLUMNS + 2);
  return [`  ${printable(name).padEnd(NAME_COLUMNS - 1)} ${first}`, ...more.map((line) => `${indent}${line}`)];
}

function bits(count: number): string {
  return count === 0 ? "unknown" : `${count} bits`;
}

function sizes(bytes: readonly bigint[]): string {
  return bytes.length === 0 ? "unknown" : bytes.map(sizeOf).join(", ");
}

/** Types, once each: those without a stage first, then by stage. Of what is not there nobody hears. */
function toldFaults({ toldFaults: kinds }: IommuCapabilities): string {
  if (kinds.length === 0) return "none: the kernel keeps them to itself, or could not be asked";
  const ofStage = (asked: number): string =>
    [...new Set(kinds.flatMap(({ stage, type }) => (stage === asked ? type : [])))].join(", ");
  const [stage1, stage2] = [ofStage(FaultStage.FAULT_STAGE_1), ofStage(FaultStage.FAULT_STAGE_2)];
  return [
    ofStage(FaultStage.FAULT_STAGE_UNSPECIFIED),
    stage1 === "" ? "" : `of stage 1 ${stage1}`,
    stage2 === "" ? "of stage 2 none" : `of stage 2 ${stage2}`,
  ]
    .filter((part) => part !== "")
    .join("; ");
}

function actionName(action: number): string {
  return (FaultAction[action] ?? String(action)).replace(/^FAULT_ACTION_/, "").toLowerCase();
}

function regionName(kind: number): string {
  return kind === ReservedRegionKind.RESERVED_REGION_KIND_MSI ? "message signalled interrupts" : "firmware or platform";
}
