import { expect, test } from "vitest";
import {
  isLabel,
  parseAnswer,
  parseRequest,
  putRequest,
  refusalAnswer,
  ticketAnswer,
} from "../../../src/server/fds/protocol.ts";

/** The bytes as docs/fd-exchange.md prints them. */
const PUT_RAM = Buffer.from("494f4644" + "01" + "01" + "01" + "03" + "72616d", "hex");

test("a put is the eleven bytes of the document", () => {
  expect(Buffer.from(putRequest("ram")).toString("hex")).toBe(PUT_RAM.toString("hex"));
  expect(parseRequest(PUT_RAM)).toEqual({ kind: "put", label: "ram" });
});

test("a request that is not all there is partial at every length", () => {
  for (let length = 0; length < PUT_RAM.length; length += 1) {
    expect(parseRequest(PUT_RAM.subarray(0, length)), `${length} bytes`).toEqual({ kind: "partial" });
  }
});

test.each([
  ["another magic", "58", "invalid"],
  ["a magic that goes wrong later", "494f4645", "invalid"],
  ["version 2", "494f4644" + "02010103" + "72616d", "unsupported"],
  ["operation 2", "494f4644" + "01020103" + "72616d", "unsupported"],
  ["kind 0", "494f4644" + "01010003" + "72616d", "unsupported"],
  ["an empty label", "494f4644" + "01010100", "invalid"],
  ["a label of 65 bytes", "494f4644" + "01010141", "invalid"],
  ["a byte too many", "494f4644" + "01010103" + "72616d6d", "invalid"],
  ["a space in the label", "494f4644" + "01010103" + "722061", "invalid"],
  ["a label that is not ASCII", "494f4644" + "01010102" + "c3a9", "invalid"],
])("%s is refused", (_, hex, status) => {
  expect(parseRequest(Buffer.from(hex, "hex"))).toMatchObject({ kind: "bad", status });
});

test("a ticket's answer is 44 bytes: header, 32 digits, milliseconds", () => {
  const ticket = "00112233445566778899aabbccddeeff";
  const bytes = Buffer.from(ticketAnswer(ticket, 10_000));
  // 10,000 = 0x2710, little-endian; 36 = 0x24 bytes follow the header.
  expect(bytes.toString("hex")).toBe(`494f464401002400${Buffer.from(ticket).toString("hex")}10270000`);
  expect(parseAnswer(bytes)).toEqual({ kind: "ticket", ticket, expiresMs: 10_000 });
  expect(parseAnswer(bytes.subarray(0, 43))).toBeUndefined();
});

test("a refusal carries its status and at most 1024 bytes of reason", () => {
  const bytes = Buffer.from(refusalAnswer("limit", "x".repeat(2000)));
  expect(bytes.subarray(0, 8).toString("hex")).toBe("494f4644" + "01" + "03" + "0004");
  expect(parseAnswer(bytes)).toEqual({ kind: "refused", status: "limit", why: "x".repeat(1024) });
});

test("a status of a later version is told as its number", () => {
  expect(parseAnswer(Buffer.from("494f4644" + "01" + "63" + "0100" + "41", "hex"))).toEqual({
    kind: "refused",
    status: "status 99",
    why: "A",
  });
});

test.each(["", " ", "a b", "é", "x".repeat(65), "a\n"])("%j is no label", (text) => {
  expect(isLabel(text)).toBe(false);
});
