// The links of the documents in a tree (the repository, the package, what is installed): each leads to a file that is
// there, and to a heading that it has. Links to the outside are not followed: only their form is looked at.

import { existsSync, globSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";

/** The documents of a tree, by their paths in it. */
export function pagesOf(root: string): string[] {
  return globSync(["*.md", "{docs,deploy,examples,test,proto}/**/*.md"], { cwd: root }).toSorted();
}

/** The text of a page without what is shown as code. */
function proseOf(text: string): string {
  return text.replaceAll(/^(```|~~~)[\s\S]*?^\1/gm, "").replaceAll(/`[^`\n]*`/g, "");
}

export function linksOf(root: string, page: string): string[] {
  const prose = proseOf(readFileSync(join(root, page), "utf8"));
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target ?? "");
}

/** The anchors of a page's headings, as forges make them: lower case, no punctuation, dashes for spaces, numbered. */
export function anchorsOf(text: string): Set<string> {
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

export function problemOf(root: string, page: string, target: string): string | undefined {
  if (/^https?:\/\//.test(target)) return URL.canParse(target) ? undefined : "is no URL";
  const [path = "", anchor] = target.split("#");
  const file = path === "" ? join(root, page) : join(root, dirname(page), decodeURI(path));
  if (relative(root, file).startsWith("..")) return "leaves the tree";
  if (!existsSync(file)) return "leads to nothing";
  if (anchor === undefined) return undefined;
  if (!statSync(file).isFile()) return "names a heading of a folder";
  return anchorsOf(readFileSync(file, "utf8")).has(anchor) ? undefined : "names a heading that is not there";
}

/** "page: link problem" for each link of the tree's documents that leads nowhere. */
export function brokenLinksOf(root: string, pages: readonly string[] = pagesOf(root)): string[] {
  return pages.flatMap((page) =>
    linksOf(root, page).flatMap((target) => {
      const problem = problemOf(root, page, target);
      return problem === undefined ? [] : [`${page}: ${target} ${problem}`];
    }),
  );
}
