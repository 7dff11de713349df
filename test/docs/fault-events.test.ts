import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { EVENT_OWNERS, type Whose } from "../../src/backends/fault-record.ts";

const WORDS: Readonly<Record<Whose, RegExp>> = {
  guest: /^yes$/,
  host: /^no\b.*`host_only`/,
  stage: /^stage 1 yes; stage 2 no \(`host_only`\)$|^as F_TRANSLATION$/,
  address: /^yes, unless `host_only`$/,
  "stage-and-address": /^yes, unless `host_only`$/,
};

test("docs/faults.md says of every event whether a VMM injects it, as it is flagged", () => {
  const text = readFileSync(join(import.meta.dirname, "../../docs/faults.md"), "utf8");
  const rows = [...text.matchAll(/^\| `([FCE]_[A-Z_]+)` \|([^|]*)\|([^|]*)\|([^|]*)\|$/gm)];
  const said = new Map(rows.map(([, name = "", , inject = ""]) => [name, inject.trim()]));
  expect([...said.keys()].sort()).toEqual(Object.keys(EVENT_OWNERS).sort());
  const wrong = Object.entries(EVENT_OWNERS).filter(([name, { whose }]) => !WORDS[whose].test(said.get(name) ?? ""));
  expect(wrong.map(([name, { whose }]) => [name, whose, said.get(name)])).toEqual([]);
});
