// Looks into a zod schema: the fields of an object, the element of an array, below defaults and refinements.

import type { z } from "zod";

/** The schema below its defaults. */
export function unwrapped(schema: z.core.$ZodType): z.core.$ZodType {
  const inner: unknown = Reflect.get(schema._zod.def, "innerType");
  return isSchema(inner) ? unwrapped(inner) : schema;
}

/** The fields of an object schema; none for any other. */
export function shapeOf(schema: z.core.$ZodType): Readonly<Record<string, z.core.$ZodType>> {
  const inner = unwrapped(schema);
  return isObject(inner) ? inner._zod.def.shape : {};
}

/** The schema at `path` below `schema`, or undefined when there is none. */
export function schemaAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): z.core.$ZodType | undefined {
  let at: z.core.$ZodType | undefined = schema;
  for (const step of path) {
    if (at === undefined) return undefined;
    at = typeof step === "number" ? elementOf(at) : shapeOf(at)[String(step)];
  }
  return at;
}

/** What zod says it is for: the text of describe(), on whichever layer it was put. */
export function purposeOf(schema: z.core.$ZodType): string | undefined {
  const description: unknown = Reflect.get(schema, "description");
  return typeof description === "string" ? description : undefined;
}

function elementOf(schema: z.core.$ZodType): z.core.$ZodType | undefined {
  const element: unknown = Reflect.get(unwrapped(schema)._zod.def, "element");
  return isSchema(element) ? element : undefined;
}

function isSchema(value: unknown): value is z.core.$ZodType {
  return typeof value === "object" && value !== null && "_zod" in value;
}

function isObject(schema: z.core.$ZodType): schema is z.core.$ZodObject {
  return schema._zod.def.type === "object";
}
