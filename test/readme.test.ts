import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

test("the README's commands run on the Node that npm ci brings, not on the system's, which may be too old", () => {
  const shell = [...read("README.md").matchAll(/```sh\n(.*?)```/gs)].map(([, lines]) => lines).join("");
  expect(shell).toContain("npm start");
  expect(shell).not.toMatch(/^(?:node|npx tsx) /m);
});

test("the README and the changelog count golden rows as the index has them, real kernels' apart", () => {
  const index: { name: string; translations: number; events: number }[] = JSON.parse(
    read("test/golden/cases/INDEX.json"),
  );
  const rows = (prefix: string): string =>
    index
      .filter(({ name }) => name.startsWith(prefix))
      .reduce((sum, { translations, events }) => sum + translations + events, 0)
      .toLocaleString("en");
  for (const path of ["README.md", "CHANGELOG.md"]) {
    expect(read(path), path).toContain(rows(""));
    expect(read(path), path).toContain(rows("L72-")); // the cases recorded from Linux 7.2
  }
});
