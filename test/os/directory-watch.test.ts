import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { watchDirectory } from "../../src/os/directory-watch.ts";

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "directory-watch-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test("a file that is made is told, and nothing is after it was stopped", async () => {
  const path = folder();
  let told = 0;
  const stop = watchDirectory(path, () => {
    told += 1;
  });
  let others = 0;
  onTestFinished(
    watchDirectory(path, () => {
      others += 1;
    }),
  );
  writeFileSync(join(path, "vfio0"), "");
  await vi.waitUntil(() => told > 0 && others > 0, 5000);
  stop();
  const [before, othersBefore] = [told, others];
  writeFileSync(join(path, "vfio1"), "");
  await vi.waitUntil(() => others > othersBefore, 5000);
  expect(told).toBe(before);
});

test("a directory that is not there tells nothing, and neither does one that went away", () => {
  expect(() => watchDirectory(join(folder(), "none"), () => {})()).not.toThrow();
  const path = folder();
  const stop = watchDirectory(path, () => {});
  rmSync(path, { recursive: true });
  expect(stop).not.toThrow();
});
