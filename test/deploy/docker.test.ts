// The Dockerfile, where no engine is: a linter reads it, what it copies is there and is let through to an engine, and it runs
// the programs where install.sh puts them. scripts/try-package.ts runs the commands of its first two stages.

import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ValidationSeverity, validate } from "dockerfile-utils";
import { describe, expect, test } from "vitest";
import { stagesOf } from "../../scripts/package/dockerfile-stages.ts";

const ROOT = join(import.meta.dirname, "../..");
const DOCKERFILE = readFileSync(join(ROOT, "deploy/docker/Dockerfile"), "utf8");
const STAGES = stagesOf(DOCKERFILE);
const WARNINGS = {
  deprecatedMaintainer: ValidationSeverity.ERROR,
  directiveCasing: ValidationSeverity.ERROR,
  emptyContinuationLine: ValidationSeverity.ERROR,
  instructionCasing: ValidationSeverity.ERROR,
  instructionCmdMultiple: ValidationSeverity.ERROR,
  instructionEntrypointMultiple: ValidationSeverity.ERROR,
  instructionHealthcheckMultiple: ValidationSeverity.ERROR,
  instructionJSONInSingleQuotes: ValidationSeverity.ERROR,
  instructionWorkdirRelative: ValidationSeverity.ERROR,
};

function wordsOf(keyword: string): string[][] {
  return STAGES.flatMap(({ instructions }) => instructions.filter((each) => each.keyword === keyword)).map(
    ({ words }) => [...words],
  );
}

/** .dockerignore: a line matches a path or a folder above it; the last that does decides, and "!" lets through. */
function isLetThrough(path: string): boolean {
  const lines = readFileSync(join(ROOT, ".dockerignore"), "utf8").split("\n");
  const steps = path.split("/");
  const above = steps.map((_, at) => steps.slice(0, at + 1).join("/"));
  const deciding = lines.findLast((line) => {
    const pattern = new RegExp(`^${line.replace(/^!/, "").replaceAll(".", "\\.").replaceAll("*", "[^/]*")}$`);
    return /^[^#]/.test(line) && above.some((folder) => pattern.test(folder));
  });
  return deciding?.startsWith("!") ?? true;
}

test("has nothing that the linter complains of, of which a wrong one has", () => {
  expect(validate(DOCKERFILE, WARNINGS).map(({ message }) => message)).toEqual([]);
  const wrong = DOCKERFILE.replace("--retries=3", "--retry=3").replace("EXPOSE 9401", "EXPOSE metrics");
  expect(validate(wrong, WARNINGS)).toHaveLength(2);
});

test("the stages are of one image, whose Node is the one that is pinned for development", () => {
  const { devDependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  expect(STAGES.map(({ name }) => name)).toEqual(["build", "layout", undefined]);
  for (const { image } of STAGES) expect(image).toMatch(/^\$\{NODE\}$/);
  expect(/^ARG NODE=node:([\d.]+)-/m.exec(DOCKERFILE)?.[1]).toBe(devDependencies.node);
});

describe("what is copied", () => {
  const copies = wordsOf("COPY");
  const ofContext = copies.filter(([first]) => !first?.startsWith("--from=")).flatMap((words) => words.slice(0, -1));

  test.each(ofContext)("%s is in the repository and is not ignored", (source) => {
    expect(globSync(source, { cwd: ROOT })).not.toEqual([]);
    expect(isLetThrough(source)).toBe(true);
  });

  test("comes from stages that are there, before", () => {
    const from = copies.flatMap(([first]) => /^--from=(.*)/.exec(first ?? "")?.[1] ?? []);
    expect(from).toEqual(["build", "layout"]);
  });

  test("leaves out what is somebody's own", () => {
    for (const path of [
      "node_modules/koffi/index.js",
      "dist/server/main.js",
      ".git/HEAD",
      "test/tidy.test.ts",
      ".env",
    ]) {
      expect(isLetThrough(path), path).toBe(false);
    }
  });
});

test("no user with rights runs it, no shell stands between, and the program is where install.sh puts it", () => {
  expect(wordsOf("USER")).toEqual([["1000:1000"]]);
  const entry: readonly string[] = JSON.parse((wordsOf("ENTRYPOINT")[0] ?? []).join(" "));
  const installed = readFileSync(join(ROOT, "deploy/install.sh"), "utf8");
  const [, lib] = /exec %s (\/\S+\/)%s/.exec(installed) ?? [];
  expect(entry).toEqual(["node", `${lib}dist/server/main.js`]);
  expect(installed).toContain("program iommu-brokerd dist/server/main.js");
  const native = readFileSync(join(ROOT, "deploy/kubernetes/overlays/native/host-devices.yaml"), "utf8");
  expect(native).toContain(`- ${entry[1]}\n`);
});
