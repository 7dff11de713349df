// The manual page and docs/iommuctl.md as their readers have them. That they are up to date, test/deploy/operations.test.ts shows.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { iommuctlPages } from "../../scripts/operations/iommuctl-tree.ts";
import { EXIT_CODES } from "../../src/cli/failure.ts";

const ROOT = join(import.meta.dirname, "../..");
const MANUAL = join(ROOT, "docs/iommuctl.1");
const page = readFileSync(join(ROOT, "docs/iommuctl.md"), "utf8");
const has = (program: string): boolean => spawnSync(program, ["--version"]).status === 0;

describe("the manual page", () => {
  test.skipIf(!has("groff"))("has nothing that groff warns of", () => {
    const { status, stderr } = spawnSync("groff", ["-ww", "-man", "-Tutf8", "-z", MANUAL], { encoding: "utf8" });
    expect([status, stderr]).toEqual([0, ""]);
  });

  test.skipIf(!has("man"))("is shown by man without a warning, whole", () => {
    const options = { encoding: "utf8", env: { ...process.env, MANWIDTH: "200", LC_ALL: "C.UTF-8" } } as const;
    const { status, stderr, stdout: shown } = spawnSync("man", ["--warnings", "-P", "cat", "-l", MANUAL], options);
    expect([status, stderr]).toEqual([0, ""]);
    for (const { name, lesson } of iommuctlPages()) {
      expect(shown, name).toContain(`\n   ${name}\n`);
      for (const [line] of lesson.examples)
        expect(shown.replaceAll(/\s+/g, " "), name).toContain(line.replaceAll(/\s+/g, " "));
    }
    expect(shown).toMatch(/^EXIT STATUS\n +0 +done$/m);
  });

  test("is the one that the package installs", () => {
    expect(JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"))).toMatchObject({ man: "docs/iommuctl.1" });
  });
});

describe("docs/iommuctl.md", () => {
  test("has a section for each command, and every link in it leads to one", () => {
    const anchors = [...page.matchAll(/^### (.+)$/gm)].map(([, name = ""]) => name.replaceAll(" ", "-"));
    expect(anchors).toEqual(iommuctlPages().map(({ name }) => name.replaceAll(" ", "-")));
    for (const [, anchor] of page.matchAll(/\]\(#([^)]+)\)/g)) expect(anchors).toContain(anchor);
  });

  test("has every exit code and every option", () => {
    for (const [code, meaning] of EXIT_CODES) expect(page).toContain(`| ${code} | ${meaning} |`);
    for (const { options } of iommuctlPages()) for (const { flags } of options) expect(page).toContain(`\`${flags}\``);
  });
});
