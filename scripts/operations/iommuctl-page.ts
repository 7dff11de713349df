// docs/iommuctl.md, from the commands themselves.

import { EXIT_CODES } from "../../src/cli/failure.ts";
import { ENVIRONMENT, JSON_NOTE, TOKEN_NOTE } from "../../src/cli/teaching.ts";
import { iommuctlPages, optionText } from "./iommuctl-tree.ts";

type Page = ReturnType<typeof iommuctlPages>[number];

export function iommuctlPage(): string {
  const pages = iommuctlPages();
  return `${[
    "# iommuctl",
    "<!-- Generated from the commands in src/cli by npm run generate. Do not edit. -->",
    "`iommuctl` asks a running `iommu-brokerd`, and works with it by hand. `iommuctl COMMAND --help` has what stands here; `man iommuctl` too, where the package is installed. In a clone of the repository it is `npm run -s iommuctl --`.",
    table(
      ["command", ""],
      pages.map(({ lesson, name }) => [`[\`${name}\`](#${anchor(name)})`, lesson.summary]),
    ),
    "## By hand, from the first command to the last",
    shell([
      "iommuctl session open --ttl 30m --token-file hand.token",
      "iommuctl attach 0000:01:00.0 --token-file hand.token",
      "iommuctl map --file /run/guests/ram --ipa 0x4000_0000 --bytes 2M --token-file hand.token",
      "iommuctl bind 0000:01:00.0 --vsid 0x42 --s1-context-ptr 0x4000_0000 --token-file hand.token",
      "iommuctl explain 0000:01:00.0 0x1000 --token-file hand.token",
      "iommuctl session close --token-file hand.token",
    ]),
    "The session's lease outlives each command, and each command that changes something renews it. When nobody renews it any more, its devices are set to abort and given back.",
    "## The token",
    TOKEN_NOTE,
    "## JSON",
    `${JSON_NOTE} Names in capitals below are messages of [proto/iommubroker/v1](../proto/iommubroker/v1).`,
    table(
      ["command", "with `--json`"],
      pages.flatMap(({ lesson, name }) => (lesson.json === undefined ? [] : [[`\`${name}\``, cell(lesson.json)]])),
    ),
    "## Exit codes",
    table(
      ["code", "means"],
      EXIT_CODES.map(([code, meaning]) => [String(code), meaning]),
    ),
    "## Environment",
    table(
      ["variable", ""],
      ENVIRONMENT.map(([name, meaning]) => [`\`${name}\``, meaning]),
    ),
    "## Commands",
    ...pages.flatMap(section),
  ].join("\n\n")}\n`;
}

function section({ lesson, name, operands, options, usage }: Page): readonly string[] {
  return [
    `### ${name}`,
    lesson.summary,
    shell([usage]),
    ...lesson.text.map(plain),
    ...(operands.length + options.length === 0
      ? []
      : [
          table(
            ["", ""],
            [
              ...operands.map((operand) => [
                `\`${operand.name()}\``,
                cell(operand.argChoices === undefined ? operand.description : operand.argChoices.join(", ")),
              ]),
              ...options.map((option) => [`\`${option.flags}\``, cell(optionText(option))]),
            ],
          ),
        ]),
    ...(lesson.exit === undefined ? [] : [`Exit: ${lesson.exit}.`]),
    shell(lesson.examples.map(([line, what]) => `${line}  # ${what}`)),
    `See also: ${lesson.seeAlso.map((other) => `[\`${other}\`](#${anchor(other)})`).join(", ")}.`,
  ];
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(heads), `|${heads.map(() => "---|").join("")}`, ...rows.map(line)].join("\n");
}

/** Text of help inside a table: what Markdown would read in it stays as it is. */
function cell(text: string): string {
  return plain(text).replaceAll("|", "\\|");
}

function plain(text: string): string {
  return text.replace(/[<*_]/g, "\\$&");
}

function shell(lines: readonly string[]): string {
  return ["```sh", ...lines, "```"].join("\n");
}

function anchor(name: string): string {
  return name.replaceAll(" ", "-");
}
