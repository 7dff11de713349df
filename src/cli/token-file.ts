// The session's token, a secret: read from a file of the user's own or the environment, written to a file that is made
// for it. It is never an argument, which other users could read, and nothing here repeats it.

import { closeSync, fstatSync, openSync, readSync, unlinkSync, writeSync } from "node:fs";
import { UsageError } from "./failure.ts";

export const TOKEN_VARIABLE = "IOMMUBROKER_SESSION_TOKEN";
const TOKEN_BYTES_MAX = 256;

/**
 * @param inEnvironment  what the variable has
 * @returns undefined where neither is given
 * @throws UsageError when what is there cannot be a token; it never says what is there
 */
export function readToken(tokenFile: string | undefined, inEnvironment: string | undefined): string | undefined {
  const given = tokenFile === undefined ? inEnvironment : contentOf(tokenFile);
  if (given === undefined) return undefined;
  const token = given.trim();
  const where = tokenFile === undefined ? TOKEN_VARIABLE : `--token-file ${JSON.stringify(tokenFile)}`;
  if (token === "") throw new UsageError(`${where} is empty: it must have the token that OpenSession answered with`);
  if (token.length > TOKEN_BYTES_MAX || !/^[\x21-\x7e]+$/.test(token)) {
    throw new UsageError(
      `${where} has no session token: one is a single word of at most ${TOKEN_BYTES_MAX} characters`,
    );
  }
  return token;
}

/** At most one byte more than a token and its line break may have: enough to see that it is too long. */
function contentOf(path: string): string {
  const bytes = Buffer.alloc(TOKEN_BYTES_MAX + 3);
  const file = opened(path, "r");
  try {
    const { mode } = fstatSync(file);
    const others = (mode % 0o100).toString(8).padStart(2, "0");
    if (fstatSync(file).isFile() && others !== "00") {
      throw new UsageError(
        `--token-file ${JSON.stringify(path)} is open to others (mode ends in ${others}): chmod 600 it; a token is a secret`,
      );
    }
    return bytes.toString("latin1", 0, readSync(file, bytes));
  } catch (error) {
    throw error instanceof UsageError ? error : unusable(path, "read", error);
  } finally {
    closeSync(file);
  }
}

/** A file for a token that does not exist yet. It is there before there is a token, so that none is lost. */
export class NewTokenFile {
  readonly #path: string;
  readonly #file: number;

  /** Mode 0600, and only where nothing is: what another user has put there is not written to. @throws UsageError */
  constructor(path: string) {
    this.#path = path;
    this.#file = opened(path, "wx");
  }

  keep(token: string): void {
    writeSync(this.#file, `${token}\n`);
    closeSync(this.#file);
  }

  /** No token came: the file goes. */
  discard(): void {
    closeSync(this.#file);
    unlinkSync(this.#path);
  }
}

function opened(path: string, flags: "r" | "wx"): number {
  try {
    return openSync(path, flags, 0o600);
  } catch (error) {
    throw unusable(path, flags === "r" ? "read" : "made", error);
  }
}

function unusable(path: string, what: string, error: unknown): UsageError {
  if (what === "made" && error instanceof Error && Reflect.get(error, "code") === "EEXIST") {
    return new UsageError(
      `--token-file ${JSON.stringify(path)} is there already, with the token of an earlier session: close that (iommuctl session close) and remove the file, or name another`,
    );
  }
  const why = error instanceof Error ? error.message : String(error);
  return new UsageError(`--token-file ${JSON.stringify(path)} cannot be ${what}: ${why}`);
}
