import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { NewTokenFile, readToken } from "../../src/cli/token-file.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "iommuctl-"));
  const path = directory;
  onTestFinished(() => rmSync(path, { recursive: true }));
});

test.each([0o640, 0o604, 0o610, 0o602, 0o777])("a file of mode %o is refused: others could have the token", (mode) => {
  const path = join(directory, "token");
  writeFileSync(path, "secret");
  chmodSync(path, mode);
  expect(() => readToken(path, undefined)).toThrow(/is open to others \(mode ends in \d\d\): chmod 600/);
});

test.each([0o600, 0o400, 0o700])("a file of mode %o is the user's own", (mode) => {
  const path = join(directory, "token");
  writeFileSync(path, "word\n");
  chmodSync(path, mode);
  expect(readToken(path, "other")).toBe("word");
});

test("nothing given is no token", () => {
  expect(readToken(undefined, undefined)).toBeUndefined();
});

describe("a new file", () => {
  test("is the user's alone whatever the umask, and has the token", () => {
    const before = process.umask(0);
    onTestFinished(() => void process.umask(before));
    const path = join(directory, "new");
    new NewTokenFile(path).keep("word");
    expect(statSync(path).mode % 0o1000).toBe(0o600);
    expect(readFileSync(path, "utf8")).toBe("word\n");
  });

  test("is there before there is a token, and gone when none came", () => {
    const path = join(directory, "new");
    const file = new NewTokenFile(path);
    expect(existsSync(path)).toBe(true);
    file.discard();
    expect(existsSync(path)).toBe(false);
  });

  test("is never one that is there, nor what a link leads to", () => {
    const there = join(directory, "there");
    writeFileSync(there, "something else");
    symlinkSync(join(directory, "elsewhere"), join(directory, "link"));
    for (const name of ["there", "link"]) {
      expect(() => new NewTokenFile(join(directory, name)), name).toThrow(
        /is there already, with the token of an earlier session: close that/,
      );
    }
    expect(readFileSync(there, "utf8")).toBe("something else");
    expect(existsSync(join(directory, "elsewhere"))).toBe(false);
  });
});
