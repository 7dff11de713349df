import { describe, expect, test } from "vitest";
import { deviceID } from "../../../src/backends/ids.ts";
import { pageSize, pageToken, parsePageToken } from "../../../src/server/rpc/convert-device.ts";

test.each([
  [0, 100],
  [1, 1],
  [1000, 1000],
  [1001, 1000],
  [2 ** 32 - 1, 1000],
])("a page of %i devices is answered with at most %i", (asked, given) => {
  expect(pageSize(asked)).toBe(given);
});

describe("a page token", () => {
  test("leads back to the device it was made of", () => {
    expect(parsePageToken(pageToken(deviceID("0000:01:00.0")), "page_token")).toBe("0000:01:00.0");
  });

  test("that is empty is the start", () => {
    expect(parsePageToken("", "page_token")).toBeUndefined();
  });

  test.each([
    ["plain text", "0000:01:00.0"],
    ["base64 of something else", Buffer.from("before:a").toString("base64url")],
    ["base64 of no id", Buffer.from("after:").toString("base64url")],
    ["base64 of a malformed id", Buffer.from("after:a b").toString("base64url")],
    ["padded", `${Buffer.from("after:a").toString("base64url")}==`],
    ["followed by more", `${Buffer.from("after:a").toString("base64url")}!`],
    ["very long", "x".repeat(100_000)],
  ])("that is %s is refused", (_what, token) => {
    expect(() => parsePageToken(token, "page_token")).toThrow(/page_token: must be the next_page_token/);
  });
});
