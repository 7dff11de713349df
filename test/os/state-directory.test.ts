import { chmodSync, mkdtempSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { takeStateDirectory } from "../../src/os/state-directory.ts";
import { refusal } from "../support/host.ts";

let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "iommu-broker-state-"));
  const made = parent;
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
});

test("is made for its user alone", () => {
  const taken = takeStateDirectory(join(parent, "a", "state"));
  expect(statSync(taken.path).mode & 0o7777).toBe(0o700);
  taken.release();
});

test("is one daemon's at a time, and the next one's after release", async () => {
  const path = join(parent, "state");
  const first = takeStateDirectory(path);
  expect(await refusal(() => takeStateDirectory(path))).toMatchObject({
    code: "in_use",
    facts: { path, pid: process.pid },
    message: expect.stringContaining(`in use by pid ${process.pid}`),
  });
  first.release();
  takeStateDirectory(path).release();
});

test("is refused when others may read or change it", async () => {
  chmodSync(parent, 0o750);
  const error = await refusal(() => takeStateDirectory(parent));
  expect(error).toMatchObject({ code: "argument_invalid", message: expect.stringContaining("chmod 0700") });
});

test("is refused when it is a symbolic link or a file", async () => {
  symlinkSync(parent, join(parent, "link"));
  expect((await refusal(() => takeStateDirectory(join(parent, "link")))).code).toBe("argument_invalid");
  expect((await refusal(() => takeStateDirectory("/proc/self/status"))).code).toBe("argument_invalid");
});
