// All that GetCapabilities tells of one host IOMMU: an SMMUv3 field by field, another by its raw registers, and of one that
// nobody could ask yet that it is not known, and why.

import type { HostIommu, IdRegisters, OtherHardware } from "../../backends/inventory.ts";
import { pageTableRefusal } from "../../backends/page-table.ts";
import { get } from "../../spec/layout.ts";
import { IDR0, IDR1, IDR5 } from "../../spec/registers.ts";
import { checkWish, decodeRegisters, virtualRegisters } from "./capability.ts";
import type { IommuCapabilityView } from "./capability-views.ts";
import { OAS_BITS, VAX_BITS } from "./register-rules.ts";

const KIB = 1024;
const UNKNOWN: OtherHardware = { kind: "unknown", reason: "the backend does not say what it is" };

/** All that GetCapabilities tells of an IOMMU. */
export function iommuCapability(host: HostIommu, wish: IdRegisters | undefined): IommuCapabilityView {
  return host.registers === undefined ? otherCapability(host) : smmuCapability(host, host.registers, wish);
}

/** Of one that is no SMMUv3, or that nobody could ask yet: what is known, and no guesses. */
function otherCapability(host: HostIommu): IommuCapabilityView {
  const { otherHardware: other = UNKNOWN, nesting, stage2PageBytes } = host;
  const nestingReason = nesting.supported ? "" : nesting.reason;
  const hardware =
    other.kind === "unknown"
      ? { architecture: "unknown" as const, reason: other.reason }
      : { architecture: other.kind };
  return {
    id: host.id,
    hardware: { reason: "", ...hardware },
    raw: other.kind === "unknown" ? [] : other.raw,
    registers: undefined,
    fields: other.kind === "unknown" ? [] : other.fields,
    virtualRegisters: undefined,
    reduced: [],
    asidBits: 0,
    substreamIDBits: 0,
    streamIDBits: 0,
    iovaBits: 0,
    ipaBits: other.kind === "unknown" ? 0 : host.ipaBits,
    outputBits: 0,
    granuleBytes: [],
    stage2PageBytes,
    nesting: nesting.supported,
    nestingReason,
    shapes: [
      {
        shape: "smmuv3-ste",
        supported: false,
        reason: other.kind === "unknown" ? other.reason : "it is no SMMUv3 and takes no STE",
      },
      pageTableShape(host),
    ],
    faultAnswers: host.faultAnswers ?? [],
    toldFaults: host.toldFaults ?? [],
    wish: [],
  };
}

function pageTableShape(host: HostIommu): IommuCapabilityView["shapes"][number] {
  const refusal = pageTableRefusal(host);
  const unverified = host.pageTables?.unverified ?? "";
  return { shape: "single-page-table", supported: refusal === undefined, reason: refusal ?? "", unverified };
}

function smmuCapability(host: HostIommu, hostRegisters: IdRegisters, wish?: IdRegisters): IommuCapabilityView {
  const { registers, reduced } = virtualRegisters(hostRegisters);
  const idr0 = new Uint32Array([hostRegisters.idr0]);
  const idr1 = new Uint32Array([hostRegisters.idr1]);
  const idr5 = new Uint32Array([hostRegisters.idr5]);
  const nestingReason = host.nesting.supported ? "" : host.nesting.reason;
  return {
    id: host.id,
    hardware: { architecture: "smmuv3", reason: "" },
    raw: [],
    registers: hostRegisters,
    fields: decodeRegisters(hostRegisters),
    virtualRegisters: registers,
    reduced,
    asidBits: get(idr0, 0, IDR0.ASID16) === 1 ? 16 : 8,
    substreamIDBits: get(idr1, 0, IDR1.SSIDSIZE),
    streamIDBits: get(idr1, 0, IDR1.SIDSIZE),
    iovaBits: VAX_BITS[get(idr5, 0, IDR5.VAX)] ?? 48,
    ipaBits: host.ipaBits,
    outputBits: OAS_BITS[get(idr5, 0, IDR5.OAS)] ?? 32,
    granuleBytes: [
      ...(get(idr5, 0, IDR5.GRAN4K) ? [4 * KIB] : []),
      ...(get(idr5, 0, IDR5.GRAN16K) ? [16 * KIB] : []),
      ...(get(idr5, 0, IDR5.GRAN64K) ? [64 * KIB] : []),
    ],
    stage2PageBytes: host.stage2PageBytes,
    nesting: host.nesting.supported,
    nestingReason,
    shapes: [{ shape: "smmuv3-ste", supported: host.nesting.supported, reason: nestingReason }, pageTableShape(host)],
    faultAnswers: host.faultAnswers ?? [],
    toldFaults: host.toldFaults ?? [],
    wish: wish ? checkWish(hostRegisters, wish) : [],
  };
}
