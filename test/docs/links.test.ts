// Every link in the repository's documents leads to a file that is there, and to a heading that it has.
// test/deploy/install.test.ts asks the same of the package and of what is installed.

import { join } from "node:path";
import { expect, test } from "vitest";
import { anchorsOf, brokenLinksOf, linksOf, pagesOf, problemOf } from "../../scripts/package/document-links.ts";

const ROOT = join(import.meta.dirname, "../..");
const PAGES = pagesOf(ROOT);

test("there are pages, and links in them", () => {
  expect(PAGES).toContain("README.md");
  expect(linksOf(ROOT, "README.md").length).toBeGreaterThan(5);
});

test.each(PAGES)("%s links to what is there", (page) => {
  expect(brokenLinksOf(ROOT, [page])).toEqual([]);
});

test("every page of docs/ is linked from the index", () => {
  const linked = new Set(linksOf(ROOT, "docs/README.md").map((target) => `docs/${target.split("#")[0]}`));
  const pages = PAGES.filter((page) => page.startsWith("docs/") && page !== "docs/README.md");
  expect(pages.filter((page) => !linked.has(page))).toEqual([]);
});

test("anchors are those that a forge makes", () => {
  const text = "# One `two`, three\n\n```\n# no heading\n```\n## It's §3.4\n## It's §3.4\n";
  expect([...anchorsOf(text)]).toEqual(["one-two-three", "its-34", "its-34-1"]);
  expect(problemOf(ROOT, "README.md", "docs/none.md")).toBe("leads to nothing");
  expect(problemOf(ROOT, "README.md", "docs/native.md#none")).toBe("names a heading that is not there");
  expect(problemOf(ROOT, "README.md", "../elsewhere.md")).toBe("leaves the tree");
});
