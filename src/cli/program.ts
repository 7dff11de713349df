// The command line of iommuctl: its commands, and what their failures mean for whoever called.
// Each command adds itself here; it is given where to read and write, and touches neither the process nor a socket before
// its arguments are good.

import { Command, CommanderError } from "commander";
import { addAttach } from "./attach.ts";
import { addBind } from "./bind.ts";
import { addCapabilities } from "./capabilities.ts";
import { addCompletion } from "./completion.ts";
import type { Environment } from "./connection.ts";
import { addDevices } from "./devices.ts";
import { addDoctor } from "./doctor.ts";
import { addExplain } from "./explain.ts";
import { describeFailure, EXIT, exitCodeOf } from "./failure.ts";
import { addFaults } from "./faults.ts";
import { addMap } from "./map.ts";
import { addRender } from "./render.ts";
import type { Screen } from "./screen.ts";
import { addSession } from "./session.ts";
import { addSessions } from "./sessions.ts";
import { epilogue } from "./teaching.ts";
import { printable, type Terminal } from "./terminal.ts";
import { addTop } from "./top.ts";
import { addVend } from "./vend.ts";

/** What a command has of the process around it. */
export interface Surroundings {
  readonly environment: Environment;
  readonly terminal: Terminal;
  readonly version: string;
  out(text: string): void;
  err(text: string): void;
  /** Resolves when whoever reads the output has taken it, or has gone. */
  taken(): Promise<void>;
  /** Undefined: the output is no terminal that can be drawn on. */
  readonly screen?: Screen | undefined;
  /** What err() says is seen at once, by somebody at a terminal. */
  readonly isWatched?: boolean;
  /** Aborted once nobody reads the output any more. */
  readonly gone: AbortSignal;
}

/** The tree of commands. @param exit  is told an exit code that a command ends with although it did not fail */
export function createProgram(surroundings: Surroundings, exit: (code: number) => void): Command {
  const program = new Command("iommuctl")
    .description("Asks iommu-brokerd, the owner of the host's IOMMU, and works with it by hand.")
    .version(surroundings.version, "--version", "print the version")
    .helpOption("--help", "show this")
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => surroundings.out(text),
      writeErr: (text) => surroundings.err(printable(text, "\n")),
    })
    .showHelpAfterError("(--help explains)");
  addCapabilities(program, surroundings);
  addDevices(program, surroundings);
  addSessions(program, surroundings);
  addSession(program, surroundings);
  addAttach(program, surroundings);
  addMap(program, surroundings);
  addBind(program, surroundings);
  addExplain(program, surroundings);
  addFaults(program, surroundings);
  addTop(program, surroundings);
  addVend(program, surroundings, exit);
  addRender(program, surroundings);
  addDoctor(program, surroundings, exit);
  addCompletion(program, surroundings);
  program.addHelpText(
    "after",
    () => `
${epilogue()}`,
  );
  return program;
}

/** Runs one command line to its end; resolves with the exit code. */
export async function run(argv: readonly string[], surroundings: Surroundings): Promise<number> {
  let exitCode: number = EXIT.DONE;
  const program = createProgram(surroundings, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...argv], { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.DONE : EXIT.USAGE;
    surroundings.err(`iommuctl: ${describeFailure(error)}\n`);
    return exitCodeOf(error);
  }
}
