// The commands as data, read from the tree that parses them: what help, the man page, docs/iommuctl.md and the completion
// scripts say is what a command line is checked against.

import type { Argument, Command, Option } from "commander";
import { type Lesson, lessonOf } from "./teaching.ts";

export interface CommandPage {
  /** "session open": without the program's name. */
  readonly name: string;
  /** "iommuctl session open [options] <device>". */
  readonly usage: string;
  readonly lesson: Lesson;
  readonly operands: readonly Argument[];
  readonly options: readonly Option[];
  /** Names of the commands beneath it. */
  readonly children: readonly string[];
}

/** Every command beneath the program, each followed by those beneath it. */
export function pagesOf(program: Command): readonly CommandPage[] {
  return program.commands.flatMap((command) => pagesBeneath(command, program.name(), ""));
}

function pagesBeneath(command: Command, program: string, parent: string): readonly CommandPage[] {
  const name = parent === "" ? command.name() : `${parent} ${command.name()}`;
  const lesson = lessonOf(command);
  if (lesson === undefined) throw new Error(`iommuctl ${name} teaches nothing`);
  const page = {
    name,
    usage: `${program} ${name} ${command.usage()}`,
    lesson,
    operands: command.registeredArguments,
    options: command.options.filter(({ hidden }) => !hidden),
    children: command.commands.map((child) => child.name()),
  };
  return [page, ...command.commands.flatMap((child) => pagesBeneath(child, program, name))];
}
