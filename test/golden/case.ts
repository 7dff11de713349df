// A golden case as it lies on disk: case.json.gz and pages.bin.gz in a folder of its own.
// Loads and validates; what is wrong is said with the folder's name, and nothing is guessed.
// The format is described in README.md.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { z } from "zod";

export const PAGE_BYTES = 4096;

const hexNumber = z.string().regex(/^0x[0-9a-f]+$/i);
const address = hexNumber.transform((text) => Number(text));
const raw32 = z.string().regex(/^[0-9a-f]{64}$/i);
const masked = z.object({ value: raw32, mask: raw32 });

const result = z.looseObject({
  pa: address.optional(),
  page_size: address.optional(),
  bypass: z.boolean().optional(),
  fault: z.string().optional(),
  stage: z.union([z.literal(1), z.literal(2)]).optional(),
  class: z.enum(["CD", "TTD", "IN"]).optional(),
  ipa: address.optional(),
  fetch_addr: address.optional(),
  response: z.enum(["abort", "raz_wi"]).optional(),
  unrecorded: z.boolean().optional(),
  writes: z.array(z.object({ address, value: hexNumber })).optional(),
});

const translation = z.looseObject({
  stream_id: address.optional(),
  iova: hexNumber,
  ssid: z.number().int().nullable(),
  access: z.enum(["r", "w", "x"]),
  privileged: z.boolean().optional(),
  result,
  event: raw32.optional(),
  event_fixed: masked.optional(),
  from: z.string(),
  how: z.string().optional(),
});

const caseFile = z.looseObject({
  name: z.string(),
  title: z.string().optional(),
  registers: z.record(z.string(), hexNumber),
  ram: z.array(z.object({ base: address, size: address })).min(1),
  stream_id: address.nullable(),
  ste: z.array(hexNumber).length(8).nullable().optional(),
  cd: z.array(hexNumber).length(8).nullable().optional(),
  cd_address: address.nullable().optional(),
  privileged: z.boolean().optional(),
  pages: z.array(z.object({ address, offset: z.number().int().nonnegative() })),
  translations: z.array(translation),
  events: z.array(z.looseObject({ raw: raw32, event_fixed: masked.optional() })).optional(),
});

const indexFile = z.array(z.looseObject({ name: z.string(), translations: z.number(), events: z.number() }));

export type GoldenCase = z.infer<typeof caseFile> & { readonly pageBytes: Uint8Array };
export type GoldenTranslation = z.infer<typeof translation>;
export type GoldenResult = z.infer<typeof result>;
export type MaskedRecord = z.infer<typeof masked>;
export type GoldenIndex = z.infer<typeof indexFile>;

/** @throws Error that names the folder and what is wrong with it */
export function loadCase(folder: string): GoldenCase {
  try {
    const parsed: unknown = JSON.parse(gunzipSync(readFileSync(join(folder, "case.json.gz"))).toString("utf8"));
    const pageBytes = gunzipSync(readFileSync(join(folder, "pages.bin.gz")));
    const found = { ...caseFile.parse(parsed), pageBytes };
    for (const page of found.pages) {
      if (page.offset + PAGE_BYTES > pageBytes.length) throw new Error(`page at offset ${page.offset} is not there`);
    }
    return found;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`${basename(folder)}: unreadable case: ${reason}`, { cause });
  }
}

/** Folders that hold a case: `root` itself, or one or two levels below it; by name. */
export function findCases(root: string): string[] {
  return foldersFrom(root).filter((folder) => existsSync(join(folder, "case.json.gz")));
}

/** Every INDEX.json at `root` or below, with the cases it promises. */
export function findIndexes(root: string): { readonly file: string; readonly cases: GoldenIndex }[] {
  return foldersFrom(root)
    .map((folder) => join(folder, "INDEX.json"))
    .filter((file) => existsSync(file))
    .map((file) => {
      const parsed: unknown = JSON.parse(readFileSync(file, "utf8"));
      return { file, cases: indexFile.parse(parsed) };
    });
}

const DEPTH_MAX = 2;

function foldersFrom(root: string, depth = 0): string[] {
  const found = [root];
  if (depth === DEPTH_MAX || existsSync(join(root, "case.json.gz"))) return found;
  const entries = readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) found.push(...foldersFrom(join(root, entry.name), depth + 1));
  return found;
}
