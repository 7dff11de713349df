import { describe, expect, test } from "vitest";
import { BrokerError, invalidField } from "../../../src/backends/errors.ts";
import { allOf, at, displayName, eachOf, integer, requestID } from "../../../src/server/rpc/field.ts";

function refused(parse: () => unknown): BrokerError {
  try {
    parse();
  } catch (error) {
    if (error instanceof BrokerError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

function bad(path: string): () => never {
  return () => {
    throw invalidField(path, "is wrong");
  };
}

describe("allOf", () => {
  test("gives what every parser returned, undefined included", () => {
    expect(allOf({ a: () => 1, b: () => undefined, c: () => "x" })).toEqual({ a: 1, b: undefined, c: "x" });
  });

  test("passes a single refusal on as it is, facts and all", () => {
    const refusal = new BrokerError(
      "vste_invalid",
      "no",
      { field: "EATS" },
      { fields: [{ path: "p", description: "d" }] },
    );
    const parse = () => {
      throw refusal;
    };
    expect(refused(() => allOf({ a: () => 1, b: parse }))).toBe(refusal);
  });

  test("gathers the violations of all, in order, and names the first few in the message", () => {
    const error = refused(() => allOf({ a: bad("a"), b: () => 1, c: bad("c"), d: bad("d"), e: bad("e"), f: bad("f") }));
    expect(error.fields.map(({ path }) => path)).toEqual(["a", "c", "d", "e", "f"]);
    expect(error.message).toBe("a: is wrong; c: is wrong; d: is wrong; e: is wrong; and 1 more");
  });

  test("lets an error that is not about a value through at once", () => {
    const unsupported = () => {
      throw new BrokerError("backend_unsupported", "cannot");
    };
    expect(refused(() => allOf({ a: bad("a"), b: unsupported, c: bad("c") })).code).toBe("backend_unsupported");
    expect(() => allOf({ a: () => JSON.parse("{") })).toThrow(SyntaxError);
  });
});

test("eachOf names each refused item by its index", () => {
  const parse = (value: number, path: string) => integer(value, path, { min: 0, max: 9 });
  expect(eachOf([1, 2], "list", parse)).toEqual([1, 2]);
  expect(refused(() => eachOf([10, 1, 11], "list", parse)).fields.map(({ path }) => path)).toEqual([
    "list[0]",
    "list[2]",
  ]);
});

test("ten thousand violations give a short message and every field", () => {
  const items = Array.from({ length: 10_000 }, () => 1);
  const error = refused(() => eachOf(items, "list", (_item, path) => bad(path)()));
  expect(error.fields).toHaveLength(10_000);
  expect(error.message.length).toBeLessThan(300);
});

test("at gives an inner refusal the field's path, and leaves other errors alone", () => {
  const inner = () => {
    throw new BrokerError("argument_invalid", "does not fit", { bits: 31 });
  };
  const error = refused(() => at("iommu_group", inner));
  expect([error.fields, error.facts]).toEqual([[{ path: "iommu_group", description: "does not fit" }], { bits: 31 }]);
  const unknown = () => {
    throw new BrokerError("device_unknown", "none");
  };
  expect(refused(() => at("device", unknown)).fields).toEqual([]);
});

test.each([
  [0, true],
  [9, true],
  [-1, false],
  [10, false],
  [Number.NaN, false],
])("integer with bounds 0 to 9: %s is accepted: %s", (value, accepted) => {
  const parse = () => integer(value, "n", { min: 0, max: 9 });
  if (accepted) expect(parse()).toBe(value);
  else expect(parse).toThrow("n: must be 0 to 9");
});

test("characters are counted as people count them, not in UTF-16", () => {
  expect(requestID("\u{1f680}".repeat(64))).toHaveLength(128);
  expect(() => requestID("\u{1f680}".repeat(65))).toThrow("at most 64");
  expect(displayName("\u{1f680}".repeat(128), "display_name")).toHaveLength(256);
  expect(() => displayName("\u{1f680}".repeat(129), "display_name")).toThrow("1 to 128");
});
