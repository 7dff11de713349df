// install.sh without npm's registry: what it refuses, and what it lays out of the files that package.json names, which a
// stand-in for npm copies. scripts/try-package.ts runs all of it, from a tarball.

import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { brokenLinksOf, pagesOf } from "../../scripts/package/document-links.ts";

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
  const env = { ...process.env, PATH: `${directory}/bin:${process.env.PATH}` };
  const { status, stderr } = spawnSync(SCRIPT, args, { cwd: directory, encoding: "utf8", env });
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

/** The package's files but for what a build makes, of which the CLI is here run from its source. */
function layPackage(): string {
  const made = join(directory, "package");
  const { files } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  for (const path of files.filter((each: string) => each !== "dist" && !each.startsWith("!"))) {
    cpSync(join(ROOT, path), join(made, path), { recursive: true });
  }
  mkdirSync(join(made, "dist/cli"), { recursive: true });
  writeFileSync(join(made, "dist/cli/main.js"), `await import(${JSON.stringify(join(ROOT, "src/cli/main.ts"))});\n`);
  writeFileSync(join(made, "package.json"), '{ "type": "module" }');
  return made;
}

/** Installs what package.json names, with a stand-in for npm; gives where it lies. */
function installed(): string {
  const made = existsSync(join(directory, "package")) ? join(directory, "package") : layPackage();
  const lib = join(directory, "image/usr/lib/iommu-broker/node_modules");
  mkdirSync(join(directory, "bin"), { recursive: true });
  const npm = `#!/bin/sh\nmkdir -p ${lib} && rm -rf ${lib}/iommu-broker && cp -R ${made} ${lib}/iommu-broker\n`;
  writeFileSync(join(directory, "bin/npm"), npm, { mode: 0o755 });
  writeFileSync(join(directory, "a.tgz"), "");
  expect(install("--destdir", "image", "--node", process.execPath, "a.tgz")).toEqual({ status: 0, stderr: "" });
  return join(directory, "image");
}

test("links of the package's documents lead to files of the package", () => {
  const made = layPackage();
  expect(pagesOf(made)).toEqual(expect.arrayContaining(["CONTRIBUTING.md", "README.md", "docs/clients.md"]));
  expect(brokenLinksOf(made)).toEqual([]);
  rmSync(join(made, "examples/go"), { recursive: true });
  expect(brokenLinksOf(made)).toEqual(["docs/clients.md: ../examples/go/main.go leads to nothing"]);
});

test("links of the installed documents lead to files that are installed, also after a second install", () => {
  for (const _ of ["first", "again"]) {
    const doc = join(installed(), "usr/share/doc/iommu-broker");
    expect(readFileSync(join(doc, "README.md"), "utf8")).toBe(readFileSync(join(ROOT, "README.md"), "utf8"));
    expect(pagesOf(doc)).toEqual(pagesOf(join(directory, "package")));
    expect(brokenLinksOf(doc)).toEqual([]);
    // What is not copied is linked by a relative path, which holds in a DESTDIR and without it.
    expect(lstatSync(join(doc, "proto")).isSymbolicLink()).toBe(true);
    // What an earlier layout left is not there after the second.
    expect(existsSync(join(doc, "operations.md"))).toBe(false);
    writeFileSync(join(doc, "operations.md"), "");
  }
});

test("the manual page and the completions lie where man, bash and zsh look on Debian", () => {
  const share = join(installed(), "usr/share");
  expect(readFileSync(join(share, "man/man1/iommuctl.1"), "utf8")).toMatch(/^\.TH /m);
  expect(existsSync(join(share, "doc/iommu-broker/docs/iommuctl.1"))).toBe(false);
  expect(readFileSync(join(share, "bash-completion/completions/iommuctl"), "utf8")).toMatch(/^complete .*iommuctl$/m);
  expect(readFileSync(join(share, "zsh/vendor-completions/_iommuctl"), "utf8")).toMatch(/^#compdef iommuctl$/m);
});

test("the units name documents that are installed", () => {
  const image = installed();
  const units = join(image, "usr/lib/systemd/system");
  const named = readdirSync(units).flatMap((unit) =>
    [...readFileSync(join(units, unit), "utf8").matchAll(/^Documentation=file:\/\/(.*)$/gm)].map(
      ([, path = ""]) => path,
    ),
  );
  expect(named).toHaveLength(4);
  for (const path of named) expect(existsSync(join(image, path)), path).toBe(true);
});
