// Parsing of single request fields: what is not as the proto says is refused with the field's path.
// allOf() and eachOf() go on after a bad field, so that a caller learns of all of them at once.

import { BrokerError, type FieldViolation, invalidField } from "../../backends/errors.ts";

type Parsers = Readonly<Record<string, () => unknown>>;
type Parsed<T extends Parsers> = { readonly [K in keyof T]: ReturnType<T[K]> };

const MESSAGE_VIOLATIONS_MAX = 4;

/** Runs every parser and gives their results, or throws one error with the violations of all that refused. */
export function allOf<T extends Parsers>(parsers: T): Parsed<T> {
  const refusals: BrokerError[] = [];
  const results: Record<string, unknown> = {};
  for (const [name, parse] of Object.entries(parsers)) {
    results[name] = attempt(parse, refusals);
  }
  throwIfAny(refusals);
  return results as Parsed<T>; // the loop above stored what each of T's parsers returned
}

/** Parses every item of a repeated field; `path` is the field's, the items' are path[0], path[1], … */
export function eachOf<T, R>(items: readonly T[], path: string, parse: (item: T, path: string) => R): R[] {
  const refusals: BrokerError[] = [];
  const results: R[] = [];
  items.forEach((item, index) => {
    attempt(() => results.push(parse(item, `${path}[${index}]`)), refusals);
  });
  throwIfAny(refusals);
  return results;
}

/** Refuses with every violation there is; does nothing when there is none. */
export function refuseViolations(violations: readonly FieldViolation[]): void {
  throwIfAny(violations.map(({ path, description }) => invalidField(path, description)));
}

/** Gives what an inner check refused the path of the field that it was called for. */
export function at<T>(path: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!isRefusedValue(error)) throw error;
    throw new BrokerError(error.code, `${path}: ${error.message}`, error.facts, {
      fields: [{ path, description: error.message }],
    });
  }
}

/** An integer field with bounds narrower than its wire type's. */
export function integer(value: number, path: string, bounds: { readonly min: number; readonly max: number }): number {
  if (value >= bounds.min && value <= bounds.max) return value;
  throw invalidField(path, `must be ${bounds.min} to ${bounds.max}, is ${value}`);
}

/** An enum field. `values` has every number that is allowed here, and what it stands for. */
export function enumeration<T>(value: number, path: string, values: ReadonlyMap<number, T>, expected: string): T {
  const meaning = values.get(value);
  if (meaning === undefined) throw invalidField(path, `must be ${expected}, is ${value}`);
  return meaning;
}

const REQUEST_ID_CHARACTERS_MAX = 64;

/** An idempotence key; empty: none. */
export function requestID(value: string, path = "request_id"): string {
  if (characters(value) <= REQUEST_ID_CHARACTERS_MAX) return value;
  throw invalidField(path, `must have at most ${REQUEST_ID_CHARACTERS_MAX} characters`);
}

const DISPLAY_NAME_CHARACTERS_MAX = 128;
/** Control and format characters (bidirectional overrides among them), line breaks, what Unicode does not assign. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/u;

/** A name that is shown to other clients and stands in logs. */
export function displayName(value: string, path: string): string {
  const length = characters(value);
  if (length < 1 || length > DISPLAY_NAME_CHARACTERS_MAX || value.trim() === "") {
    throw invalidField(path, `must have 1 to ${DISPLAY_NAME_CHARACTERS_MAX} characters that are not all blank`);
  }
  if (UNPRINTABLE.test(value)) throw invalidField(path, "must not contain control characters");
  return value;
}

/** Code points; a string longer than any limit here is not counted to its end. */
function characters(value: string): number {
  return value.length > 2 * DISPLAY_NAME_CHARACTERS_MAX ? value.length : [...value].length;
}

function attempt<T>(parse: () => T, refusals: BrokerError[]): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (!isRefusedValue(error)) throw error;
    refusals.push(error);
    return undefined;
  }
}

function isRefusedValue(error: unknown): error is BrokerError {
  return error instanceof BrokerError && (error.code === "argument_invalid" || error.code === "vste_invalid");
}

function throwIfAny(refusals: readonly BrokerError[]): void {
  const [first, second] = refusals;
  if (first === undefined) return;
  if (second === undefined) throw first;
  const code = refusals.every((refusal) => refusal.code === first.code) ? first.code : "argument_invalid";
  const fields = refusals.flatMap((refusal) => refusal.fields);
  const named = fields.slice(0, MESSAGE_VIOLATIONS_MAX).map(({ path, description }) => `${path}: ${description}`);
  const more = fields.length > named.length ? `; and ${fields.length - named.length} more` : "";
  throw new BrokerError(code, `${named.join("; ")}${more}`, {}, { fields });
}
