// V8's limits on inlining, raised for the translation path: calls are a quarter of what a translation costs.
// The defaults fit code that is compiled often and runs seldom. Must be called before the hot code is optimized.
// Source: node --v8-options (max-inlined-bytecode-size and -cumulative; defaults 460 and 920).

import { setFlagsFromString } from "node:v8";

export const INLINING_FLAGS = [
  "--max-inlined-bytecode-size=2000",
  "--max-inlined-bytecode-size-cumulative=8000",
] as const;

export function raiseInliningLimits(): void {
  for (const flag of INLINING_FLAGS) setFlagsFromString(flag);
}
