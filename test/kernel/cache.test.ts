// The folder of what is slow to get: whole entries, or none.

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { cached, cacheFolder } from "./cache.ts";

let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "iommu-broker-cache-"));
  vi.stubEnv("IOMMU_E2E_CACHE", join(folder, "cache"));
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

test("IOMMU_E2E_CACHE is before XDG_CACHE_HOME, which is before the home folder", () => {
  expect(cacheFolder({ IOMMU_E2E_CACHE: "/a", XDG_CACHE_HOME: "/b" })).toBe("/a");
  expect(cacheFolder({ IOMMU_E2E_CACHE: "", XDG_CACHE_HOME: "/b" })).toBe("/b/iommu-broker");
  expect(cacheFolder({})).toMatch(/\/\.cache\/iommu-broker$/);
});

test("an entry is made once", async () => {
  const path = await cached("image", async (file) => writeFileSync(file, "first"));
  expect(path).toBe(join(cacheFolder(), "image"));
  expect(await cached("image", () => Promise.reject(new Error("made again")))).toBe(path);
  expect(readFileSync(path, "utf8")).toBe("first");
  expect(readdirSync(cacheFolder())).toEqual(["image"]);
});

test("of an entry whose making fails nothing stays", async () => {
  const making = cached("image", async (file) => {
    writeFileSync(file, "half");
    throw new Error("no more disk");
  });
  await expect(making).rejects.toThrow("no more disk");
  expect(existsSync(join(cacheFolder(), "image"))).toBe(false);
  expect(readdirSync(cacheFolder())).toEqual([]);
});

test("of two that make the same entry, both get the one that is there first", async () => {
  const make = (text: string) => cached("image", async (file) => writeFileSync(file, text));
  const [one, two] = await Promise.all([make("one"), make("two")]);
  expect(one).toBe(two);
  expect(readdirSync(cacheFolder())).toEqual(["image"]);
});

test("what a killed run left is deleted a day later", async () => {
  mkdirSync(join(cacheFolder(), "image.new-old"), { recursive: true });
  mkdirSync(join(cacheFolder(), "image.new-young"));
  const dayAgo = Date.now() / 1000 - 86_500;
  utimesSync(join(cacheFolder(), "image.new-old"), dayAgo, dayAgo);
  await cached("other", async (file) => writeFileSync(file, ""));
  expect(readdirSync(cacheFolder()).sort()).toEqual(["image.new-young", "other"]);
});
