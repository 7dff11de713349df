// iommuctl completion: a script that completes commands, options, their values and, by asking the daemon, devices.
// The words are those of the tree that parses them; the scripts around them are beside this file, in completion/.

import { readFileSync } from "node:fs";
import { Argument, type Command, type Option } from "commander";
import { type CommandPage, pagesOf } from "./command-tree.ts";
import type { Surroundings } from "./program.ts";
import { type Lesson, taught } from "./teaching.ts";

const SHELLS = ["bash", "zsh"] as const;

const LESSON: Lesson = {
  summary: "Prints a completion script for a shell.",
  text: [
    "Devices are completed by asking the daemon that the command line names, for half a second; where none answers there are none to choose from.",
  ],
  examples: [
    ["source <(iommuctl completion bash)", "for this shell; in ~/.bashrc for each"],
    ["iommuctl completion bash > /etc/bash_completion.d/iommuctl", "for everybody"],
    ["iommuctl completion zsh > ~/.zsh/completions/_iommuctl", "in a directory of $fpath"],
  ],
  seeAlso: ["devices"],
};

export function addCompletion(program: Command, { out }: Surroundings): void {
  taught(program.command("completion"), LESSON)
    .addArgument(new Argument("<shell>", "which shell").choices(SHELLS))
    .action((shell: string) => out(completionScript(program, shell)));
}

/** @param shell  one of SHELLS */
export function completionScript(program: Command, shell: string): string {
  const pages = pagesOf(program);
  const script = readFileSync(new URL(`./completion/iommuctl.${shell}`, import.meta.url), "utf8");
  return script.replace("@TABLES@\n", () => tables(program, pages)); // a function: "$" in the tables stays what it is
}

/** Two functions of case statements, which bash and zsh read alike. */
function tables(program: Command, pages: readonly CommandPage[]): string {
  const names = program.commands.map((command) => command.name()).join(" ");
  const commands = pages.map(
    ({ children, name, operands, options }) =>
      `    '${name}') children='${children.join(" ")}' options='${optionWords(options)} --help' valued='${optionWords(options.filter(takesValue))}' operands='${operands.map(operandWord).join(" ")}' ;;`,
  );
  const values = pages.flatMap(({ name, options }) =>
    options.filter(takesValue).map(
      (option) =>
        `    ${flagsOf(option)
          .map((flag) => `'${name} ${flag}'`)
          .join("|")}) values='${valueWord(option)}' ;;`,
    ),
  );
  return [
    "# What follows the command $1: sets children, options, valued (options with a value) and operands.",
    "_iommuctl_command() {",
    "  children='' options='' valued='' operands=''",
    "  case $1 in",
    `    '') children='${names}' options='--help --version' ;;`,
    ...commands,
    "  esac",
    "}",
    "",
    "# What the option $2 of the command $1 may have: sets values.",
    "_iommuctl_values() {",
    "  values=''",
    '  case "$1 $2" in',
    ...values,
    "  esac",
    "}",
    "",
  ].join("\n");
}

function flagsOf({ long, short }: Option): readonly string[] {
  return [short, long].filter((flag) => flag !== undefined);
}

function optionWords(options: readonly Option[]): string {
  return options.flatMap(flagsOf).join(" ");
}

function takesValue({ optional, required }: Option): boolean {
  return required || optional;
}

/** "@file", "@device", or the choices with commas between them. */
function operandWord(operand: Argument): string {
  const word = operand.name() === "device" ? "@device" : (operand.argChoices?.join(",") ?? "@none");
  return operand.variadic ? `${word}+` : word;
}

function valueWord({ argChoices, flags }: Option): string {
  return /<(?:file|path)>/.test(flags) ? "@file" : (argChoices?.join(",") ?? "@none");
}
