import { describe, expect, test } from "vitest";
import { codec, iommubroker, MalformedMessage } from "../../../src/server/rpc/codec.ts";

const DEVICE_REQUEST = codec(iommubroker.v1.GetDeviceRequest);
const TAG_DEVICE = 0x0a; // field 1, length-delimited

describe("bytes that are no message", () => {
  test.each([
    ["a length beyond the end", [TAG_DEVICE, 0x7f, 0x61]],
    ["a varint that never ends", [TAG_DEVICE, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
    ["a tag without a value", [TAG_DEVICE]],
    ["a lone continuation byte in a string", [TAG_DEVICE, 0x01, 0x80]],
    ["an overlong encoding in a string", [TAG_DEVICE, 0x02, 0xc0, 0xaf]],
    ["half a surrogate pair in a string", [TAG_DEVICE, 0x03, 0xed, 0xa0, 0x80]],
    ["a wire type that does not exist", [0x0f]],
  ])("%s is refused as malformed", (_what, bytes) => {
    expect(() => DEVICE_REQUEST.decode(Uint8Array.from(bytes))).toThrow(MalformedMessage);
  });

  test("groups nested a thousand deep are refused and do not exhaust the stack", () => {
    const bytes = new Uint8Array(2000).fill(0x53); // start of group 10, again and again
    expect(() => DEVICE_REQUEST.decode(bytes)).toThrow(MalformedMessage);
  });
});

test("text outside ASCII survives as it is, a byte order mark included", () => {
  const text = "\ufeffgr\u00fc\u00df \u{1f680}";
  expect(DEVICE_REQUEST.decode(DEVICE_REQUEST.encode({ device: text })).device).toBe(text);
});

test("an unknown field is skipped", () => {
  const known = DEVICE_REQUEST.encode({ device: "devices/a" });
  const unknown = Buffer.of(0xfa, 0x01, 0x02, 0x00, 0x00); // field 31, two bytes
  expect(DEVICE_REQUEST.decode(Buffer.concat([unknown, known])).device).toBe("devices/a");
});
