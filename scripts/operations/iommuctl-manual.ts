// docs/iommuctl.1, the manual page, from the commands themselves. Source: man-pages(7), groff_man(7).

import { EXIT_CODES } from "../../src/cli/failure.ts";
import { ENVIRONMENT, JSON_NOTE, TOKEN_NOTE } from "../../src/cli/teaching.ts";
import { DESCRIPTION, iommuctlPages, optionText } from "./iommuctl-tree.ts";

type Page = ReturnType<typeof iommuctlPages>[number];

export function iommuctlManual(): string {
  const pages = iommuctlPages();
  return `${[
    '.\\" Generated from the commands in src/cli by npm run generate. Do not edit.',
    '.TH IOMMUCTL 1 "" "iommu-broker" "User Commands"',
    ".SH NAME",
    `iommuctl \\- ${roff(DESCRIPTION)}`,
    ".SH SYNOPSIS",
    ...pages
      .filter(({ children }) => children.length === 0)
      .flatMap(({ usage }) => [`.B ${roff(usage)}`, ".br"])
      .slice(0, -1),
    ".SH DESCRIPTION",
    roff(
      "Shows what the broker's IOMMUs and devices can do and who has them, explains translations and faults, and works by hand as a session of its own.",
    ),
    ".PP",
    roff(TOKEN_NOTE),
    ".PP",
    roff(JSON_NOTE),
    ".SH COMMANDS",
    ...pages.flatMap(command),
    ".SH EXIT STATUS",
    ...EXIT_CODES.flatMap(([code, meaning]) => tagged(String(code), meaning)),
    ".SH ENVIRONMENT",
    ...ENVIRONMENT.flatMap(([name, meaning]) => tagged(name, meaning)),
    ".SH FILES",
    ...tagged(
      "/run/iommu-broker/broker.sock",
      "the API of a daemon that systemd runs; admin.sock beside it is for administrators",
    ),
    ...tagged("$XDG_RUNTIME_DIR/iommu-broker/broker.sock", "the API of a daemon of the user's own"),
  ].join("\n")}\n`;
}

function command({ lesson, name, operands, options, usage }: Page): readonly string[] {
  return [
    `.SS ${roff(name)}`,
    `.B ${roff(usage)}`,
    ".PP",
    roff(lesson.summary),
    ...lesson.text.flatMap((text) => [".PP", roff(text)]),
    ...operands.flatMap((operand) =>
      tagged(operand.name(), operand.argChoices === undefined ? operand.description : operand.argChoices.join(", ")),
    ),
    ...options.flatMap((option) => tagged(option.flags, optionText(option))),
    ...(lesson.json === undefined ? [] : [".PP", roff(`With --json: ${lesson.json}.`)]),
    ...(lesson.exit === undefined ? [] : [".PP", roff(`Exit: ${lesson.exit}.`)]),
    ...lesson.examples.flatMap(([line, what]) => [
      ".PP",
      roff(`${upperFirst(what)}:`),
      ".PP",
      ".EX",
      `  ${roff(line)}`,
      ".EE",
    ]),
  ];
}

function tagged(tag: string, text: string): readonly string[] {
  return [".TP", `.B ${roff(tag)}`, roff(text)];
}

/** Text that roff takes for nothing but text: no request at its beginning, no escape, hyphens that can be copied. */
function roff(text: string): string {
  const escaped = text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("…", "...")
    .replaceAll('"', "\\(dq")
    .replaceAll("'", "\\(aq")
    .replaceAll("`", "\\(ga")
    .replaceAll("~", "\\(ti")
    .replaceAll("^", "\\(ha");
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}

function upperFirst(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
