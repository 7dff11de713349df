// The directory of the compile cache: which ones are taken, and which not, and why.

import { spawnSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { compileCacheOf } from "../../src/os/compile-cache.ts";

const SOURCE = join(import.meta.dirname, "../../src/os/compile-cache.ts");
const uid = process.geteuid?.() ?? 0;
let parent: string;

beforeEach(() => {
  parent = realpathSync(mkdtempSync(join(tmpdir(), "iommu-broker-cache-")));
});

afterEach(() => rmSync(parent, { recursive: true, force: true }));

function directory(name: string, mode: number): string {
  const path = join(parent, name);
  mkdirSync(path);
  chmodSync(path, mode); // mkdir takes the umask off
  return path;
}

test("without a directory there is no cache", () => {
  expect(compileCacheOf(undefined, uid)).toEqual({ kind: "off" });
  expect(compileCacheOf("", uid)).toEqual({ kind: "off" });
});

test("the first directory of the list is taken when it is the process's own", () => {
  const own = directory("own", 0o700);
  expect(compileCacheOf(`${own}:/elsewhere`, uid)).toEqual({ kind: "on", directory: own });
});

test("a symbolic link counts as what it names", () => {
  const own = directory("own", 0o755);
  symlinkSync(own, join(parent, "link"));
  expect(compileCacheOf(join(parent, "link"), uid)).toEqual({ kind: "on", directory: own });
});

test.each([0o777, 0o1777, 0o770])("a directory of mode %o is refused, since others write there", (mode) => {
  const open = directory("open", mode);
  expect(compileCacheOf(open, uid)).toMatchObject({ kind: "refused", why: expect.stringContaining("chmod 0700") });
});

test("another user's directory is refused", () => {
  const own = directory("own", 0o700);
  expect(compileCacheOf(own, uid + 1)).toMatchObject({
    kind: "refused",
    why: expect.stringContaining(`belongs to uid ${uid}`),
  });
});

test("a directory that others can put another one in the place of is refused", () => {
  const open = directory("open", 0o777);
  mkdirSync(join(open, "cache"), { mode: 0o700 });
  expect(compileCacheOf(join(open, "cache"), uid)).toEqual({
    kind: "refused",
    why: `CACHE_DIRECTORY: others can replace ${open}/cache: ${open} is theirs to change`,
  });
});

test("what is no directory, or is not there, is refused", () => {
  const file = join(parent, "file");
  writeFileSync(file, "");
  expect(compileCacheOf(file, uid)).toMatchObject({ kind: "refused", why: expect.stringContaining("is no directory") });
  expect(compileCacheOf(join(parent, "none"), uid)).toMatchObject({
    kind: "refused",
    why: expect.stringContaining("ENOENT"),
  });
});

test("what is loaded after the cache is on is found there by the next start", () => {
  const cache = directory("cache", 0o700);
  writeFileSync(join(parent, "loaded.cjs"), `module.exports = () => ${JSON.stringify("x".repeat(5000))};\n`);
  const main = join(parent, "main.mjs");
  writeFileSync(
    main,
    `import { createRequire } from "node:module";
import { useCompileCache } from ${JSON.stringify(SOURCE)};
useCompileCache(process.env);
createRequire(import.meta.url)("./loaded.cjs")();
`,
  );
  const run = (): string => {
    // The runner switches the cache off for coverage.
    const { NODE_DISABLE_COMPILE_CACHE: _, ...environment } = process.env;
    const env = { ...environment, CACHE_DIRECTORY: cache, NODE_DEBUG_NATIVE: "COMPILE_CACHE" };
    const { status, stderr, stdout } = spawnSync(process.execPath, [main], { encoding: "utf8", env });
    expect({ status, stderr: status === 0 ? "" : stderr }).toEqual({ status: 0, stderr: "" });
    return stdout + stderr;
  };
  run();
  expect(readdirSync(cache)).not.toEqual([]);
  expect(run()).toMatch(/loaded\.cjs was accepted/);
});
