// The programs of the package, each as one file with all that it needs but native code: to find, link and compile a
// thousand modules was most of the daemon's start. Nothing is renamed or squeezed, so that stack traces stay readable.
// CommonJS, which V8 takes in without reading every function first; ARCHITECTURE.md, "Start", has the figures.

import { globSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { type OutputOptions, type Plugin, rolldown } from "rolldown";

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
    filter: { id: /\/src\/.*\.ts$/ },
    handler: (code, id) => {
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
  const form: OutputOptions = {
    file,
    format,
    codeSplitting: false,
    comments: { legal: true, annotation: false, jsdoc: false },
  };
  const { output } = await build.write(form);
  await build.close();
  return output.flatMap((part) => (part.type === "chunk" ? part.moduleIds : []));
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
