// The golden command's promises: what it accepts, and what it fails on.

import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const HERE = dirname(fileURLToPath(import.meta.url));
const SMALL = "T-qtest-ns-s1"; // 28 translations

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "golden-"));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

function run(...args: string[]): { code: number | null; out: string } {
  const result = spawnSync(process.execPath, [join(HERE, "run.ts"), ...args], { encoding: "utf8" });
  return { code: result.status, out: result.stdout };
}

function copyCase(to: string): void {
  cpSync(join(HERE, "cases", SMALL), to, { recursive: true });
}

/** Rewrites the first row that has both forms of its record, or any first row. */
function editRow(folder: string, change: (row: { event: string; result: object }) => object, hasBoth = false): void {
  const file = join(folder, "case.json.gz");
  const golden = JSON.parse(gunzipSync(readFileSync(file)).toString("utf8"));
  const at = golden.translations.findIndex((row: object) => !hasBoth || ("event" in row && "event_fixed" in row));
  golden.translations[at] = change(golden.translations[at]);
  writeFileSync(file, gzipSync(JSON.stringify(golden)));
}

/** Rewrites the case with one text for another in its JSON. */
function edit(folder: string, from: string, to: string): void {
  const file = join(folder, "case.json.gz");
  writeFileSync(file, gzipSync(gunzipSync(readFileSync(file)).toString("utf8").replace(from, to)));
}

describe("npm run golden", () => {
  test("replays a case folder, and folders one or two levels below a directory", () => {
    copyCase(join(directory, "one", "two"));
    for (const root of [directory, join(directory, "one"), join(directory, "one", "two")]) {
      const { code, out } = run(root);
      expect(out).toContain(`${SMALL}: 28 agree, 0 disagree`);
      expect(out).toContain("TOTAL: 28 agree, 0 disagree in 1 cases");
      expect(code).toBe(0);
    }
  });

  test("fails on a disagreement and explains it", () => {
    copyCase(join(directory, "case"));
    edit(join(directory, "case"), '"page_size": "0x1000"', '"page_size": "0x2000"');
    edit(join(directory, "case"), '"page_size":"0x1000"', '"page_size":"0x2000"');
    const { code, out } = run(directory);
    expect(out).toContain("27 agree, 1 disagree");
    expect(out).toContain("differs in page_size");
    expect(code).toBe(1);
  });

  test("compares the raw record beside event_fixed, in bits that event_fixed leaves out too", () => {
    copyCase(directory);
    const bit55OfDword2 = (event: string): string => `${event.slice(0, 44)}ff${event.slice(46)}`; // InputAddr[55:48]
    editRow(directory, (row) => ({ ...row, event: bit55OfDword2(row.event) }), true);
    expect(run(directory)).toMatchObject({ code: 1, out: expect.stringContaining("differs in event\n") });
  });

  test("ends with what it did not compare: nothing, or a field by name", () => {
    copyCase(directory);
    expect(run(directory).out).toContain("(rows: 28 qemu)");
    expect(run(directory).out).toContain("\nfields not compared: none\nTOTAL: 28 agree, 0 disagree in 1 cases\n");
    editRow(directory, (row) => ({ ...row, result: { ...row.result, moon: 1 } }));
    expect(run(directory).out).toContain("\nfields not compared: result.moon\n");
  });

  test("fails on an index that names a case that is not there, or other counts", () => {
    copyCase(join(directory, SMALL));
    const index = (entries: object[]): void => writeFileSync(join(directory, "INDEX.json"), JSON.stringify(entries));
    index([{ name: SMALL, translations: 28, events: 0 }]);
    expect(run(directory).code).toBe(0);
    index([{ name: SMALL, translations: 29, events: 0 }]);
    expect(run(directory)).toMatchObject({ code: 1, out: expect.stringContaining("promises 29 translations") });
    index([{ name: "moon", translations: 1, events: 0 }]);
    expect(run(directory)).toMatchObject({ code: 1, out: expect.stringContaining("moon: named in") });
  });

  test("fails on an unreadable case, and when there was nothing to replay", () => {
    expect(run(directory)).toMatchObject({ code: 1, out: expect.stringContaining("nothing was replayed") });
    expect(run(join(directory, "nowhere")).code).toBe(1);
    mkdirSync(join(directory, "broken"));
    writeFileSync(join(directory, "broken", "case.json.gz"), "not gzip");
    expect(run(directory)).toMatchObject({ code: 1, out: expect.stringContaining("broken: unreadable case") });
  });

  test("says how it is used", () => {
    expect(run("--help")).toMatchObject({ code: 0, out: expect.stringContaining("DIR...") });
    expect(run().code).toBe(1);
  });
});
