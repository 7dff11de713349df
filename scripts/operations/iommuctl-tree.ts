// The commands of iommuctl as data, from the tree that parses its command lines. None is run.

import { type CommandPage, pagesOf } from "../../src/cli/command-tree.ts";
import { createProgram } from "../../src/cli/program.ts";

export const DESCRIPTION = "asks iommu-brokerd, the owner of the host's IOMMU, and works with it by hand";

export function iommuctlPages(): readonly CommandPage[] {
  const around = {
    environment: {},
    terminal: { columns: undefined, hasColour: false },
    version: "",
    out: () => undefined,
    err: () => undefined,
    taken: async () => undefined,
    gone: new AbortController().signal,
  };
  return pagesOf(createProgram(around, () => undefined));
}

/** An option as help shows it: "-w, --watch". */
export function optionText(option: CommandPage["options"][number]): string {
  const { argChoices, description } = option;
  return argChoices === undefined ? description : `${description} (${argChoices.join(", ")})`;
}
