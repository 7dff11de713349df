// What every backend must do for the arbiter.

import { answerCases } from "./answer-cases.ts";
import type { ContractCase } from "./contract-case.ts";
import { memoryCases } from "./memory-cases.ts";
import { nameCases } from "./name-cases.ts";
import { partCases } from "./part-cases.ts";
import { stageCases } from "./stage-cases.ts";

export const contractCases: readonly ContractCase[] = [
  ...stageCases,
  ...memoryCases,
  ...nameCases,
  ...partCases,
  ...answerCases,
];
