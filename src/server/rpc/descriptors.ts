// The descriptors of every .proto, as reflection serves them: the raw bytes of each file, and which file declares what.
// The bytes are buf's, passed on untouched; descriptors rebuilt from a loaded schema lose map entries and options, and
// clients then refuse them.
// Source: google/protobuf/descriptor.proto; a FileDescriptorSet is field 1, repeated FileDescriptorProto.

import { readFileSync } from "node:fs";
import protobuf from "protobufjs/minimal.js";

/** One .proto file. */
interface DescribedFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly dependencies: readonly string[];
}

export class Descriptors {
  readonly #files = new Map<string, DescribedFile>();
  readonly #fileOfSymbol = new Map<string, string>();
  readonly #extensions = new Map<string, Map<number, string>>();

  /** Throws when a file is imported that is not there: a client could resolve nothing that uses it. */
  constructor(descriptorSet: Uint8Array) {
    for (const bytes of fields(descriptorSet).bytes(1)) this.#add(bytes);
    for (const name of [...this.#files.values()].flatMap((file) => file.dependencies)) this.#file(name);
  }

  /** The file and every file it imports, directly or not; undefined for a name that is not there. */
  byFilename(name: string): readonly Uint8Array[] | undefined {
    const file = this.#files.get(name);
    if (file === undefined) return undefined;
    const found = new Map<string, DescribedFile>();
    const visit = (at: DescribedFile): void => {
      if (found.has(at.name)) return;
      found.set(at.name, at);
      for (const dependency of at.dependencies) visit(this.#file(dependency));
    };
    visit(file);
    return [...found.values()].map((each) => each.bytes);
  }

  /** Of the file that declares a message, field, oneof, enum, enum value, service, method or extension. */
  bySymbol(symbol: string): readonly Uint8Array[] | undefined {
    const name = this.#fileOfSymbol.get(symbol);
    return name === undefined ? undefined : this.byFilename(name);
  }

  byExtension(containingType: string, number: number): readonly Uint8Array[] | undefined {
    const name = this.#extensions.get(containingType)?.get(number);
    return name === undefined ? undefined : this.byFilename(name);
  }

  /** Undefined for a type that is not there; empty for one that nobody extends. */
  extensionNumbers(type: string): readonly number[] | undefined {
    if (!this.#fileOfSymbol.has(type)) return undefined;
    return [...(this.#extensions.get(type)?.keys() ?? [])];
  }

  #file(name: string): DescribedFile {
    const file = this.#files.get(name);
    if (file === undefined) throw new Error(`the descriptors lack ${name}: run npm run generate`);
    return file;
  }

  #add(bytes: Uint8Array): void {
    const file = fields(bytes);
    const name = file.text(1);
    this.#files.set(name, { name, bytes, dependencies: file.texts(3) });
    const scope = file.text(2);
    for (const message of file.bytes(4)) this.#addMessage(message, scope, name);
    for (const enumeration of file.bytes(5)) this.#addEnum(enumeration, scope, name);
    for (const service of file.bytes(6)) this.#addWithMembers(service, scope, name, [2]);
    for (const extension of file.bytes(7)) this.#addExtension(extension, scope, name);
  }

  #addMessage(bytes: Uint8Array, scope: string, file: string): void {
    const within = this.#addWithMembers(bytes, scope, file, [2, 8]);
    const message = fields(bytes);
    for (const nested of message.bytes(3)) this.#addMessage(nested, within, file);
    for (const enumeration of message.bytes(4)) this.#addEnum(enumeration, within, file);
    for (const extension of message.bytes(6)) this.#addExtension(extension, within, file);
  }

  /** The values of an enum are its siblings, as in C++. */
  #addEnum(bytes: Uint8Array, scope: string, file: string): void {
    const enumeration = fields(bytes);
    this.#fileOfSymbol.set(joined(scope, enumeration.text(1)), file);
    for (const value of enumeration.bytes(2)) this.#fileOfSymbol.set(joined(scope, fields(value).text(1)), file);
  }

  #addExtension(bytes: Uint8Array, scope: string, file: string): void {
    const extension = fields(bytes);
    this.#fileOfSymbol.set(joined(scope, extension.text(1)), file);
    const extendee = extension.text(2).replace(/^\./, "");
    const numbers = this.#extensions.get(extendee) ?? new Map<number, string>();
    this.#extensions.set(extendee, numbers.set(extension.number(3), file));
  }

  /** Adds what is named in field 1 and, beneath it, what is named in field 1 of each of `members`. */
  #addWithMembers(bytes: Uint8Array, scope: string, file: string, members: readonly number[]): string {
    const described = fields(bytes);
    const name = joined(scope, described.text(1));
    this.#fileOfSymbol.set(name, file);
    for (const member of members.flatMap((number) => described.bytes(number))) {
      this.#fileOfSymbol.set(joined(name, fields(member).text(1)), file);
    }
    return name;
  }
}

let loaded: Descriptors | undefined;

/** The descriptors that scripts/generate.ts made from proto/, read when somebody asks for the first time: few ever do. */
export function loadDescriptors(): Descriptors {
  loaded ??= new Descriptors(readFileSync(new URL("./generated/descriptors.binpb", import.meta.url)));
  return loaded;
}

function joined(scope: string, name: string): string {
  return scope === "" ? name : `${scope}.${name}`;
}

interface Fields {
  bytes(number: number): readonly Uint8Array[];
  texts(number: number): readonly string[];
  /** The last one, empty when there is none. */
  text(number: number): string;
  number(number: number): number;
}

const VARINT = 0;
const LENGTH_DELIMITED = 2;

/** A message read without its schema: descriptor.proto has only strings, messages and varints where we look. */
function fields(message: Uint8Array): Fields {
  const reader = protobuf.Reader.create(message);
  const delimited = new Map<number, Uint8Array[]>();
  const varints = new Map<number, number>();
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    const number = Math.floor(tag / 8);
    if (tag % 8 === LENGTH_DELIMITED) delimited.set(number, [...(delimited.get(number) ?? []), reader.bytes()]);
    else if (tag % 8 === VARINT) varints.set(number, reader.int32());
    else reader.skipType(tag % 8);
  }
  const bytes = (number: number): readonly Uint8Array[] => delimited.get(number) ?? [];
  const texts = (number: number): readonly string[] => bytes(number).map((each) => Buffer.from(each).toString("utf8"));
  return { bytes, texts, text: (number) => texts(number).at(-1) ?? "", number: (number) => varints.get(number) ?? 0 };
}
