// Requests by chance, valid on the wire: every field of every message, with names of what is there among its strings.

import protobuf from "protobufjs";
import type { Chance } from "./fuzz-chance.ts";

const DEPTH_MAX = 5;
const ITEMS_MAX = 4;
const EDGES = [0, 1, 2, 3, 7, 8, 63, 64, 255, 4096, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
const EDGES_64 = ["0", "1", "4096", "1073741824", "4503599627370496", "9007199254740993", "18446744073709551615"];

/** @param names  what strings are mostly made of */
export function randomMessage(chance: Chance, type: protobuf.Type, names: readonly string[]): Buffer {
  return Buffer.from(type.encode(type.fromObject(fieldsOf(chance, type, names, 0))).finish());
}

function fieldsOf(chance: Chance, type: protobuf.Type, names: readonly string[], depth: number): object {
  const fields: [string, unknown][] = [];
  for (const field of type.fieldsArray) {
    if (chance.once(4)) continue;
    const one = (): unknown => fieldValue(chance, field, names, depth);
    if (field instanceof protobuf.MapField) fields.push([field.name, { [chance.of(names)]: one() }]);
    else if (field.repeated) fields.push([field.name, Array.from({ length: chance.below(ITEMS_MAX) }, one)]);
    else fields.push([field.name, one()]);
  }
  return Object.fromEntries(fields.filter(([, value]) => value !== undefined));
}

function fieldValue(chance: Chance, field: protobuf.Field, names: readonly string[], depth: number): unknown {
  if (field.resolvedType instanceof protobuf.Type) {
    return depth < DEPTH_MAX ? fieldsOf(chance, field.resolvedType, names, depth + 1) : undefined;
  }
  if (field.resolvedType instanceof protobuf.Enum) return chance.once(8) ? chance.below(100) : chance.below(5);
  if (field.name === "requestId" && !chance.once(4)) return ""; // else most calls would be each other's replays
  switch (field.type) {
    case "bool":
      return chance.once(2);
    case "string":
      return chance.once(8)
        ? String.fromCodePoint(...Array.from({ length: 9 }, () => chance.below(0xd800)))
        : chance.of(names);
    case "bytes":
      return Buffer.from(Array.from({ length: chance.below(40) }, () => chance.below(256)));
    case "uint64":
    case "fixed64":
      return chance.once(4) ? String(chance.bits()) : chance.of(EDGES_64);
    default:
      return chance.once(4) ? chance.bits() : chance.of(EDGES);
  }
}
