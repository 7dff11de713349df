// npm run demo tells its story to the end, and its two lies are caught in exactly the rows they are about.

import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";

const DEMO_MAX_MS = 20_000;

function demo(...options: readonly string[]) {
  return spawnSync(process.execPath, ["examples/demo/main.ts", ...options], { encoding: "utf8", timeout: DEMO_MAX_MS });
}

test("the demo agrees in every row, sees C_BAD_CD and has the second client refused", () => {
  const { status, stdout } = demo();
  expect(stdout).toContain("2763 agree, 0 disagree");
  expect(stdout).toContain("308 events came on the stream as recorded");
  expect(stdout).toMatch(/type +C_BAD_CD/);
  expect(stdout).toContain("refused: DEVICE_OWNED");
  expect(status).toBe(0);
});

test("a flipped guest entry and a moved stage-2 page are two disagreements, and exit code 1", () => {
  const { status, stdout } = demo("--sabotage");
  expect(stdout).toContain("2761 agree, 2 disagree");
  const planned = [...stdout.matchAll(/row (\d+) must disagree/g)].map((match) => match[1]);
  expect(planned).toHaveLength(2);
  expect(stdout).toContain(`exactly the sabotaged rows: ${planned.join(" and ")}`);
  expect(status).toBe(1);
});

test("--help explains, and an unknown option is refused", () => {
  expect(demo("--help").stdout).toContain("--sabotage");
  const wrong = demo("--nonsense");
  expect(wrong.status).toBe(2);
  expect(wrong.stderr).toContain("--nonsense");
});
