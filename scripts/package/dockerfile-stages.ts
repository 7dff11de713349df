// The stages of a Dockerfile and their instructions: as much as it takes to run them elsewhere and to check what they name.
// Comments and continued lines are taken together; heredocs and escapes are not known, as none of ours has them.

export interface Instruction {
  readonly keyword: string;
  readonly words: readonly string[];
}

export interface Stage {
  /** "AS name"; the last one often has none. */
  readonly name: string | undefined;
  readonly image: string;
  readonly instructions: readonly Instruction[];
}

export function stagesOf(dockerfile: string): Stage[] {
  const stages: (Stage & { readonly instructions: Instruction[] })[] = [];
  for (const line of logicalLines(dockerfile)) {
    const [keyword = "", ...words] = line.split(/\s+/);
    if (keyword === "FROM") {
      const [image = "", as, name] = words;
      stages.push({ image, name: as?.toUpperCase() === "AS" ? name : undefined, instructions: [] });
    } else stages.at(-1)?.instructions.push({ keyword, words });
  }
  return stages;
}

function logicalLines(text: string): string[] {
  return text
    .split("\n")
    .filter((line) => !/^\s*#/.test(line))
    .join("\n")
    .replaceAll(/\\\n/g, " ")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}
