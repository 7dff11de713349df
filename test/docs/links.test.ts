// Every link in the documents leads to a file that is there, and to a heading that it has. Links to the outside are not
// followed: only their form is looked at.

import { existsSync, globSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const PAGES = globSync(["*.md", "{docs,deploy,examples,test,proto}/**/*.md"], { cwd: ROOT }).toSorted();

/** The text of a page without what is shown as code. */
function proseOf(text: string): string {
  return text.replaceAll(/^(```|~~~)[\s\S]*?^\1/gm, "").replaceAll(/`[^`\n]*`/g, "");
}

function linksOf(page: string): string[] {
  const prose = proseOf(readFileSync(join(ROOT, page), "utf8"));
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target ?? "");
}

/** The anchors of a page's headings, as forges make them: lower case, no punctuation, dashes for spaces, numbered. */
function anchorsOf(text: string): Set<string> {
  const seen = new Map<string, number>();
  const anchors = new Set<string>();
  for (const [, heading = ""] of text.replaceAll(/^(```|~~~)[\s\S]*?^\1/gm, "").matchAll(/^#{1,6} +(.*)$/gm)) {
    const words = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").replaceAll(/[`*]/g, "");
    const slug = words
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .trim()
      .replaceAll(" ", "-");
    const times = seen.get(slug) ?? 0;
    seen.set(slug, times + 1);
    anchors.add(times === 0 ? slug : `${slug}-${times}`);
  }
  return anchors;
}

function problemOf(page: string, target: string): string | undefined {
  if (/^https?:\/\//.test(target)) return URL.canParse(target) ? undefined : "is no URL";
  const [path = "", anchor] = target.split("#");
  const file = path === "" ? join(ROOT, page) : join(ROOT, dirname(page), decodeURI(path));
  if (relative(ROOT, file).startsWith("..")) return "leaves the tree";
  if (!existsSync(file)) return "leads to nothing";
  if (anchor === undefined) return undefined;
  if (!statSync(file).isFile()) return "names a heading of a folder";
  return anchorsOf(readFileSync(file, "utf8")).has(anchor) ? undefined : "names a heading that is not there";
}

test("there are pages, and links in them", () => {
  expect(PAGES).toContain("README.md");
  expect(linksOf("README.md").length).toBeGreaterThan(5);
});

test.each(PAGES)("%s links to what is there", (page) => {
  const broken = linksOf(page).flatMap((target) => {
    const problem = problemOf(page, target);
    return problem === undefined ? [] : [`${target} ${problem}`];
  });
  expect(broken).toEqual([]);
});

test("every page of docs/ is linked from the index", () => {
  const linked = new Set(linksOf("docs/README.md").map((target) => `docs/${target.split("#")[0]}`));
  const pages = PAGES.filter((page) => page.startsWith("docs/") && page !== "docs/README.md");
  expect(pages.filter((page) => !linked.has(page))).toEqual([]);
});

test("anchors are those that a forge makes", () => {
  const text = "# One `two`, three\n\n```\n# no heading\n```\n## It's §3.4\n## It's §3.4\n";
  expect([...anchorsOf(text)]).toEqual(["one-two-three", "its-34", "its-34-1"]);
  expect(problemOf("README.md", "docs/none.md")).toBe("leads to nothing");
  expect(problemOf("README.md", "docs/native.md#none")).toBe("names a heading that is not there");
  expect(problemOf("README.md", "../elsewhere.md")).toBe("leaves the tree");
});
