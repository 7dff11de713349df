// The command line of iommuctl: its commands, and what their failures mean for whoever called.
// Each command adds itself here; it is given where to read and write, and touches neither the process nor a socket before
// its arguments are good.

import { Command, CommanderError } from "commander";
import type { Environment } from "./connection.ts";
import { addDoctor } from "./doctor.ts";
import { addExplain } from "./explain.ts";
import { describeFailure, EXIT, exitCodeOf } from "./failure.ts";
import { addFaults } from "./faults.ts";
import { printable, type Terminal } from "./terminal.ts";

/** What a command has of the process around it. */
export interface Surroundings {
  readonly environment: Environment;
  readonly terminal: Terminal;
  readonly version: string;
  out(text: string): void;
  err(text: string): void;
  /** Resolves when whoever reads the output has taken it, or has gone. */
  taken(): Promise<void>;
  /** Aborted once nobody reads the output any more. */
  readonly gone: AbortSignal;
}

const EPILOGUE = `
The session token is never an argument, which other users could read: --token-file names a file that has it, or the
environment has it in IOMMUBROKER_SESSION_TOKEN.

Exit: 0 done; 2 the command line is not usable; 3 the broker refused; 4 no broker can be reached; 70 a bug.`;

/** Runs one command line to its end; resolves with the exit code. */
export async function run(argv: readonly string[], surroundings: Surroundings): Promise<number> {
  const program = new Command("iommuctl")
    .description("Asks iommu-brokerd, the owner of the host's IOMMU.")
    .version(surroundings.version, "--version", "print the version")
    .helpOption("--help", "show this")
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => surroundings.out(text),
      writeErr: (text) => surroundings.err(printable(text, "\n")),
    })
    .showHelpAfterError("(--help explains)");
  let exitCode: number = EXIT.DONE;
  addExplain(program, surroundings);
  addFaults(program, surroundings);
  addDoctor(program, surroundings, (code) => {
    exitCode = code;
  });
  program.addHelpText("after", EPILOGUE);
  for (const command of program.commands) command.addHelpText("after", EPILOGUE);
  try {
    await program.parseAsync([...argv], { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.DONE : EXIT.USAGE;
    surroundings.err(`iommuctl: ${describeFailure(error)}\n`);
    return exitCodeOf(error);
  }
}
