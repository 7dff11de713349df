import { expect, test } from "vitest";
import { systemClock } from "../../src/server/clock.ts";
import { cryptoIdentifiers } from "../../src/server/identifiers.ts";

test("tokens are 256 random bits in characters that fit a header", () => {
  const tokens = new Set(Array.from({ length: 1000 }, () => cryptoIdentifiers.token()));
  expect(tokens.size).toBe(1000);
  for (const token of tokens) expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/);
});

test("a digest is SHA-256: the same for the same token, and not the token", () => {
  const digest = cryptoIdentifiers.digest("abc");
  expect(Buffer.from(digest, "base64url").toString("hex")).toBe(
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  );
  expect(cryptoIdentifiers.digest("abd")).not.toBe(digest);
});

test("uuids are version 4 and differ", () => {
  expect(cryptoIdentifiers.uuid()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(cryptoIdentifiers.uuid()).not.toBe(cryptoIdentifiers.uuid());
});

test("monotonic time does not go back, and wall time is the time of day", () => {
  const first = systemClock.monotonicMs();
  expect(systemClock.monotonicMs()).toBeGreaterThanOrEqual(first);
  expect(Math.abs(systemClock.wallMs() - Date.now())).toBeLessThan(1000);
});
