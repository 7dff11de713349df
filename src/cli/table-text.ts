// Rows in columns: as wide as what is in them; on a terminal the widest column gives way, its text cut with an ellipsis.

import { paintOf, printable, type Terminal } from "./terminal.ts";

const GAP = "  ";
const CUT_MIN = 8;

/** @param rows  each as long as `heads`; what is in them is escaped here */
export function tableText(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  terminal: Terminal,
): string[] {
  const cells = rows.map((row) => row.map((cell) => printable(cell)));
  const widths = heads.map((head, at) => Math.max(head.length, ...cells.map((row) => lengthOf(row[at] ?? ""))));
  const fitted = narrowed(widths, terminal.columns);
  const line = (row: readonly string[]): string =>
    row
      .map((cell, at) => padded(cell, fitted[at] ?? 0))
      .join(GAP)
      .trimEnd();
  return [paintOf(terminal)(line(heads), "bold"), ...cells.map(line)];
}

/** Takes from the widest column until the line fits, down to CUT_MIN each. */
function narrowed(widths: readonly number[], columns: number | undefined): readonly number[] {
  const fitted = [...widths];
  let over = widths.reduce((sum, width) => sum + width, GAP.length * (widths.length - 1)) - (columns ?? Infinity);
  while (over > 0) {
    const widest = fitted.indexOf(Math.max(...fitted));
    const width = fitted[widest] ?? 0;
    if (width <= CUT_MIN) break;
    const cut = Math.min(over, width - CUT_MIN);
    fitted[widest] = width - cut;
    over -= cut;
  }
  return fitted;
}

/** Characters, as a terminal counts those that are one column wide. */
function lengthOf(text: string): number {
  return [...text].length;
}

function padded(text: string, width: number): string {
  const characters = [...text];
  if (characters.length <= width) return text + " ".repeat(width - characters.length);
  return `${characters.slice(0, width - 1).join("")}…`;
}
