// A terminal taken over for a while: another screen, no cursor, keys as they are pressed; and given back whatever happens.

import type { ReadStream, WriteStream } from "node:tty";

/** What is heard while the screen is taken. */
export type ScreenEvent = "quit" | "resized";

export interface Screen {
  /** As they are now. */
  size(): { readonly columns: number; readonly rows: number };
  /** Takes the terminal; gives what gives it back, which may be called twice. */
  take(heard: (event: ScreenEvent) => void): () => void;
  /** Draws over what was there. No line may be wider than the screen, nor may there be more than its rows. */
  draw(lines: readonly string[]): void;
}

const ENTER = "\u001b[?1049h\u001b[?25l\u001b[?7l"; // without wrapping: a line too long is cut
const LEAVE = "\u001b[?7h\u001b[?25h\u001b[?1049l";
const HOME = "\u001b[H";
const REST_OF_LINE = "\u001b[K";
const REST_OF_SCREEN = "\u001b[J";
const QUIT_KEYS: ReadonlySet<string> = new Set(["q", "Q", "\u0003", "\u0004"]); // Ctrl-C and Ctrl-D come as bytes in raw mode
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Undefined: the output is no terminal. */
export function screenOf(input: ReadStream, output: WriteStream): Screen | undefined {
  if (output.isTTY !== true) return undefined;
  return {
    size: () => ({ columns: output.columns, rows: output.rows }),
    take: (heard) => taken(input, output, heard),
    draw: (lines) => {
      const text = lines.map((line) => `${REST_OF_LINE}${line}`).join("\n");
      output.write(`${HOME}${text}${REST_OF_SCREEN}`);
    },
  };
}

function taken(input: ReadStream, output: WriteStream, heard: (event: ScreenEvent) => void): () => void {
  const onKeys = (keys: Buffer): void => {
    if ([...keys.toString("latin1")].some((key) => QUIT_KEYS.has(key))) heard("quit");
  };
  const onSignal = (): void => heard("quit");
  const onResize = (): void => heard("resized");
  let isTaken = true;
  const giveBack = (): void => {
    if (!isTaken) return;
    isTaken = false;
    process.off("exit", giveBack);
    for (const signal of SIGNALS) process.off(signal, onSignal);
    output.off("resize", onResize);
    input.off("data", onKeys);
    if (input.isTTY) input.setRawMode(false);
    input.pause();
    output.write(LEAVE);
  };
  process.on("exit", giveBack); // a bug must not leave the terminal raw
  for (const signal of SIGNALS) process.on(signal, onSignal);
  output.on("resize", onResize);
  if (input.isTTY) {
    input.setRawMode(true);
    input.on("data", onKeys);
  }
  output.write(ENTER);
  return giveBack;
}
