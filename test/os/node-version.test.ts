// The oldest Node is what package.json asks for, and an older one is told what to do.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { whyTooOld } from "../../src/os/node-version.ts";

const { engines } = JSON.parse(readFileSync(join(import.meta.dirname, "../../package.json"), "utf8"));

test("the oldest Node of package.json runs it, and every newer one", () => {
  const oldest: string = engines.node.replace(">=", "");
  for (const version of [`${oldest}.0`, "22.21.1", "23.0.0", "24.3.0", "100.0.0"])
    expect(whyTooOld(version)).toBeUndefined();
});

test.each(["22.11.0", "20.20.2", "18.19.0", "9.99.99"])("Node %s is told which is needed", (version) => {
  expect(whyTooOld(version)).toBe(
    `Node ${version} is too old: this needs 22.12 or newer. Install one, and start the program with it.`,
  );
});
