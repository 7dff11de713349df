// What a command may know of where it writes, and text made fit for it: escaped, wrapped, coloured.

/** Where a command writes. */
export interface Terminal {
  /** Columns; undefined: not a terminal, so lines are as long as they are. */
  readonly columns: number | undefined;
  readonly hasColour: boolean;
}

const COLUMNS_MIN = 40;

/** Colours only on a terminal, and not where NO_COLOR (no-color.org) or a dumb TERM forbids them. */
export function terminalOf(
  stream: { readonly isTTY?: boolean; readonly columns?: number },
  environment: Readonly<Record<string, string | undefined>>,
): Terminal {
  const isTTY = stream.isTTY === true;
  const told = /^\d{1,4}$/.test(environment.COLUMNS ?? "") ? Number(environment.COLUMNS) : undefined;
  const columns = told ?? (isTTY ? stream.columns : undefined);
  const hasColour = isTTY && (environment.NO_COLOR ?? "") === "" && environment.TERM !== "dumb";
  return { columns: columns === undefined ? undefined : Math.max(columns, COLUMNS_MIN), hasColour };
}

export const COLOUR_CHOICES = ["auto", "always", "never"] as const;

/** As the command line asks for it. */
export function colouredAs(choice: (typeof COLOUR_CHOICES)[number], terminal: Terminal): Terminal {
  return choice === "auto" ? terminal : { ...terminal, hasColour: choice === "always" };
}

/** Control and format characters (escape sequences, bidirectional overrides), and line breaks of other scripts. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/gu;

/** Text from elsewhere without anything that a terminal obeys. @param kept characters that stay */
export function printable(text: string, kept = ""): string {
  return text.replace(UNPRINTABLE, (character) =>
    kept.includes(character) ? character : `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}

/** Breaks text at blanks into lines of at most `columns`; a longer word stays whole. */
export function wrapped(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && longer.length > columns) {
      lines.push(line);
      line = word;
    } else {
      line = longer;
    }
  }
  return [...lines, line];
}

const CODES = { dim: 2, bold: 1, red: 31, green: 32, yellow: 33 } as const;
export type Paint = (text: string, colour: keyof typeof CODES) => string;

export function paintOf({ hasColour }: Terminal): Paint {
  return (text, colour) => (hasColour && text !== "" ? `\u001b[${CODES[colour]}m${text}\u001b[0m` : text);
}

/** A value in hexadecimal, grouped by four: 0x4_0000. @param digits at least so many */
export function grouped(value: bigint, digits = 1): string {
  return `0x${value
    .toString(16)
    .padStart(digits, "0")
    .replace(/\B(?=(?:[\da-f]{4})+$)/g, "_")}`;
}

const UNITS = ["KiB", "MiB", "GiB", "TiB"];

/** A page's size as it is spoken of. */
export function sizeOf(bytes: bigint): string {
  let count = bytes / 1024n;
  let unit = 0;
  for (; count >= 1024n && count % 1024n === 0n && unit < UNITS.length - 1; unit += 1) count /= 1024n;
  return `${count} ${UNITS[unit]}`;
}
