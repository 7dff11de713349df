// The backend contract on the kernel's own SMMUv3: the cases that the simulated backend passes on the host.

import { contractCases } from "../../contract/all-cases.ts";
import { isThere, runContractCase, sorted } from "../../contract/contract-case.ts";
import type { Need } from "../../contract/subject.ts";
import { MACHINE_LACKS, machineSubject, prepareAnew } from "../guest/contract-subject.ts";
import type { KernelCase, UnreachableCase } from "../kernel-case.ts";

const { leftOut, run } = sorted(contractCases, MACHINE_LACKS);

export const contractKernelCases: readonly KernelCase[] = run.map((each) => ({
  name: `contract: ${each.name}`,
  run: (machine) => runContractCase(() => machineSubject(machine), each),
}));

/** Of each need, what was found out. */
const found = new Map<Need, Promise<boolean>>();

/** Looked for behind all cases: others have had the devices meanwhile. */
export const contractLeftOut: readonly UnreachableCase[] = leftOut.map(({ name, need, capability }) => ({
  name: `contract: ${name}`,
  capability,
  isThere: (machine) => {
    const known = found.get(need);
    if (known !== undefined) return known;
    prepareAnew();
    const looked = isThere(() => machineSubject(machine), MACHINE_LACKS, need);
    found.set(need, looked);
    return looked;
  },
}));
