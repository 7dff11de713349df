// Every case, in the order in which they run: what a later one needs is shown by an earlier one.

import type { KernelCase } from "../kernel-case.ts";
import { contractKernelCases } from "./contract.ts";
import { daemonCases } from "./daemon.ts";
import { descriptorCases } from "./descriptors.ts";
import { differentialCases } from "./differential.ts";
import { doctorCases } from "./doctor.ts";
import { guestCases } from "./guest.ts";
import { iommufdCases } from "./iommufd.ts";
import { memoryCases } from "./memory.ts";
import { nativeCases } from "./native.ts";
import { nestedCases } from "./nested.ts";
import { qemuCases } from "./qemu.ts";
import { recordCases } from "./records.ts";
import { restartCases } from "./restart.ts";
import { unbindCases } from "./unbind.ts";

export const cases: readonly KernelCase[] = [
  ...guestCases,
  ...iommufdCases,
  ...nestedCases,
  ...contractKernelCases,
  ...daemonCases,
  ...doctorCases,
  ...recordCases,
  ...differentialCases,
  ...restartCases,
  ...memoryCases,
  ...descriptorCases,
  ...qemuCases,
  ...unbindCases,
  ...nativeCases, // the last of them end the daemon
];
