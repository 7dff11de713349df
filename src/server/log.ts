// The log: one JSON object a line, keys from a closed list, so that a query written once keeps working.
// What may be logged is typed: a token has no key here, and redaction is the second fence.
// Lines go through a bounded buffer: a reader that stalls costs lines, never the daemon's memory or its pace. Lines of a
// few milliseconds go out in one write: each is a task for another thread, which costs more than the line.

import { type DestinationStream, destination, pino } from "pino";
import { BrokerError } from "../backends/errors.ts";

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Every key a line may have besides time, level, pid and msg. */
export interface LogFacts {
  readonly address?: string;
  readonly device?: string;
  readonly devices?: number;
  readonly error?: unknown;
  readonly errorID?: string;
  /** Facts of a backend's notice, as it names them. */
  readonly facts?: Readonly<Record<string, string | number | boolean>>;
  readonly from?: string;
  readonly generation?: number;
  readonly group?: number;
  /** How many lines like this one were left out before it. */
  readonly left?: number;
  readonly limit?: string;
  readonly owner?: string;
  readonly reason?: string;
  readonly session?: string;
  readonly signal?: string;
  readonly source?: string;
  readonly subject?: string;
  readonly to?: string;
  readonly trigger?: string;
  readonly version?: string;
}

/** One line of the audit log: an act, or a change. audit.ts fills it; none of its values is a secret. */
export interface AuditLine {
  /** What happened: "call", "stage", "session", "memory", "denied", "device". */
  readonly event: string;
  readonly [fact: string]: string | number | boolean | readonly string[] | undefined;
}

export interface Log {
  debug(facts: LogFacts, message: string): void;
  info(facts: LogFacts, message: string): void;
  warn(facts: LogFacts, message: string): void;
  error(facts: LogFacts, message: string): void;
  fatal(facts: LogFacts, message: string): void;
  level(): LogLevel;
  setLevel(level: LogLevel): void;
  /** A line that no level keeps out, with "audit": true; goes where the log goes. */
  audit(line: AuditLine): void;
  /**
   * Writes out what is buffered and takes no more. For the end of the process.
   * @returns false when the reader does not take it: after half a second, with a write(2) still hanging
   */
  end(): Promise<boolean>;
}

const BUFFER_BYTES_MAX = 1_048_576;
/** A reader that stalls does not keep the process from ending. */
const END_MAX_MS = 500;
const CAUSES_SHOWN_MAX = 5;
/** How long a line waits for others, unless so much has come that it is worth a write. */
const LINGER_MS = 5;
const LINGER_CHARACTERS_MAX = 16_384;
/** Keys of secrets in an audit line, whose values are flat. */
const AUDIT_SECRETS = ["token", "authorization", '["iommubroker-session-token"]'];
const SECRETS = ["token", "*.token", "authorization", "*.authorization", '*["iommubroker-session-token"]'];

export interface LogOptions {
  readonly level: LogLevel;
  readonly destination: "stdout" | "stderr";
}

export function createLog(options: LogOptions): Log {
  const dest = options.destination === "stdout" ? 1 : 2;
  const stream = destination({ dest, sync: false, minLength: 0, maxLength: BUFFER_BYTES_MAX });
  const lingering = lingeringBefore(stream);
  return logTo(lingering, options.level, () => {
    lingering.flush();
    // A write may be on its way: only the stream's own end keeps the lines in order and loses none.
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), END_MAX_MS);
    stream.once("close", () => resolve(true));
    stream.end();
    return promise.finally(() => clearTimeout(timer));
  });
}

function lingeringBefore(stream: DestinationStream): DestinationStream & { flush(): void } {
  let lines = "";
  let timer: NodeJS.Timeout | undefined;
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (lines !== "") stream.write(lines);
    lines = "";
  };
  return {
    flush,
    write: (line) => {
      lines += line;
      if (lines.length >= LINGER_CHARACTERS_MAX) flush();
      else timer ??= setTimeout(flush, LINGER_MS);
    },
  };
}

/** A log onto any stream, which `finish` brings to its end. */
export function logTo(stream: DestinationStream, level: LogLevel, finish = async (): Promise<boolean> => true): Log {
  let ended: Promise<boolean> | undefined;
  const whileOpen: DestinationStream = {
    write: (line) => {
      if (ended === undefined) stream.write(line);
    },
  };
  const form = {
    base: { pid: process.pid },
    timestamp: isoTime(),
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { error: (error: unknown) => describeError(error) },
  };
  const logger = pino({ ...form, level, redact: { paths: SECRETS, censor: "[secret]" } }, whileOpen);
  const audit = pino(
    {
      ...form,
      level: "info",
      base: { ...form.base, audit: true },
      redact: { paths: AUDIT_SECRETS, censor: "[secret]" },
    },
    whileOpen,
  );
  return {
    debug: (facts, message) => logger.debug(facts, message),
    info: (facts, message) => logger.info(facts, message),
    warn: (facts, message) => logger.warn(facts, message),
    error: (facts, message) => logger.error(facts, message),
    fatal: (facts, message) => logger.fatal(facts, message),
    level: () => LOG_LEVELS.find((known) => known === logger.level) ?? level,
    setLevel: (next) => {
      logger.level = next;
    },
    audit: (line) => audit.info(line),
    end: () => {
      ended ??= finish();
      return ended;
    },
  };
}

/** Pino's own, which makes a Date for each line, once a millisecond. */
function isoTime(): () => string {
  let madeMs = Number.NaN;
  let text = "";
  return () => {
    const nowMs = Date.now();
    if (nowMs !== madeMs) text = `,"time":"${new Date(nowMs).toISOString()}"`;
    madeMs = nowMs;
    return text;
  };
}

/** An error as plain values: a BrokerError with code and facts, any other with its stack; causes nested. */
function describeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return String(error);
  const cause =
    error.cause === undefined || depth >= CAUSES_SHOWN_MAX ? {} : { cause: describeError(error.cause, depth + 1) };
  if (error instanceof BrokerError) {
    const facts = Object.fromEntries(
      Object.entries(error.facts).map(([key, value]) => [key, typeof value === "bigint" ? value.toString() : value]),
    );
    return { code: error.code, message: error.message, facts, ...cause };
  }
  return { type: error.name, message: error.message, stack: error.stack, ...cause };
}
