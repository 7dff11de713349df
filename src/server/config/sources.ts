// Where settings come from: a YAML file, the environment, flags. Each gives values with the place they stand at, so that
// every complaint and --print-config can name it. Nothing is checked against the bounds here.

import { readFileSync, statSync } from "node:fs";
import { isCollection, isMap, isNode, isScalar, LineCounter, type Node, type Pair, parse, parseDocument } from "yaml";
import type { z } from "zod";
import { errnoOf } from "../../os/errno.ts";
import { type Problem, suggestion } from "./problems.ts";
import type { Environment } from "./runtime-directory.ts";
import { shapeOf, unwrapped } from "./schema-walk.ts";
import { SETTINGS } from "./settings.ts";

/** A value at a path of the settings tree, and where it was written. */
export interface SourcedValue {
  readonly path: readonly string[];
  readonly value: unknown;
  /** "deploy/simulated.yaml:7", "IOMMU_BROKER_LOG_LEVEL" or "--log-level". */
  readonly source: string;
}

export interface Sourced {
  readonly values: readonly SourcedValue[];
  readonly problems: readonly Problem[];
  /** Only from a file: its line that says something about `path`, or about the nearest path above it. */
  readonly locate?: (path: readonly PropertyKey[]) => string;
}

const FILE_BYTES_MAX = 16_777_216;
const ENVIRONMENT_PREFIX = "IOMMU_BROKER_";
/** Names the file, where --config does not. */
export const CONFIG_VARIABLE = `${ENVIRONMENT_PREFIX}CONFIG`;
/** What Kubernetes sets in every pod beside a Service called iommu-broker: not meant for us. */
const KUBERNETES = /^IOMMU_BROKER_(?:SERVICE_|PORT(?:$|_))/;

/** Settings that a single word can set: path and how the word is read. */
interface Leaf {
  readonly path: readonly string[];
  readonly kind: "text" | "scalar" | "list";
}

/** Every setting that the environment and --set reach; "simulated" is only for the file. */
export const LEAVES: readonly Leaf[] = leavesOf(SETTINGS, []);

function leavesOf(section: z.core.$ZodType, prefix: readonly string[]): Leaf[] {
  return Object.entries(shapeOf(section)).flatMap(([key, schema]) => {
    const path = [...prefix, key];
    const type = unwrapped(schema)._zod.def.type;
    if (key === "simulated") return [];
    return type === "object" ? leavesOf(schema, path) : [{ path, kind: kindOf(type) }];
  });
}

function kindOf(type: string): Leaf["kind"] {
  if (type === "array") return "list";
  return type === "string" || type === "enum" ? "text" : "scalar";
}

