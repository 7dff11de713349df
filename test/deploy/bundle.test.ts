import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { bundle, licencesOf } from "../../scripts/package/bundle.ts";

const ROOT = join(import.meta.dirname, "../..");
const ASCII = /^[\0-\x7f]*$/;

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bundle-"));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

function written(files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
}

/** The program of a fixture as one file. */
async function bundled(): Promise<{ file: string; code: string; modules: readonly string[] }> {
  const file = join(directory, "out/main.cjs");
  const modules = await bundle(relative(ROOT, join(directory, "main.ts")), file, "cjs");
  return { file, code: readFileSync(file, "utf8"), modules };
}

function output(file: string, ...args: string[]): string {
  return execFileSync(process.execPath, [file, ...args], { encoding: "utf8", cwd: "/" });
}

const PACKAGE = {
  "node_modules/little/package.json":
    '{"name": "little", "version": "1.2.3", "license": "MIT", "main": "index.js", "type": "module"}',
  "node_modules/little/index.js": "export function little() {\n  return Number('40');\n}\n",
  "node_modules/little/LICENSE.txt": "Do as you like.\n",
};

test("a program, its files and its packages are one CommonJS file that runs alone, with every name as it was written", async () => {
  written({
    ...PACKAGE,
    "main.ts":
      'import { sep } from "node:path";\nimport { little } from "little";\nimport { twoMore } from "./other.ts";\n' +
      "function sumOfBoth(from: number): number {\n  return twoMore(from);\n}\n" +
      "console.log(sumOfBoth(little()), sumOfBoth.name, twoMore.name, sep);\n",
    "other.ts": "export function twoMore(count: number): number {\n  return count + 2;\n}\n",
  });
  const { code, file, modules } = await bundled();
  for (const path of ["main.ts", "other.ts", "node_modules"]) rmSync(join(directory, path), { recursive: true });
  expect(readdirSync(dirname(file))).toEqual(["main.cjs"]);
  expect(output(file)).toBe("42 sumOfBoth twoMore /\n");
  expect(code).not.toMatch(/^(?:import|export)\b/m);
  expect(code).toMatch(/^function twoMore\(count\) \{$/m);
  expect(modules).toContain(join(directory, "other.ts"));
});

test("a letter beyond ASCII is escaped, and is the same letter to the program", async () => {
  written({ "main.ts": 'const name = "é → 😀";\nconsole.log(name, ["ß", ...name].length, /^→$/u.test("→"));\n' });
  const { code, file } = await bundled();
  expect(code).toMatch(ASCII);
  expect(code).toContain("\\u00e9 \\u2192 \\ud83d\\ude00");
  expect(output(file)).toBe("é → 😀 6 true\n");
});

test.each([
  ["behind a backslash", 'console.log(/a\\→/.test("a→"));\n'],
  ["in raw text", "console.log(String.raw`→`);\n"],
])("a letter %s, where an escape would mean something else, is refused", async (_where, text) => {
  written({ "main.ts": text });
  await expect(bundled()).rejects.toThrow("this has another meaning with \\u in it: ");
});

test("what a bundler would only warn of ends the build", async () => {
  written({ "main.ts": 'import { nothing } from "./other.ts";\nconsole.log(nothing);\n', "other.ts": "export {};\n" });
  await expect(bundled()).rejects.toThrow("nothing");
});

test("a package in a bundle brings its licence, and one without any is refused", async () => {
  written({ ...PACKAGE, "main.ts": 'import { little } from "little";\nconsole.log(little());\n' });
  const { modules } = await bundled();
  expect(licencesOf(modules)).toMatch(/\n\nlittle 1\.2\.3, MIT\n\nDo as you like\.\n$/);
  rmSync(join(directory, "node_modules/little/LICENSE.txt"));
  written({ "node_modules/little/package.json": '{"name": "little", "version": "1.2.3"}' });
  expect(() => licencesOf(modules)).toThrow("little has no licence");
});

test("iommuctl in a bundle finds the files of the package that it lies in", async () => {
  const script = "cli/completion/iommuctl.bash";
  written({ "package.json": '{"name": "iommu-broker", "version": "9.8.7"}', [`dist/${script}`]: "" });
  copyFileSync(join(ROOT, "src", script), join(directory, "dist", script));
  symlinkSync(join(ROOT, "node_modules"), join(directory, "node_modules")); // for koffi, which is in no bundle
  const file = join(directory, "dist/cli/main.cjs");
  await bundle("src/cli/main.ts", file, "cjs");
  expect(output(file, "--version")).toBe("9.8.7\n");
  expect(output(file, "completion", "bash")).toContain("'session open') children=");
  expect(readFileSync(file, "utf8")).toMatch(ASCII);
}, 60_000);
