import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import {
  countExternalMemoryAsHeap,
  EXTERNAL_MEMORY_FLAG,
  hasExternalMemoryFlag,
} from "../../src/server/v8-external-memory.ts";

test("a Node that is taken to know the flag does know it, and takes it while it runs", () => {
  if (hasExternalMemoryFlag(process.versions.v8)) {
    // node refuses to start with an option that neither it nor V8 knows
    expect(execFileSync(process.execPath, [EXTERNAL_MEMORY_FLAG, "-p", "1 + 1"], { encoding: "utf8" }).trim()).toBe(
      "2",
    );
  }
  expect(countExternalMemoryAsHeap).not.toThrow();
});

test("a V8 before 13.6 is not asked for it", () => {
  expect(["12.4.254.21-node.33", "13.5.1", "13.6.233.17-node.53", "14.0.1"].map(hasExternalMemoryFlag)).toEqual([
    false,
    false,
    true,
    true,
  ]);
});
