// A source file as the house rules read it: its text, and its code with comments and the insides of strings blanked, so
// that a word in prose is never taken for code. Lines stay where they are.

import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

export interface SourceFile {
  /** From the root of the repository: "src/server/main.ts". */
  readonly path: string;
  readonly text: string;
  readonly code: string;
  /** What it imports: a path in the repository, or a package's name. */
  readonly imports: readonly Import[];
}

export interface Import {
  readonly from: string;
  readonly line: number;
}

/** A rule that is broken, and where. */
export interface Breach {
  readonly path: string;
  readonly line: number;
  readonly rule: string;
}

export function sourceFile(path: string, text: string): SourceFile {
  return { path, text, code: withoutComments(text, true), imports: importsOf(path, withoutComments(text, false)) };
}

/** The TypeScript files that match, generated ones left out. */
export function readSources(root: string, pattern: string): SourceFile[] {
  return globSync(pattern, { cwd: root })
    .filter((path) => !path.includes("/generated/") && !path.endsWith(".d.ts"))
    .sort()
    .map((path) => sourceFile(path, readFileSync(join(root, path), "utf8")));
}

export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}

/** Every match of `pattern` in the code of `files` as a breach of `rule`. */
export function matches(files: readonly SourceFile[], pattern: RegExp, rule: (found: string) => string): Breach[] {
  return files.flatMap(({ path, code }) =>
    [...code.matchAll(pattern)].map((match) => ({
      path,
      line: lineAt(code, match.index + match[0].search(/\S/)),
      rule: rule(match[0].trim()),
    })),
  );
}

const FROM = /(?:^|[;}\n])\s*(?:import|export)\b(?:[^;"']*?\bfrom)?\s*"([^"]+)"/g;
const DYNAMIC = /\bimport\(\s*"([^"]+)"/g;

function importsOf(path: string, text: string): Import[] {
  return [...text.matchAll(FROM), ...text.matchAll(DYNAMIC)].map((match) => {
    const [whole, specifier = ""] = match;
    const from = specifier.startsWith(".") ? normalize(join(dirname(path), specifier)) : specifier;
    return { from, line: lineAt(text, match.index + whole.lastIndexOf(specifier)) };
  });
}

/** What a regular expression may come after; anything else before a slash makes it a division. */
const BEFORE_REGEX = /(?:^|[(,=:[!&|?{};+]|\breturn|\bof|\bin|=>)\s*$/;
const PIECE =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`|\/(?![/*])(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/g;

/** Blanks comments and, when asked, the insides of strings and regular expressions; newlines are kept. */
function withoutComments(text: string, stringsToo: boolean): string {
  let output = "";
  let at = 0;
  PIECE.lastIndex = 0;
  for (let match = PIECE.exec(text); match !== null; match = PIECE.exec(text)) {
    const [piece] = match;
    output += text.slice(at, match.index);
    const isComment = piece.startsWith("//") || piece.startsWith("/*");
    if (piece.startsWith("/") && !isComment && !BEFORE_REGEX.test(output)) {
      output += "/"; // a division: go on right after it
      at = match.index + 1;
    } else if (piece === "`") {
      const end = templateEnd(text, match.index + 1);
      output += templateCode(text.slice(match.index, end), stringsToo);
      at = end;
    } else {
      const kept = isComment ? blank(piece) : piece[0] + blank(piece.slice(1, -1)) + piece.at(-1);
      output += isComment || stringsToo ? kept : piece;
      at = match.index + piece.length;
    }
    PIECE.lastIndex = at;
  }
  return output + text.slice(at);
}

/** Just past the backtick that ends a template begun before `from`. */
function templateEnd(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    if (text[at] === "\\") at += 1;
    else if (text.startsWith("${", at)) depth += 1;
    else if (text[at] === "}" && depth > 0) depth -= 1;
    else if (text[at] === "`" && depth === 0) return at + 1;
  }
  return text.length;
}

/** Keeps what is inside ${…}: that is code. */
function templateCode(template: string, stringsToo: boolean): string {
  if (!stringsToo) return template;
  return template.replace(/\$\{[^{}]*\}|[^\n]/g, (piece) => (piece.length > 1 ? piece : piece === "`" ? "`" : " "));
}

function blank(text: string): string {
  return text.replace(/[^\n]/g, " ");
}
