// Every case, in the order in which they run: what a later one needs is shown by an earlier one.

import type { KernelCase } from "../kernel-case.ts";
import { daemonCases } from "./daemon.ts";
import { descriptorCases } from "./descriptors.ts";
import { guestCases } from "./guest.ts";
import { iommufdCases } from "./iommufd.ts";
import { nativeCases } from "./native.ts";
import { nestedCases } from "./nested.ts";

export const cases: readonly KernelCase[] = [
  ...guestCases,
  ...iommufdCases,
  ...nestedCases,
  ...daemonCases,
  ...descriptorCases,
  ...nativeCases, // the last of them end the daemon
];
