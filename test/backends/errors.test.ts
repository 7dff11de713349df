import { expect, test } from "vitest";
import { BrokerError, invalidField, limitReached } from "../../src/backends/errors.ts";

test("an error carries its code, its facts and its cause, and no field unless one is at fault", () => {
  const cause = new Error("below");
  const error = new BrokerError("backend_failed", "it broke", { errno: 5 }, { cause, retryAfterMs: 7 });
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({
    name: "BrokerError",
    code: "backend_failed",
    facts: { errno: 5 },
    fields: [],
    retryAfterMs: 7,
  });
  expect(error.cause).toBe(cause);
  expect(new BrokerError("draining", "later")).toMatchObject({ facts: {}, fields: [], retryAfterMs: undefined });
});

test("a malformed field is named by its path", () => {
  const error = invalidField("mappings[3].ipa", "must be a multiple of 4096", { ipa: "0x1" });
  expect(error).toMatchObject({
    code: "argument_invalid",
    message: "mappings[3].ipa: must be a multiple of 4096",
    facts: { ipa: "0x1" },
    fields: [{ path: "mappings[3].ipa", description: "must be a multiple of 4096" }],
  });
});

test("a limit is named with its value, the way out, and when to try again", () => {
  const error = limitReached("sessions_max", 64, "close one");
  expect(error).toMatchObject({
    code: "limit_reached",
    facts: { limit: "sessions_max", maximum: 64 },
    retryAfterMs: 1000,
  });
  expect(error.message).toBe("limit sessions_max (64) reached: close one");
});
