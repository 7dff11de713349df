// Every golden case agrees with the model, and no case is missing.

import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { findCases, findIndexes, loadCase } from "./case.ts";
import { replay } from "./replay.ts";

const ROOT = dirname(fileURLToPath(import.meta.url));
const FOLDERS = findCases(ROOT);

describe("golden cases", () => {
  test("are exactly those the index names", () => {
    const promised = findIndexes(ROOT).flatMap((index) => index.cases.map((each) => each.name));
    expect(FOLDERS.map((folder) => basename(folder)).sort()).toEqual(promised.sort());
  });

  for (const { name, translations, events } of findIndexes(ROOT).flatMap((index) => index.cases)) {
    test(`${name}: all ${translations + events} rows agree with the model`, () => {
      const report = replay(loadCase(join(ROOT, "cases", name)));
      expect(report.disagreements.slice(0, 3)).toEqual([]);
      expect(report.agree).toBe(translations + events);
      expect(report.unknownFields).toEqual([]);
    });
  }
});
