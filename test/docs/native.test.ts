// docs/native.md has every answer of doctor, in the order in which they are told.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { HOST_CHECKS } from "../../src/backends/host-finding.ts";

test("every check of doctor has its row, and no row is of another", () => {
  const text = readFileSync(new URL("../../docs/native.md", import.meta.url), "utf8");
  const table = text.slice(text.indexOf("## Doctor's answers"));
  const rows = [...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, check]) => check);
  expect(rows).toEqual([...HOST_CHECKS]);
});
