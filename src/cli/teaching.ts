// What a command teaches: what it does, an example for each use, its exit codes, what to read next.
// A lesson is given once and shown by --help, the man page and docs/iommuctl.md, which read it from the command.

import type { Command } from "commander";
import { EXIT_CODES } from "./failure.ts";
import { wrapped } from "./terminal.ts";

export interface Lesson {
  /** One sentence. */
  readonly summary: string;
  /** Paragraphs. */
  readonly text: readonly string[];
  readonly examples: readonly (readonly [line: string, what: string])[];
  /** The shape of what --json prints. */
  readonly json?: string;
  /** Where its exit codes say something of their own. */
  readonly exit?: string;
  /** Other commands. */
  readonly seeAlso: readonly string[];
}

/** Name and meaning of each variable that iommuctl reads. */
export const ENVIRONMENT: readonly (readonly [name: string, meaning: string])[] = [
  ["IOMMUBROKER_SESSION_TOKEN", "the session's token, where no --token-file is given"],
  ["IOMMUBROKER_SOCKET", "the broker's socket, where no --socket or --address is given"],
  ["IOMMUBROKER_ADMIN_SOCKET", "the admin socket, where no --admin-socket is given"],
  ["IOMMUBROKER_METRICS", "where top reads metrics, where no --metrics is given"],
  ["XDG_RUNTIME_DIR", "sockets are looked for in iommu-broker/ in it, then in /run/iommu-broker"],
  ["NO_COLOR", "set and not empty: no colours"],
  ["COLUMNS", "the width to write for"],
];

export const TOKEN_NOTE =
  "The session token is never an argument, which other users could read: --token-file names a file of mode 0600 that has it, or the environment has it in IOMMUBROKER_SESSION_TOKEN.";
export const JSON_NOTE =
  "JSON has the names of protobuf's JSON mapping: lower camel case, 64-bit values as decimal strings, enums by name, absent fields left out. Fields are added, never changed. One answer is one document; what goes on is one document a line.";

const COLUMNS = 100;
const LESSONS = new WeakMap<Command, Lesson>();

/** Gives a command its lesson. */
export function taught(command: Command, lesson: Lesson): Command {
  LESSONS.set(command, lesson);
  return command
    .description(lesson.summary)
    .helpOption("--help", "show this")
    .addHelpText("after", () => `\n${afterHelp(lesson)}`);
}

export function lessonOf(command: Command): Lesson | undefined {
  return LESSONS.get(command);
}

function afterHelp({ examples, exit, json, seeAlso, text }: Lesson): string {
  return [
    ...text.map(paragraph),
    `Examples:\n${examples.map(([line, what]) => `  ${line}\n      ${what}`).join("\n")}`,
    ...(json === undefined ? [] : [paragraph(`With --json: ${json}.`)]),
    paragraph(TOKEN_NOTE),
    environmentText(),
    paragraph(`Exit: ${exit === undefined ? "" : `${exit}; `}every code is in iommuctl --help.`),
    `See also: ${[...seeAlso.map((name) => `iommuctl ${name}`), "man iommuctl", "docs/iommuctl.md"].join(", ")}`,
  ].join("\n\n");
}

/** What the program's own help ends with. */
export function epilogue(): string {
  const codes = EXIT_CODES.map(([code, meaning]) => `  ${String(code).padStart(2)}  ${meaning}`);
  const next = "See also: iommuctl COMMAND --help, man iommuctl, docs/iommuctl.md";
  return [paragraph(TOKEN_NOTE), environmentText(), `Exit:\n${codes.join("\n")}`, next].join("\n\n");
}

function environmentText(): string {
  return `Environment:\n${ENVIRONMENT.map(([name, meaning]) => `  ${name.padEnd(27)}${meaning}`).join("\n")}`;
}

function paragraph(text: string): string {
  return wrapped(text, COLUMNS).join("\n");
}
