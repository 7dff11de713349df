// The house rules that one file, or the list of all files, is enough to check. Each gives every breach with its line.

import { basename, dirname } from "node:path";
import { type Breach, lineAt, matches, type SourceFile } from "./source.ts";

/** Where a process begins and ends. */
const PROGRAMS = ["src/server/main.ts", "src/cli/main.ts"];

/** Core and the model: pure. Time, chance, output and the process are given to them or are none of their business. */
const PURE = /^src\/(?:server\/core|backends\/smmuv3|spec)\//;
const AMBIENT =
  /\b(?:Date\.now|new Date\b|Math\.random|setTimeout|setInterval|setImmediate|queueMicrotask|performance|process\.|console\.|globalThis)/g;

export function ambientBreaches(files: readonly SourceFile[]): Breach[] {
  const pure = files.filter((file) => PURE.test(file.path));
  return matches(pure, AMBIENT, (found) => `${found} in code that must be pure: it is given a clock and identifiers`);
}

/** Every table of bit-fields says which section of the manual it was read from. Tables in one paragraph may share it. */
export function layoutBreaches(files: readonly SourceFile[]): Breach[] {
  return files.flatMap(({ path, text, code }) =>
    [...code.matchAll(/^(?:export )?const (\w+)[^=\n]*= layout\(/gm)].flatMap((match) => {
      const paragraph = text.slice(text.lastIndexOf("\n\n", match.index) + 1, match.index);
      const docstring = /\/\*\*(?:(?!\*\/)[\s\S])*\*\//.exec(paragraph)?.[0] ?? "";
      const line = lineAt(code, match.index);
      return docstring.includes("§") ? [] : [{ path, line, rule: `${match[1]}: its docstring cites no section (§)` }];
    }),
  );
}

const BANNED_NAMES = /^(?:utils?|helpers?|common|misc|manager|types|shared|lib)$/;

/** Files are kebab-case and named after the one idea in them. */
export function nameBreaches(paths: readonly string[]): Breach[] {
  return paths.flatMap((path) => {
    const name = basename(path).replace(/(?:\.test)?\.ts$/, "");
    if (!/^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(name)) return [{ path, line: 1, rule: "a file's name is kebab-case" }];
    if (BANNED_NAMES.test(name)) return [{ path, line: 1, rule: `"${name}" says nothing: name the file's idea` }];
    return [];
  });
}

/** A file begins with what it is and why. */
export function headerBreaches(files: readonly SourceFile[]): Breach[] {
  return files
    .filter(({ text }) => !/^(?:#![^\n]*\n)?\/\/ \S/.test(text))
    .map(({ path }) => ({ path, line: 1, rule: "a file begins with a comment: what it is, what it relies on, why" }));
}

/** Notes to oneself belong to an issue. Looks into comments too, so into the text. */
export function noteBreaches(files: readonly SourceFile[]): Breach[] {
  const words = new RegExp(
    ["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"].map((word) => `\\b${word}\\b`).join("|"),
    "g",
  );
  return files.flatMap(({ path, text }) =>
    [...text.matchAll(words)].map((match) => ({
      path,
      line: lineAt(text, match.index),
      rule: `${match[0]}: open an issue`,
    })),
  );
}

const CONSOLE_ALLOWED = /^(?:src\/server\/main\.ts|scripts\/|examples\/|test\/golden\/|bench\/)/;

export function consoleBreaches(files: readonly SourceFile[]): Breach[] {
  const silent = files.filter((file) => !CONSOLE_ALLOWED.test(file.path));
  return matches(silent, /\bconsole\./g, () => "console outside main.ts, scripts and examples: use the log");
}

/** Casts hide what the compiler would say: they are for the few constructors that have just checked what they claim. */
export function castBreaches(files: readonly SourceFile[], allowed: ReadonlyMap<string, string>): Breach[] {
  const others = files.filter((file) => file.path.startsWith("src/") && !allowed.has(file.path));
  return matches(
    others.map((file) => ({ ...file, code: file.code.replace(/^(?:import|export) [\s\S]*? from /gm, keepLines) })),
    /[\w)\]}"'`>!] as (?!const\b)[\w{([]+/g,
    (found) => `a cast (${found}): check the value instead`,
  );
}

/** Every process ends in its main.ts: the daemon's after the log is flushed. */
export function exitBreaches(files: readonly SourceFile[]): Breach[] {
  const others = files.filter((file) => file.path.startsWith("src/") && !PROGRAMS.includes(file.path));
  return matches(others, /\bprocess\.(?:exit\b|exitCode|abort|kill)/g, (found) => `${found} outside main.ts`);
}

/** Metrics come from the catalogue, and everything in the catalogue is there for something. */
export function metricBreaches(files: readonly SourceFile[]): Breach[] {
  const makers = files.filter((file) => file.path.startsWith("src/") && file.path !== "src/metrics/instruments.ts");
  const made = matches(
    makers,
    /\bnew (?:Counter|Gauge|Histogram|Summary)\b/g,
    (found) => `${found}: through instruments.ts`,
  );
  const families = files.filter((file) => file.path.startsWith("src/metrics/catalog/"));
  const used = files.filter((file) => file.path.startsWith("src/metrics/"));
  const unused = families.flatMap(({ code, path }) =>
    [...code.matchAll(/^ {2}(\w+): \{/gm)].flatMap((match) => {
      const [, key = ""] = match;
      if (used.some((file) => new RegExp(`\\bMETRICS\\.${key}\\b`).test(file.code))) return [];
      return [{ path, line: lineAt(code, match.index), rule: `${key} is measured by nobody` }];
    }),
  );
  return [...made, ...unused];
}

/** Files from which nobody imports, because they are where somebody begins. */
const ENTRIES = [...PROGRAMS, "src/client/client.ts", "src/os/kernel-worker.ts"];

/** Code that nothing reaches is deleted. Tests do not count: they would keep anything alive. */
export function unreferencedBreaches(files: readonly SourceFile[]): Breach[] {
  const reached = new Set(
    files.filter((file) => !file.path.startsWith("test/")).flatMap((file) => file.imports.map(({ from }) => from)),
  );
  return files
    .filter((file) => file.path.startsWith("src/") && !ENTRIES.includes(file.path) && !reached.has(file.path))
    .map(({ path }) => ({ path, line: 1, rule: "nothing imports it" }));
}

/** A file that declares only types cannot be wrong at run time. */
const BEHAVIOUR = /^(?:export )?(?:async )?(?:function|class|const|let)\b|^[a-z]\w*[.(]/m;

/** Files that are tested from another room's test: which ones, and from where. */
export type TestedThrough = readonly (readonly [files: RegExp, test: string])[];

/**
 * Every file with behaviour has a test that mirrors it, one that imports it, or one that is named in `through` and does
 * reach it through what it imports.
 */
export function untestedBreaches(files: readonly SourceFile[], through: TestedThrough): Breach[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const tests = files.filter((file) => file.path.startsWith("test/"));
  const imported = new Set(tests.flatMap((file) => file.imports.map(({ from }) => from)));
  const isTested = (path: string): boolean => {
    if (imported.has(path) || byPath.has(mirrorOf(path))) return true;
    return through.some(([pattern, test]) => pattern.test(path) && reaches(test, path, byPath));
  };
  return files
    .filter((file) => file.path.startsWith("src/") && BEHAVIOUR.test(file.code) && !isTested(file.path))
    .map(({ path }) => ({ path, line: 1, rule: `no test imports it, and there is no ${mirrorOf(path)}` }));
}

function reaches(from: string, target: string, files: ReadonlyMap<string, SourceFile>): boolean {
  const seen = new Set<string>();
  const waiting = [from];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (path === target) return true;
    if (seen.has(path)) continue;
    seen.add(path);
    waiting.push(...(files.get(path)?.imports.map((each) => each.from) ?? []));
  }
  return false;
}

function mirrorOf(path: string): string {
  return `${dirname(path).replace(/^src/, "test")}/${basename(path, ".ts")}.test.ts`;
}

function keepLines(text: string): string {
  return text.replace(/[^\n]/g, " ");
}
