// The programs of the package, each as one file with all that it needs but native code: to find, link and compile a
// thousand modules was most of the daemon's start. Nothing is renamed or squeezed, so that stack traces stay readable.
// CommonJS, which V8 takes in without reading every function first; ARCHITECTURE.md, "Start", has the figures.

import { globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { type Plugin, rolldown } from "rolldown";

const ROOT = join(import.meta.dirname, "../..");
const SOURCES = join(ROOT, "src");
/** A package with native code finds it by where it is installed. */
const NOT_BUNDLED = [/^node:/, /^koffi$/];
const LICENSE_FILES = "{LICENSE,LICENCE,COPYING}{,.*,-*}";

/**
 * A source file that reads what lies beside it, or starts a worker, goes by its own place, of which the bundle has none:
 * it is given the one that it would have in dist/. Bundles lie one folder deep there.
 */
const ownPlaces: Plugin = {
  name: "own-places",
  transform: {
    filter: { code: "import.meta.url" },
    handler: (code, id) => {
      if (!id.startsWith(`${SOURCES}/`)) return undefined;
      const place = relative(SOURCES, id).replace(/\.ts$/, ".js");
      return code.replaceAll("import.meta.url", `new URL("../${place}", import.meta.url).href`);
    },
  },
};

/** @returns the paths of the files that went into it */
export async function bundle(source: string, file: string, format: "cjs" | "esm"): Promise<readonly string[]> {
  const build = await rolldown({
    input: join(ROOT, source),
    platform: "node",
    external: NOT_BUNDLED,
    plugins: [ownPlaces],
    onLog: (_level, { message }) => {
      throw new Error(`${source}: ${message}`);
    },
  });
  const comments = { legal: true, annotation: false, jsdoc: false };
  const { output } = await build.generate({ format, codeSplitting: false, comments });
  await build.close();
  const [program] = output;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, plainLetters(program.code));
  return program.moduleIds;
}

/** V8 keeps a text with a letter outside Latin-1 at two bytes a letter, all of it, and has to decode it first. */
function plainLetters(code: string): string {
  const unclear = /(?:\\|String\.raw`[^`]*)[^\0-\x7f]/.exec(code)?.[0];
  if (unclear !== undefined) throw new Error(`this has another meaning with \\u in it: ${unclear}`);
  return code.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** The licences of the packages that are in the bundles, which ask to go where the code goes. */
export function licencesOf(modules: readonly string[]): string {
  const directories = new Set(
    modules.flatMap((path) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.[0] ?? []),
  );
  const texts = [...directories].toSorted().map((directory) => {
    const { license, name, version } = JSON.parse(readFileSync(join(directory, "package.json"), "utf8"));
    const files = globSync(LICENSE_FILES, { cwd: directory }).toSorted();
    if (files.length === 0 && typeof license !== "string") throw new Error(`${name} has no licence`);
    const text = files.map((file) => readFileSync(join(directory, file), "utf8").trim()).join("\n\n");
    return `${name} ${version}, ${license}\n\n${text}\n`;
  });
  return `The programs in this directory hold code of these packages.\n\n${texts.join(`\n${"-".repeat(72)}\n\n`)}`;
}
