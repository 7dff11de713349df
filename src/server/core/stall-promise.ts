// What the STALL_MODEL in a virtual IOMMU's frozen registers means for the STEs of its guest.
// Source: IHI 0070G.b §6.3.1 (STALL_MODEL), §5.2 (S1STALLD), §5.5.

import type { IdRegisters } from "../../backends/inventory.ts";
import type { VSTE } from "../../backends/vste.ts";
import { STALL_MODEL } from "../../spec/encodings.ts";
import { get } from "../../spec/layout.ts";
import { IDR0 } from "../../spec/registers.ts";
import { STE } from "../../spec/ste.ts";

/**
 * The STE as the host gets it. A guest that was shown "terminate only" gets the C_BAD_CD for CD.S=1 that this promises:
 * where the host can stall, S1STALLD=1 brings that about. Where it cannot, S1STALLD=1 would be C_BAD_STE, and is not needed.
 */
export function keepStallPromise(vste: VSTE, shown: IdRegisters, host: IdRegisters | undefined): VSTE {
  const promisesStalls = stallModel(shown) === STALL_MODEL.BOTH;
  if (host === undefined) return vste; // no SMMUv3: nothing there stalls
  if (promisesStalls || stallModel(host) !== STALL_MODEL.BOTH || vste.disposition !== "translate") return vste;
  return Object.freeze({ ...vste, dword1: vste.dword1 | (1n << BigInt(STE.S1STALLD.lsb - 64)) });
}

function stallModel({ idr0 }: IdRegisters): number {
  return get(Uint32Array.of(idr0), 0, IDR0.STALL_MODEL);
}
