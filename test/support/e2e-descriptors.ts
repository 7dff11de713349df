// The fields of every request message, from the descriptors that the daemon serves by reflection: what a table of bad
// input must name, and which paths a BadRequest may have.

import { readFileSync } from "node:fs";
import protobuf from "protobufjs";
import "protobufjs/ext/descriptor/index.js";

const FILE = new URL("../../src/server/rpc/generated/descriptors.binpb", import.meta.url);

interface FromDescriptor {
  fromDescriptor(set: Uint8Array): protobuf.Root;
}

const root = loadRoot();

function loadRoot(): protobuf.Root {
  const source: unknown = protobuf.Root; // the extension adds fromDescriptor; its types do not say so
  if (!hasFromDescriptor(source)) throw new Error("protobufjs/ext/descriptor is not loaded");
  const loaded = source.fromDescriptor(readFileSync(FILE));
  loaded.resolveAll();
  return loaded;
}

function hasFromDescriptor(value: unknown): value is FromDescriptor {
  return typeof value === "function" && "fromDescriptor" in value;
}

/** "MapMemory" to the request's field paths, without indices: "mappings.ipa". Messages inside messages included. */
export function requestFields(service: string): ReadonlyMap<string, readonly string[]> {
  const methods = root.lookupService(service).methodsArray;
  return new Map(
    methods.map((method) => [method.name, [...fieldsOf(root.lookupType(`iommubroker.v1.${shortName(method)}`), "")]]),
  );
}

function shortName(method: protobuf.Method): string {
  return method.requestType.split(".").at(-1) ?? "";
}

function* fieldsOf(type: protobuf.Type, prefix: string): Generator<string> {
  for (const field of type.fieldsArray) {
    const path = `${prefix}${field.name}`;
    yield path;
    if (field instanceof protobuf.MapField) yield `${path}.key`;
    else if (field.resolvedType instanceof protobuf.Type) yield* fieldsOf(field.resolvedType, `${path}.`);
  }
}

/** True when a BadRequest's path names a field, an item or a oneof of the request: "mappings[3].ipa", "config". */
export function isRequestPath(service: string, method: string, path: string): boolean {
  const found = root.lookupService(service).methods[method];
  if (!found) return false;
  return steps(root.lookupType(`iommubroker.v1.${shortName(found)}`), path.replace(/\["[^"]*"\]/g, "").split("."));
}

function steps(type: protobuf.Type, [first = "", ...rest]: readonly string[]): boolean {
  const field = type.fields[first.replace(/\[\d+\]$/, "")];
  if (field === undefined) return rest.length === 0 && first in (type.oneofs ?? {});
  if (first.endsWith("]") && !field.repeated) return false;
  if (rest.length === 0) return true;
  return field.resolvedType instanceof protobuf.Type && steps(field.resolvedType, rest);
}

/**
 * "/iommubroker.v1.IommuBroker/MapMemory" to the type of its request, for every unary call.
 * @param streams  names of streams that are wanted too
 */
export function requestTypes(...streams: readonly string[]): ReadonlyMap<string, protobuf.Type> {
  const types = ["iommubroker.v1.IommuBroker", "iommubroker.v1.Simulator"].flatMap((service) =>
    root
      .lookupService(service)
      .methodsArray.filter(
        (method) => (!method.requestStream && !method.responseStream) || streams.includes(method.name),
      )
      .map((method) => [`/${service}/${method.name}`, root.lookupType(`iommubroker.v1.${shortName(method)}`)] as const),
  );
  return new Map(types);
}

/** One field of one unary request, and how to send just it. */
export interface FieldSpot {
  /** "MapMemory" */
  readonly rpc: string;
  /** "/iommubroker.v1.IommuBroker/MapMemory" */
  readonly method: string;
  /** "mappings.ipa" */
  readonly path: string;
  /** As the schema spells it: "uint64". */
  readonly type: string;
  readonly number: number;
  /** A request with these bytes where the field stands, inside its messages. */
  readonly wrap: (field: Uint8Array) => Buffer;
}

/** Every field of every unary request. */
export function fieldSpots(): readonly FieldSpot[] {
  return ["iommubroker.v1.IommuBroker", "iommubroker.v1.Simulator"].flatMap((service) =>
    root
      .lookupService(service)
      .methodsArray.filter((method) => !method.requestStream && !method.responseStream)
      .flatMap((method) => {
        const rpc = { rpc: method.name, method: `/${service}/${method.name}` };
        const type = root.lookupType(`iommubroker.v1.${shortName(method)}`);
        return [...spotsOf(type, "", (bytes) => Buffer.from(bytes))].map((spot) => ({ ...rpc, ...spot }));
      }),
  );
}

function* spotsOf(
  type: protobuf.Type,
  prefix: string,
  wrap: FieldSpot["wrap"],
): Generator<Omit<FieldSpot, "rpc" | "method">> {
  for (const field of type.fieldsArray) {
    const path = `${prefix}${field.name}`;
    yield { path, type: field.type, number: field.id, wrap };
    if (!(field.resolvedType instanceof protobuf.Type)) continue;
    const inside = (bytes: Uint8Array): Buffer => wrap(Buffer.from([field.id * 8 + 2, bytes.length, ...bytes]));
    yield* spotsOf(field.resolvedType, `${path}.`, inside);
  }
}