/** Reads a YAML file. Its values are the leaves of the document, so that each has its line. */
export function fromFile(file: string): Sourced {
  const text = readText(file);
  if (typeof text !== "string") return { values: [], problems: [text] };
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number | undefined): string =>
    offset === undefined ? file : `${file}:${lines.linePos(offset).line}`;
  const problems = [...document.errors, ...document.warnings].map((error) => ({
    source: at(error.pos[0]),
    path: "",
    message: `is not YAML: ${error.message}`,
  }));
  if (problems.length > 0 || document.contents === null) return { values: [], problems };
  if (!isMap(document.contents)) {
    const message = 'must be a mapping of settings, like "backend: simulated"';
    return { values: [], problems: [{ source: file, path: "", message }] };
  }
  try {
    const root: unknown = document.toJS();
    const locate = (path: readonly PropertyKey[]): string => at(offsetOf(document.contents, path));
    return { values: valuesOf(document.contents, root, [], at), problems: [], locate };
  } catch (error) {
    // The YAML library refuses documents whose aliases multiply beyond reason.
    const message = `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    return { values: [], problems: [{ source: file, path: "", message }] };
  }
}

function readText(file: string): string | Problem {
  try {
    if (statSync(file).size > FILE_BYTES_MAX) {
      return { source: file, path: "", message: `is longer than ${FILE_BYTES_MAX} bytes: is it the right file?` };
    }
    return readFileSync(file, "utf8");
  } catch (error) {
    return { source: file, path: "", message: `cannot be read (${errnoOf(error)}): check the path after --config` };
  }
}

/** Where in the text the deepest node on `path` begins. */
function offsetOf(contents: Node | null, path: readonly PropertyKey[]): number | undefined {
  let node: Node | null = contents;
  for (const step of path) {
    const child: unknown = isCollection(node) ? node.get(step, true) : undefined;
    if (!isNode(child)) break;
    node = child;
  }
  return node?.range?.[0];
}

/** Goes down through mappings that are settings sections; whatever else is one value. */
function valuesOf(
  node: Node,
  value: unknown,
  path: readonly string[],
  at: (offset: number | undefined) => string,
): SourcedValue[] {
  if (!isMap(node) || !isRecord(value) || path[0] === "simulated") {
    return [{ path, value, source: at(node.range?.[0]) }];
  }
  return node.items.flatMap((pair: Pair) => {
    const key = isScalar(pair.key) ? String(pair.key.value) : String(pair.key);
    const where = isNode(pair.key) ? at(pair.key.range?.[0]) : at(undefined);
    const child = value[key];
    if (child === null) return []; // "limits:" with nothing under it: the defaults
    if (isNode(pair.value) && isMap(pair.value)) return valuesOf(pair.value, child, [...path, key], at);
    return [{ path: [...path, key], value: child, source: where }];
  });
}

/** Reads IOMMU_BROKER_*. A name that is no setting is a warning only: others may own that prefix too. */
export function fromEnvironment(environment: Environment): Sourced {
  const values: SourcedValue[] = [];
  const problems: Problem[] = [];
  const names = new Map(LEAVES.map((leaf) => [variableOf(leaf.path), leaf]));
  for (const [name, text] of Object.entries(environment)) {
    if (!name.startsWith(ENVIRONMENT_PREFIX) || name === CONFIG_VARIABLE || KUBERNETES.test(name)) continue;
    const leaf = names.get(name);
    if (leaf !== undefined) values.push({ path: leaf.path, value: wordValue(leaf, text ?? ""), source: name });
    else problems.push({ source: name, path: "", message: `is no setting${suggestion(name, [...names.keys()])}` });
  }
  return { values, problems };
}

/** "listen.socket" → IOMMU_BROKER_LISTEN_SOCKET. */
export function variableOf(path: readonly string[]): string {
  return `${ENVIRONMENT_PREFIX}${path.join("_").toUpperCase()}`;
}

/** A setting from the command line: its path, its text or texts, and the flag to name in complaints. */
export interface Assignment {
  readonly path: string;
  readonly text: string | readonly string[];
  readonly source: string;
}

export function fromAssignment({ path, text, source }: Assignment): Sourced {
  const leaf = LEAVES.find((candidate) => candidate.path.join(".") === path);
  if (leaf === undefined) {
    const known = LEAVES.map((candidate) => candidate.path.join("."));
    return { values: [], problems: [{ source, path, message: `is no setting${suggestion(path, known)}` }] };
  }
  const value = typeof text === "string" ? wordValue(leaf, text) : [...text];
  return { values: [{ path: leaf.path, value, source }], problems: [] };
}

function wordValue(leaf: Leaf, text: string): unknown {
  if (leaf.kind === "text") return text;
  if (leaf.kind === "scalar") return scalar(text);
  return text === "" ? [] : text.split(",").map((item) => scalar(item.trim()));
}

/** A word as YAML would read it: 5, 0x10, true; anything else stays text. */
function scalar(text: string): unknown {
  try {
    const value: unknown = parse(text);
    return typeof value === "number" || typeof value === "boolean" ? value : text;
  } catch {
    return text;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
