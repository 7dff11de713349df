import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../../..");
const run = promisify(execFile);

test("the committed codec, types and descriptors are what proto/ generates", async () => {
  const checked = await run(process.execPath, ["scripts/generate.ts", "--check"], { cwd: ROOT });
  expect(checked.stderr).toBe("");
});
