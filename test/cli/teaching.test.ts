// What the commands teach, against the tree that parses command lines.

import { describe, expect, test } from "vitest";
import { iommuctlPages } from "../../scripts/operations/iommuctl-tree.ts";
import type { CommandPage } from "../../src/cli/command-tree.ts";

const PAGES = iommuctlPages();
const BY_NAME = new Map(PAGES.map((page) => [page.name, page]));

/** The words of a line's first command, as a shell has them: quotes taken off, what follows | & ; > left out. */
function wordsOf(line: string): string[] {
  const [words = []] = [line.match(/'[^']*'|"[^"]*"|[|&;>]+|[^\s|&;>]+/g)?.map(String)];
  const end = words.findIndex((word) => /^[|&;>]+$/.test(word));
  return (end < 0 ? words : words.slice(0, end)).map((word) => word.replace(/^(['"])(.*)\1$/, "$2"));
}

/** The command that a line runs, and the words after its name. */
function resolved(line: string): { page: CommandPage | undefined; rest: string[] } {
  const [program, ...words] = wordsOf(line);
  expect(program).toBe("iommuctl");
  const nested = BY_NAME.get(`${words[0]} ${words[1]}`);
  return nested === undefined
    ? { page: BY_NAME.get(words[0] ?? ""), rest: words.slice(1) }
    : { page: nested, rest: words.slice(2) };
}

describe.each(PAGES)("$name", ({ children, lesson, name, options }) => {
  test("has examples that its own parser takes", () => {
    expect(lesson.examples.length).toBeGreaterThan(0);
    for (const [example] of lesson.examples) {
      const line = /^source <\((.*)\)$/.exec(example)?.[1] ?? example;
      const { page, rest } = resolved(line);
      if (children.length === 0) expect(page?.name, line).toBe(name);
      const [own = ""] = rest.join(" ").split(" -- "); // what follows is another program's
      const flags = own.split(" ").filter((word) => /^--?[a-z]/.test(word));
      const known = new Set(page?.options.flatMap(({ long, short }) => [long, short]));
      for (const flag of flags) expect(known.has(flag), `${line}: ${flag}`).toBe(true);
      const required = page?.operands.filter((operand) => operand.required).length ?? 0;
      expect(rest.length, line).toBeGreaterThanOrEqual(required);
    }
  });

  test("names other commands that exist", () => {
    for (const other of lesson.seeAlso) expect(BY_NAME.has(other), other).toBe(true);
    expect(lesson.seeAlso).not.toContain(name);
  });

  test("prints JSON on request, and says in which shape", () => {
    if (children.length > 0 || name === "completion" || name === "vend") return; // what it runs has the output
    expect(options.map(({ long }) => long)).toContain("--json");
    expect(lesson.json).toBeTypeOf("string");
  });

  test("takes no secret as an argument", () => {
    for (const { long } of options) expect(long).not.toMatch(/^--(?:session-)?token$/);
  });
});
