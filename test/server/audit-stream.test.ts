import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openAudit } from "../../src/server/audit-stream.ts";
import { type Log, logTo } from "../../src/server/log.ts";

let directory: string;
let path: string;
let logged: Record<string, unknown>[];
let log: Log;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "audit-"));
  path = join(directory, "audit.log");
  logged = [];
  log = logTo({ write: (line: string) => logged.push(JSON.parse(line)) }, "fatal");
});

afterEach(() => rmSync(directory, { recursive: true }));

const unexpected = (error: unknown): void => {
  throw error;
};
const eventsIn = (file: string): unknown[] =>
  readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line).event);

test("among the log's lines they are marked, and no log level keeps them out", () => {
  const audit = openAudit({ kind: "log" }, log, unexpected);
  audit.write({ event: "stage", device: "d" });
  audit.close();
  expect(logged).toMatchObject([{ audit: true, event: "stage", device: "d", time: expect.any(String) }]);
});

test("a file's lines are in it at once, readable by its owner only, and go nowhere else", () => {
  const audit = openAudit({ kind: "file", path }, log, unexpected);
  audit.write({ event: "one" });
  audit.write({ event: "two" });
  expect(eventsIn(path)).toEqual(["one", "two"]);
  expect(statSync(path).mode % 0o1000).toBe(0o600);
  expect(logged).toEqual([]);
  audit.close();
});

test("what is in the file already stays", () => {
  for (const event of ["before", "after"]) {
    const audit = openAudit({ kind: "file", path }, log, unexpected);
    audit.write({ event });
    audit.close();
  }
  expect(eventsIn(path)).toEqual(["before", "after"]);
});

test("a file that was moved away is left as it is after reopen(), and a new one begun", async () => {
  const audit = openAudit({ kind: "file", path }, log, unexpected);
  audit.write({ event: "old" });
  renameSync(path, `${path}.1`);
  audit.reopen();
  audit.write({ event: "new" });
  await expect.poll(() => eventsIn(path)).toEqual(["new"]);
  expect(eventsIn(`${path}.1`)).toEqual(["old"]);
  audit.close();
});

test("switched off it writes nothing", () => {
  const audit = openAudit({ kind: "off" }, log, unexpected);
  audit.write({ event: "x" });
  audit.reopen();
  audit.close();
  expect(logged).toEqual([]);
});

test("a path that cannot be written is refused with the setting and the remedy", () => {
  mkdirSync(path);
  expect(() => openAudit({ kind: "file", path }, log, unexpected)).toThrow(
    /audit\.destination .*audit\.log cannot be written \(EISDIR\): check the directory, or set "log" or "off"/,
  );
});
