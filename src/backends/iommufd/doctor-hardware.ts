// Of the IOMMUs themselves: what each says it is, and whether a guest's own tables can be nested there.
// Nobody but the kernel can tell, and it answers only through a device that is bound: one that nobody uses is asked.

import { assert } from "../../spec/assert.ts";
import type { BrokerError } from "../errors.ts";
import type { HostFinding } from "../host-finding.ts";
import type { IommuID } from "../ids.ts";
import type { HostScan, NativeDevice } from "./devices.ts";
import { ok } from "./doctor-host.ts";
import { forcesWriteBack, iommuFacts, VTD_OFF } from "./hw-info.ts";
import type { IommuFacts } from "./inventory.ts";
import type { DeviceProbe } from "./probe.ts";

export type IommuAnswer =
  | { readonly kind: "answered"; readonly facts: IommuFacts }
  | { readonly kind: "refused"; readonly error: BrokerError };

/** Asks one IOMMU through one of these devices, which have nodes and lie behind it; there is at least one. */
export type IommuProbe = (iommu: IommuID, devices: readonly NativeDevice[]) => Promise<IommuAnswer>;

/** Devices that are tried for one IOMMU: the next where somebody uses the one before. */
const DEVICES_TRIED_MAX = 4;

/** A probe that binds devices and asks the kernel. */
export function askingProbe(probe: DeviceProbe): IommuProbe {
  return async (_, devices) => {
    let refused: IommuAnswer | undefined;
    for (const device of devices.slice(0, DEVICES_TRIED_MAX)) {
      const answer = await probe(device);
      if (answer.kind === "answered") {
        const { hardware, nestingRefusal: refusal } = answer;
        return { kind: "answered", facts: iommuFacts(hardware, refusal) };
      }
      refused ??= answer;
    }
    assert(refused !== undefined, "an IOMMU is asked through no device");
    return refused;
  };
}

export async function hardwareFindings(scan: HostScan, probe: IommuProbe | undefined): Promise<readonly HostFinding[]> {
  const findings: HostFinding[] = [];
  for (const iommu of scan.iommus) {
    const groups = scan.groups.filter(({ blockers }) => blockers.length === 0);
    const devices = groups.flatMap((group) => group.devices.filter((one) => one.iommu === iommu && one.cdev));
    if (devices.length === 0) {
      findings.push(unasked(iommu, "no device behind it is on a VFIO driver", "bind one to vfio-pci"));
    } else if (probe === undefined) {
      findings.push(unasked(iommu, "the hardware was not asked", "ask the running daemon: iommuctl doctor"));
    } else {
      findings.push(...answerFindings(iommu, await probe(iommu, devices)));
    }
  }
  return findings;
}

function unasked(iommu: IommuID, what: string, remedy: string): HostFinding {
  const why = "what it can do, nesting above all, the kernel tells only through a bound device";
  return { check: "hardware", subject: iommu, verdict: "warning", what, why, remedy };
}

function answerFindings(iommu: IommuID, answer: IommuAnswer): readonly HostFinding[] {
  if (answer.kind === "refused") {
    const { error } = answer;
    return [
      {
        check: "hardware",
        subject: iommu,
        verdict: error.code === "in_use" || error.code === "device_owned" ? "warning" : "problem",
        what: "it could not be asked",
        why: error.message,
        remedy: "mend what the kernel says, then ask again",
      },
    ];
  }
  const { facts } = answer;
  const { nesting } = facts;
  if (facts.registers === undefined && facts.otherHardware?.kind === "unknown") {
    return [unasked(iommu, facts.otherHardware.reason, "run a newer kernel, or a newer broker")];
  }
  const hardware = ok("hardware", iommu, describe(facts));
  if (nesting.supported) return [hardware, ok("nesting", iommu, "a guest's own tables can be bound")];
  return [
    hardware,
    {
      check: "nesting",
      subject: iommu,
      verdict: "warning",
      what: "a guest's own tables cannot be bound; stage 2 alone works",
      why: nesting.reason,
      remedy: remedyOf(facts),
    },
  ];
}

function remedyOf(facts: IommuFacts): string {
  if (facts.registers !== undefined) return nestingRemedy(facts);
  const isOff = !facts.nesting.supported && facts.nesting.reason === VTD_OFF;
  return isOff ? "set native.experimental_vtd_nesting, if unverified is good enough" : "none on this hardware";
}

/** An SMMU with both stages is refused for few reasons, which the kernel does not tell apart (EOPNOTSUPP). */
function nestingRemedy({ registers }: IommuFacts): string {
  const kernel = "run Linux 6.13 or newer with CONFIG_ARM_SMMU_V3_IOMMUFD";
  if (registers === undefined || forcesWriteBack(registers)) return `${kernel}; old MMU-600 and MMU-700 are refused`;
  return `${kernel}; the SMMU has no S2FWB (IDR3.FWB is 0), so the firmware's IORT must say CANWBS for the root complex: ask for newer firmware; old MMU-600 and MMU-700 are refused`;
}

function describe({ ipaBits, otherHardware, registers }: IommuFacts): string {
  if (registers !== undefined) return `an SMMUv3, ${ipaBits}-bit guest physical addresses`;
  const name = otherHardware?.kind === "vtd" ? "Intel VT-d" : "an AMD IOMMU";
  return `${name}, ${ipaBits}-bit guest physical addresses`;
}
