import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { INLINING_FLAGS, raiseInliningLimits } from "../../src/server/v8-inlining.ts";

test("this Node knows the inlining flags and takes them while it runs", () => {
  // node refuses to start with an option that neither it nor V8 knows; setFlagsFromString would pass over it
  expect(execFileSync(process.execPath, [...INLINING_FLAGS, "-p", "1 + 1"], { encoding: "utf8" }).trim()).toBe("2");
  expect(raiseInliningLimits).not.toThrow();
});
