// Kubernetes objects judged by the compiler with the API's types: an object literal with a field that its type has not, or
// with a value of another kind, does not compile.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const MODULES = join(import.meta.dirname, "../../node_modules");
/** Where the type of each kind is. */
const TYPES: Readonly<Record<string, string>> = {
  ConfigMap: "core/v1",
  DaemonSet: "apps/v1",
  Namespace: "core/v1",
  NetworkPolicy: "networking/v1",
  ServiceAccount: "core/v1",
};

/** What the compiler says of each object, in their order; empty for one that is right. */
export function typeErrors(objects: readonly { readonly kind: string }[]): string[][] {
  const directory = mkdtempSync(join(tmpdir(), "kubernetes-types-"));
  try {
    const files = objects.map((object, index) => {
      const from = TYPES[object.kind];
      if (from === undefined) throw new Error(`no type is known for kind ${object.kind}`);
      const path = join(directory, `object${index}.ts`);
      const type = `import type { ${object.kind} } from ${JSON.stringify(join(MODULES, "kubernetes-types", from))};\n`;
      writeFileSync(path, `${type}export const object: ${object.kind} = ${JSON.stringify(object)};\n`);
      return path;
    });
    const options = ["--noEmit", "--strict", "--skipLibCheck", "--module", "esnext", "--moduleResolution", "bundler"];
    const tsc = spawnSync(join(MODULES, ".bin/tsc"), [...options, "--pretty", "false", "--types", "", ...files], {
      cwd: directory,
      encoding: "utf8",
    });
    if (tsc.error !== undefined) throw tsc.error;
    const lines = tsc.stdout.split("\n").filter((line) => / error TS\d+: /.test(line));
    const told = files.map((_, index) => lines.filter((line) => line.includes(`object${index}.ts`)));
    const rest = lines.length - told.flat().length;
    if (rest !== 0 || (tsc.status !== 0 && lines.length === 0)) throw new Error(`tsc: ${tsc.stdout}${tsc.stderr}`);
    return told;
  } finally {
    rmSync(directory, { recursive: true });
  }
}
