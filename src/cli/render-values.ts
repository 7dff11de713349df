// What a VMM's emulated SMMUv3 may be told for one device, each value with where it comes from. What the host does not tell
// is left out and said, never guessed.
// Source: IHI 0070G.b §6.3 (ID registers); QEMU's hw/arm/smmuv3-accel.c as of 13b941aa for what it takes and compares.

import { BackendKind, type Capabilities, type Device, type IommuCapabilities } from "../client/client.ts";
import { UsageError } from "./failure.ts";

export interface RenderedValue {
  readonly name: "accel" | "ats" | "ril" | "ssidsize" | "oas";
  /** Undefined: not known, so not given. */
  readonly value: string | undefined;
  readonly why: string;
}

export interface PciAddress {
  readonly domain: string;
  readonly bus: string;
  readonly slot: string;
  readonly function: string;
}

export interface RenderInput {
  /** "0000:01:00.0" */
  readonly id: string;
  readonly address: PciAddress;
  /** Undefined: no SMMUv3 for a guest; `smmuAttention` says why. */
  readonly smmu: readonly RenderedValue[] | undefined;
  /** What whoever uses this must know. */
  readonly attention: readonly string[];
  /** What whoever gives the guest an SMMUv3 must know besides. */
  readonly smmuAttention: readonly string[];
}

/** Output address sizes that QEMU's SMMUv3 can show, in bits. */
const QEMU_OAS = [44, 48] as const;
const GRANULES = [4096, 16_384, 65_536] as const;

/** @throws UsageError when the device is none that a VMM can be given */
export function renderInput(device: Device, capabilities: Capabilities): RenderInput {
  const id = device.name.slice("devices/".length);
  const [, domain, bus, slot, fn] = /^([\da-f]{4,8}):([\da-f]{2}):([\da-f]{2})\.([0-7])$/i.exec(id) ?? [];
  if (domain === undefined || bus === undefined || slot === undefined || fn === undefined) {
    throw new UsageError(`${JSON.stringify(id)} is no PCI address: a VMM is given PCI devices`);
  }
  const iommu = capabilities.iommus.find(({ name }) => name === device.iommu);
  return {
    id,
    address: { domain, bus, slot, function: fn },
    ...smmuOf(iommu, capabilities),
    attention: [
      ...(capabilities.backend === BackendKind.BACKEND_KIND_SIMULATED
        ? ["this broker simulates its IOMMUs: the values are the simulation's, and there is no such device here"]
        : []),
      ...(device.owner === "" ? [] : [`it belongs to ${JSON.stringify(device.ownerDisplayName)} now`]),
      ...(device.groupDevices.length > 1
        ? [`its IOMMU group goes to the VMM as a whole: ${device.groupDevices.join(", ")}`]
        : []),
    ],
  };
}

function smmuOf(
  iommu: IommuCapabilities | undefined,
  { device }: Capabilities,
): Pick<RenderInput, "smmu" | "smmuAttention"> {
  const without = (why: string) => ({ smmu: undefined, smmuAttention: [`no emulated SMMUv3 with accel: ${why}`] });
  if (iommu === undefined || device === undefined) return without("the broker tells nothing of its IOMMU");
  if (!iommu.nesting) return without(iommu.nestingReason);
  if (!device.translate) return without(device.translateReason);
  if (iommu.registers === undefined) {
    const why = `the ID registers are unknown${iommu.unknownReason === "" ? "" : `: ${iommu.unknownReason}`}`;
    const names = ["ats", "ril", "ssidsize", "oas"] as const;
    return { smmu: [ACCEL, ...names.map((name) => ({ name, value: undefined, why }))], smmuAttention: [] };
  }
  const missing = GRANULES.filter((bytes) => !iommu.granuleBytes.includes(bytes)).map((bytes) => `${bytes / 1024} KiB`);
  const smmuAttention =
    missing.length === 0
      ? []
      : [`QEMU shows granules of 4, 16 and 64 KiB and wants the host's equal: this one lacks ${missing.join(", ")}`];
  return {
    smmu: [ACCEL, atsOf(iommu, device.ats), rilOf(iommu), ssidsizeOf(iommu, device.pasidBits), oasOf(iommu)],
    smmuAttention,
  };
}

const ACCEL: RenderedValue = { name: "accel", value: "on", why: "a guest's tables can be nested on this host" };

function atsOf(iommu: IommuCapabilities, hasAts: boolean): RenderedValue {
  const shown = shownValue(iommu, "IDR0", "ATS");
  if (shown === undefined) return unknown("ats", "IDR0.ATS");
  const why = shown === 0 ? "IDR0.ATS is 0" : hasAts ? "IDR0.ATS is 1 and the device has ATS" : "the device has no ATS";
  return { name: "ats", value: shown !== 0 && hasAts ? "on" : "off", why };
}

function rilOf(iommu: IommuCapabilities): RenderedValue {
  const shown = shownValue(iommu, "IDR3", "RIL");
  if (shown === undefined) return unknown("ril", "IDR3.RIL");
  return { name: "ril", value: shown === 0 ? "off" : "on", why: `IDR3.RIL is ${shown}` };
}

function ssidsizeOf(iommu: IommuCapabilities, pasidBits: number): RenderedValue {
  const shown = shownValue(iommu, "IDR1", "SSIDSIZE");
  if (shown === undefined) return unknown("ssidsize", "IDR1.SSIDSIZE");
  const why = `IDR1.SSIDSIZE is ${shown}, and device and IOMMU have ${pasidBits} PASID bits in common`;
  return { name: "ssidsize", value: String(Math.min(shown, pasidBits)), why };
}

function oasOf({ outputBits }: IommuCapabilities): RenderedValue {
  const most = QEMU_OAS.findLast((bits) => bits <= outputBits);
  const host = `IDR5.OAS stands for ${outputBits} bits`;
  if (outputBits === 0) return unknown("oas", "IDR5.OAS");
  if (most === undefined)
    return { name: "oas", value: undefined, why: `${host}, less than the least QEMU can show (44)` };
  return { name: "oas", value: String(most), why: `${host}; QEMU shows 44 or 48` };
}

/** A field as a guest is to be shown it. */
function shownValue({ fields, reduced }: IommuCapabilities, register: string, field: string): number | undefined {
  const isIt = (each: { readonly register: string; readonly field: string }) =>
    each.register === register && each.field === field;
  return reduced.find(isIt)?.virtualValue ?? fields.find(isIt)?.value;
}

function unknown(name: RenderedValue["name"], field: string): RenderedValue {
  return { name, value: undefined, why: `${field} is not known` };
}
