// Bitwise operators on numbers cut an address to 32 bits without a word. They are for the short list of files that work
// on 32-bit words; everybody else uses layout(), u64.ts, or bigint.
// The check reads text, so it cannot know types: an operand that is a bigint is recognised by its n, by BigInt(), and a
// union or intersection of types by its names and by the lines it stands on.

import { type Breach, lineAt, type SourceFile } from "./source.ts";

const SHIFT = / (?:>>>|<<|>>) |(?:>>>|<<|>>)= /g;
const MASK =
  /(?<left>[\w$.\])]+) (?<operator>[&|^]) (?<right>~?[\w$.([]+)|(?<assign>[&|^]=) |(?<![\w"'`])(?<not>~)(?=[\w(])/g;
const NUMBER = /^(?:0[xb][\da-fA-F_]+|\d[\d_]*)$/;
const CONSTANT = /^~?(?:[\w$]+\.)*[A-Z][A-Z0-9_]*$/;
const BIGINT_LINE = /\b(?:0[xb])?[\da-fA-F_]+n\b|\bBigInt\b|\bbigint\b/;
const TYPE_LINE =
  /^\s*(?:\||&|readonly\b|export type\b|type\b|declare\b)|\b(?:undefined|interface)\b|\b(?:string|number|boolean) \||: \d+(?: \| \d+)+/;

export function bitwiseBreaches(files: readonly SourceFile[], allowed: ReadonlyMap<string, string>): Breach[] {
  return files
    .filter(({ path }) => path.startsWith("src/") && !allowed.has(path))
    .flatMap(({ path, code }) => {
      const found = [...code.matchAll(SHIFT), ...code.matchAll(MASK)].filter((match) => isOnNumbers(match, code));
      return found.map((match) => ({
        path,
        line: lineAt(code, match.index),
        rule: `bitwise ${match[0].trim()}: numbers are cut to 32 bits; use layout(), u64.ts or bigint`,
      }));
    });
}

function isOnNumbers(match: RegExpMatchArray, code: string): boolean {
  const at = match.index ?? 0;
  const line = code.slice(code.lastIndexOf("\n", at) + 1).split("\n")[0] ?? "";
  if (BIGINT_LINE.test(line)) return false;
  const { left, operator, right } = match.groups ?? {};
  if (left === undefined || right === undefined) return true;
  if (TYPE_LINE.test(line)) return false;
  const operands = [left, right.replace(/^~/, "")];
  if (operator === "|" && operands.every((operand) => NUMBER.test(operand) && !operand.startsWith("0x"))) return false;
  return operands.some((operand) => NUMBER.test(operand) || CONSTANT.test(operand));
}
