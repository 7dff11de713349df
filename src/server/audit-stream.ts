// Where audit lines go: among the log's, or to a file of their own.
// A file's lines are written at once, so that what was answered is in the file also when the daemon is killed. It is
// opened anew by reopen(), so that it can be moved away first: logrotate without copytruncate.

import { destination } from "pino";
import { BrokerError } from "../backends/errors.ts";
import { errnoOf } from "../os/errno.ts";
import type { AuditDestination } from "./config.ts";
import { type AuditLine, type Log, logTo } from "./log.ts";

export interface AuditStream {
  write(line: AuditLine): void;
  /** Closes the file and opens what stands at its path now, or a new one. */
  reopen(): void;
  close(): void;
}

/**
 * @param onFailure  a line could not be written
 * @throws BrokerError argument_invalid with the path and the remedy
 */
export function openAudit(to: AuditDestination, log: Log, onFailure: (error: unknown) => void): AuditStream {
  if (to.kind === "off") return { write: () => {}, reopen: () => {}, close: () => {} };
  if (to.kind === "log") return { write: (line) => log.audit(line), reopen: () => {}, close: () => {} };
  const stream = openFile(to.path);
  stream.on("error", onFailure);
  const file = logTo(stream, "info");
  return {
    write: (line) => file.audit(line),
    reopen: () => stream.reopen(),
    close: () => stream.end(),
  };
}

function openFile(path: string): ReturnType<typeof destination> {
  try {
    return destination({ dest: path, append: true, sync: true, mode: 0o600 });
  } catch (error) {
    throw new BrokerError(
      "argument_invalid",
      `audit.destination ${path} cannot be written (${errnoOf(error)}): check the directory, or set "log" or "off"`,
      { path },
      { cause: error },
    );
  }
}
