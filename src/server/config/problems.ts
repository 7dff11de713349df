// What is wrong with a configuration, told so that it can be put right: where it was written, which setting, its value,
// and what it should be.

import type { z } from "zod";
import { nearest } from "../../spec/nearest.ts";
import { schemaAt, shapeOf } from "./schema-walk.ts";
import { SETTINGS } from "./settings.ts";

export interface Problem {
  /** "deploy/simulated.yaml:7", "IOMMU_BROKER_LOG_LEVEL", "--log-level", or "configuration" when it is in none. */
  readonly source: string;
  /** The setting, "limits.sessions_max"; empty when it is about a whole source. */
  readonly path: string;
  readonly message: string;
}

export type SourceOf = (path: readonly PropertyKey[]) => string | undefined;

const VALUE_SHOWN_MAX = 80;

/** "deploy/simulated.yaml:7: limits.sessions_max: 0 must be a whole number from 1 to 65536" */
export function describeProblem(problem: Problem): string {
  return [problem.source, problem.path, problem.message].filter((part) => part !== "").join(": ");
}

/** A problem with the setting at `path`. */
export function problemAt(path: readonly PropertyKey[], message: string, sourceOf: SourceOf): Problem {
  return { source: sourceOf(path) ?? "configuration", path: dotted(path), message };
}

/** One finding of the schema, in our words; unknown keys become one problem each. */
export function problemsOf(issue: z.core.$ZodIssue, tree: unknown, sourceOf: SourceOf): Problem[] {
  if (issue.code === "unrecognized_keys") {
    const section = schemaAt(SETTINGS, issue.path);
    const known = section === undefined ? [] : Object.keys(shapeOf(section));
    return issue.keys.map((key) => problemAt([...issue.path, key], `is no setting${suggestion(key, known)}`, sourceOf));
  }
  const value = valueAt(tree, issue.path);
  const message = value === undefined ? "is missing" : `${shown(value)} ${inOurWords(issue.message)}`;
  return [problemAt(issue.path, message, sourceOf)];
}

/** ": did you mean …?", or where to look. */
export function suggestion(word: string, known: readonly string[]): string {
  const near = nearest(word, known);
  return near === undefined ? ": --print-config lists all" : `: did you mean ${near}?`;
}

/** ["simulated", "devices", 3, "id"] → "simulated.devices[3].id" */
export function dotted(path: readonly PropertyKey[]): string {
  return path
    .map((step, index) => {
      if (typeof step === "number") return `[${step}]`;
      return index === 0 ? String(step) : `.${String(step)}`;
    })
    .join("");
}

/** zod's text, where a setting has none of ours: "Invalid input: expected object, received string". */
function inOurWords(message: string): string {
  const type = /^Invalid input: expected (\w+)/.exec(message)?.[1];
  if (type === undefined) return message;
  return type === "object" ? "must be a section with settings of its own" : `must be a value of type ${type}`;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length <= VALUE_SHOWN_MAX ? text : `${text.slice(0, VALUE_SHOWN_MAX)}…`;
}

function valueAt(tree: unknown, path: readonly PropertyKey[]): unknown {
  let at: unknown = tree;
  for (const step of path) at = typeof at === "object" && at !== null ? Reflect.get(at, step) : undefined;
  return at;
}
