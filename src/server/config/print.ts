// --print-config: the configuration in force, as a file that would give the same configuration. Each setting has what it
// is for above it; a value that is not the default has beside it where it was written.

import { Document, isMap, isPair, isScalar, isSeq, type Node, type Scalar, visit, type YAMLMap } from "yaml";
import type { SourceOf } from "./problems.ts";
import { purposeOf, schemaAt } from "./schema-walk.ts";
import { SETTINGS, type Settings } from "./settings.ts";

const HEX_KEYS = /^(?:idr\d|iidr|aidr)$/;

export function printConfig(settings: Settings, sourceOf: SourceOf): string {
  const document = new Document(settings);
  if (isMap(document.contents)) annotate(document.contents, [], sourceOf);
  writeNumbersAsInTheManual(document);
  return document.toString({ lineWidth: 0 });
}

function annotate(section: YAMLMap, prefix: readonly string[], sourceOf: SourceOf): void {
  for (const pair of section.items) {
    if (!isScalar(pair.key)) continue;
    const path = [...prefix, String(pair.key.value)];
    const schema = schemaAt(SETTINGS, path);
    const purpose = schema === undefined ? undefined : purposeOf(schema);
    if (purpose !== undefined) pair.key.commentBefore = ` ${purpose}`;
    pair.key.spaceBefore = prefix.length === 0 && section.items.indexOf(pair) > 0;
    if (isMap(pair.value) && path[0] !== "simulated") annotate(pair.value, path, sourceOf);
    else noteSource(pair.value, pair.key, sourceOf(path));
  }
}

/** Beside a plain value; above a list, where a comment beside the first item would mislead. */
function noteSource(value: unknown, key: Scalar, source: string | undefined): void {
  if (source === undefined) return;
  if (isScalar(value)) value.comment = ` from ${source}`;
  else key.commentBefore = `${key.commentBefore ?? ""}\n from ${source}`;
}

/** Registers and StreamIDs in hexadecimal, a device or a set of registers on one line. */
function writeNumbersAsInTheManual(document: Document<Node>): void {
  visit(document, {
    Pair: (_, pair) => {
      if (!isScalar(pair.key)) return;
      const key = String(pair.key.value);
      if (isScalar(pair.value) && HEX_KEYS.test(key)) pair.value.format = "HEX";
    },
    Map: (_, map, ancestors) => {
      const within = ancestors.some((node) => isPair(node) && isScalar(node.key) && node.key.value === "simulated");
      map.flow = within && map.items.every((pair) => isScalar(pair.value) || isListOfScalars(pair.value));
    },
    Seq: (_, list, ancestors) => {
      const parent = ancestors.at(-1);
      if (!isPair(parent) || !isScalar(parent.key) || parent.key.value !== "stream_ids") return;
      for (const item of list.items) if (isScalar(item)) item.format = "HEX";
    },
  });
}

function isListOfScalars(value: unknown): boolean {
  return isSeq(value) && value.items.every((item) => isScalar(item));
}
