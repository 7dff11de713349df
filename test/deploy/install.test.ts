// install.sh as far as it goes without npm: what it refuses, and that what it lays out is in the package.
// scripts/try-package.ts runs all of it, from a tarball.

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const SCRIPT = join(ROOT, "deploy/install.sh");
const TEXT = readFileSync(SCRIPT, "utf8");

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "install-"));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

function install(...args: readonly string[]) {
  const { status, stderr } = spawnSync(SCRIPT, args, { cwd: directory, encoding: "utf8" });
  return { status, stderr };
}

test("without a tarball, with two, or with a flag that it has not, it says how it is used and does nothing", () => {
  for (const args of [[], ["a.tgz", "b.tgz"], ["--prefix", "/usr", "a.tgz"], ["--destdir"]]) {
    expect(install(...args)).toEqual({ status: 64, stderr: expect.stringMatching(/^usage: /) });
  }
  expect(install("--destdir", "image", "nowhere.tgz")).toEqual({
    status: 66,
    stderr: expect.stringContaining("there is no file nowhere.tgz: npm pack makes it"),
  });
  expect(existsSync(join(directory, "image"))).toBe(false);
});

test("a Node that is too old is refused before anything is laid out", () => {
  const old = join(directory, "node");
  // An old Node says so by the exit code of the question, and tells its version.
  writeFileSync(old, '#!/bin/sh\n[ "$1" = --version ] && echo v18.19.0\n', { mode: 0o755 });
  writeFileSync(join(directory, "a.tgz"), "");
  expect(install("--destdir", "image", "--node", old, "a.tgz")).toEqual({
    status: 69,
    stderr: expect.stringContaining("v18.19.0, and 22.12 or later is needed"),
  });
  expect(existsSync(join(directory, "image"))).toBe(false);
});

test("the Node that it asks for is the one in package.json", () => {
  const { engines } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  expect(engines.node).toBe(">=22.12");
  expect(TEXT).toContain("minor >= 12");
});

test("every file that it takes from the package is there", () => {
  const named = [...TEXT.matchAll(/^ *file (\S+) /gm)].map(([, path = ""]) => path.replaceAll('"', ""));
  const loops = [...TEXT.matchAll(/^for (\w+) in (.*); do$/gm)].map(
    ([, name = "", words = ""]) => [name, words] as const,
  );
  const variables = new Map(loops.map(([name, words]) => [name, words.split(" ")]));
  const files = named.flatMap((path) => {
    const [, name = ""] = /\$(\w+)/.exec(path) ?? [];
    return name === "" ? [path] : (variables.get(name) ?? []).map((word) => path.replace(`$${name}`, word));
  });
  expect(files.length).toBeGreaterThan(10);
  for (const file of files) expect(existsSync(join(ROOT, "deploy", file)), file).toBe(true);
  for (const tree of variables.get("tree") ?? []) expect(existsSync(join(ROOT, "deploy", tree)), tree).toBe(true);
});
