// The commands of iommuctl where none is run.

import { createProgram } from "../../src/cli/program.ts";

/** The tree of commands, with a process around it that has and hears nothing. */
export function iommuctlTree() {
  return createProgram(
    {
      environment: {},
      terminal: { columns: undefined, hasColour: false },
      version: "1.2.3",
      out: () => undefined,
      err: () => undefined,
      taken: async () => undefined,
      gone: new AbortController().signal,
    },
    () => undefined,
  );
}
