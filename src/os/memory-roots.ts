// The directories that guest memory files must lie beneath, resolved once when the daemon starts.
// A root of the daemon's own runtime directory is created; any other must exist, so that a typing error is not a new
// empty directory.

import { mkdirSync, realpathSync, statSync } from "node:fs";
import { isAbsolute } from "node:path";
import { BrokerError } from "../backends/errors.ts";
import { errnoOf } from "./errno.ts";

export interface MemoryRoot {
  /** As configured: absolute, without a trailing slash. Clients may name files through it. */
  readonly configured: string;
  /** With symbolic links resolved. */
  readonly real: string;
}

export interface MemoryRootWish {
  readonly path: string;
  /** Make it when it is not there. */
  readonly create: boolean;
}

/** @throws BrokerError argument_invalid for a root that is not an existing directory, or is "/" */
export function openMemoryRoots(wishes: readonly MemoryRootWish[]): MemoryRoot[] {
  return wishes.map((wish) => {
    const configured = wish.path.replace(/\/+$/, "");
    if (configured === "" || !isAbsolute(configured)) {
      throw unusable(wish.path, "must be an absolute path other than /");
    }
    if (wish.create) mkdirSync(configured, { recursive: true, mode: 0o750 });
    const real = resolved(configured);
    if (real === "/") throw unusable(configured, "is a link to /, which would make every file guest memory");
    if (!statSync(real).isDirectory()) throw unusable(configured, "is not a directory");
    return { configured, real };
  });
}

function resolved(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    throw unusable(path, `cannot be used (${errnoOf(error)}): create the directory, or take it out of memory_roots`);
  }
}

function unusable(path: string, why: string): BrokerError {
  return new BrokerError("argument_invalid", `memory root ${path} ${why}`, { path });
}
