// The kinds of values that settings have: whole numbers within bounds, one of some words, paths, sockets, TCP addresses.
// Each says itself what is wrong with a value.

import { z } from "zod";
import { tcpAddress } from "./address.ts";

export const OFF = "off";

export function count(byDefault: number, minimum: number, maximum: number, purpose: string) {
  const error = `must be a whole number from ${minimum} to ${maximum}`;
  return z.int({ error }).min(minimum, { error }).max(maximum, { error }).default(byDefault).describe(purpose);
}

export function choice<const T extends readonly [string, ...string[]]>(
  values: T,
  byDefault: T[number],
  purpose: string,
) {
  const error = `must be ${values.map((value) => `"${value}"`).join(" or ")}`;
  return z
    .enum(values, { error })
    .default(() => byDefault)
    .describe(purpose);
}

export const PATH_ERROR = 'must be an absolute path, or "runtime:" and a name within the runtime directory';

export function isPath(text: string): boolean {
  if (text.includes("\0")) return false;
  if (!text.startsWith("runtime:")) return text.startsWith("/");
  const name = text.slice("runtime:".length);
  return name !== "" && !name.startsWith("/") && !name.split("/").includes("..");
}

export const pathText = z.string({ error: PATH_ERROR }).refine(isPath, { error: PATH_ERROR });

export function socket(byDefault: string, purpose: string) {
  const error = `${PATH_ERROR}, or "off"`;
  return z
    .string({ error })
    .refine((text) => text === OFF || isPath(text), { error })
    .default(byDefault)
    .describe(purpose);
}

export function tcp(byDefault: string, purpose: string) {
  const error = 'must be "off" or an IP address with a port, like 127.0.0.1:9400 or [2001:db8::1]:9400';
  return z
    .string({ error })
    .refine((text) => text === OFF || tcpAddress(text) !== undefined, { error })
    .default(byDefault)
    .describe(purpose);
}
