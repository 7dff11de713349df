import { readFileSync } from "node:fs";
import { join } from "node:path";
import descriptor from "protobufjs/ext/descriptor/index.js";
import { describe, expect, test } from "vitest";
import * as generated from "../../../src/server/rpc/generated/messages.js";
import { BROKER, SIMULATOR } from "../../../src/server/rpc/services.ts";

interface DeclaredMethod {
  readonly name: string;
  readonly inputType: string;
  readonly outputType: string;
  readonly clientStreaming: boolean;
  readonly serverStreaming: boolean;
}

/** The RPCs that the protos declare, by service, from the descriptors that reflection serves. */
function declared(): Map<string, readonly DeclaredMethod[]> {
  const bytes = readFileSync(join(import.meta.dirname, "../../../src/server/rpc/generated/descriptors.binpb"));
  const services = new Map<string, readonly DeclaredMethod[]>();
  for (const file of descriptor.FileDescriptorSet.decode(bytes).toJSON().file) {
    for (const service of file.service ?? []) services.set(`${file.package}.${service.name}`, service.method);
  }
  return services;
}

describe.each([
  ["iommubroker.v1.IommuBroker", BROKER],
  ["iommubroker.v1.Simulator", SIMULATOR],
])("%s", (service, table) => {
  const methods = declared().get(service) ?? [];

  test("the table has every RPC of the proto and no other", () => {
    expect(Object.values(table).map((method) => method.name)).toEqual(methods.map((method) => method.name));
    expect(Object.values(table).every((method) => method.service === service)).toBe(true);
  });

  test.each(methods.map((method) => [method.name, method] as const))(
    "%s has its path, its streams and its types",
    (name, method) => {
      const entry = Object.values(table).find((candidate) => candidate.name === name);
      expect(entry?.path).toBe(`/${service}/${name}`);
      expect(entry?.kind).toBe(
        method.clientStreaming ? "bidi_stream" : method.serverStreaming ? "server_stream" : "unary",
      );
      expect(typeOf(entry?.request.decode(new Uint8Array()))).toBe(method.inputType);
      expect(typeOf(entry?.response.decode(new Uint8Array()))).toBe(method.outputType);
    },
  );
});

/** The full name of a decoded message, found by its constructor in the generated namespaces. */
function typeOf(message: unknown): string | undefined {
  const types: Record<string, unknown> = { ...generated.iommubroker.v1 };
  const name = Object.keys(types).find((key) => {
    const type = types[key];
    return typeof type === "function" && message instanceof type;
  });
  return name === undefined ? undefined : `.iommubroker.v1.${name}`;
}
