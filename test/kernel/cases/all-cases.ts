// Every case, in the order in which they run: what a later one needs is shown by an earlier one.

import type { KernelCase } from "../kernel-case.ts";
import { daemonCases } from "./daemon.ts";
import { guestCases } from "./guest.ts";
import { iommufdCases } from "./iommufd.ts";
import { memoryCases } from "./memory.ts";
import { nativeCases } from "./native.ts";
import { nestedCases } from "./nested.ts";
import { restartCases } from "./restart.ts";

export const cases: readonly KernelCase[] = [
  ...guestCases,
  ...iommufdCases,
  ...nestedCases,
  ...daemonCases,
  ...restartCases,
  ...memoryCases,
  ...nativeCases,
];
