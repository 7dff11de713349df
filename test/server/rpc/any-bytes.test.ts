import * as grpc from "@grpc/grpc-js";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { BROKER, SIMULATOR } from "../../../src/server/rpc/services.ts";
import { rawCall } from "../../support/raw-call.ts";
import { serve } from "../../support/rpc-server.ts";

const METHODS = [...Object.values(BROKER), ...Object.values(SIMULATOR)].filter(({ kind }) => kind === "unary");

test.each(METHODS.map(({ name, path }) => [name, path] as const))(
  "%s answers any bytes at all with a status, and none of them is a bug",
  async (_name, path) => {
    const server = await serve();
    const { token } = await server.session();
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc.array(plausibleField(), { maxLength: 8 }).map(joined),
    );
    await fc.assert(
      fc.asyncProperty(anything, async (bytes) => {
        const error = await rawCall(server, path, bytes, { "iommubroker-session-token": token });
        if (error !== undefined) expect(ANSWERS).toContain(grpc.status[error.code]);
      }),
      { numRuns: 60 },
    );
    expect(server.bugs).toEqual([]);
  },
);

const ANSWERS = [
  ...["INVALID_ARGUMENT", "RESOURCE_EXHAUSTED", "UNIMPLEMENTED", "NOT_FOUND", "ALREADY_EXISTS"],
  "UNAUTHENTICATED", // once CloseSession has been drawn
];

/** A field as some message here might have it: a small number, and a value of any wire type. */
function plausibleField(): fc.Arbitrary<Uint8Array> {
  const text = fc.constantFrom("devices/0000:01:00.0", "", "iommus/a", "x".repeat(100), "addressSpaces/", "\u0000");
  return fc.oneof(
    fc.tuple(fc.integer({ min: 1, max: 10 }), fc.constantFrom(0, 1, 127)).map(([n, v]) => Uint8Array.of(n * 8, v)),
    fc.integer({ min: 1, max: 10 }).map((n) => Uint8Array.of(n * 8 + 1, 255, 255, 255, 255, 255, 255, 255, 255)),
    fc.tuple(fc.integer({ min: 1, max: 10 }), text).map(([n, t]) => Buffer.of(n * 8 + 2, t.length, ...Buffer.from(t))),
    fc
      .tuple(fc.integer({ min: 1, max: 10 }), fc.uint8Array({ maxLength: 20 }))
      .map(([n, inner]) => Uint8Array.of(n * 8 + 2, inner.length, ...inner)),
  );
}

function joined(fields: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(fields);
}
