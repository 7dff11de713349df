import { describe, expect, test } from "vitest";
import {
  descriptorsAnswer,
  isLabel,
  parseAnswer,
  parseRequest,
  parseTaken,
  putRequest,
  refusalAnswer,
  takeRequest,
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

describe("take", () => {
  const TICKET = "0123456789abcdef".repeat(2);

  test("is operation 2 of kind 2 with the ticket for a label", () => {
    const bytes = takeRequest(TICKET);
    expect(Buffer.from(bytes).toString("latin1")).toBe(`IOFD\x01\x02\x02\x20${TICKET}`);
    expect(parseRequest(bytes)).toEqual({ kind: "take", ticket: TICKET });
  });

  test.each([
    ["memory for a kind", "IOFD\x01\x02\x01\x20", "unsupported"],
    ["put of a device", "IOFD\x01\x01\x02\x20", "unsupported"],
    ["operation 3", "IOFD\x01\x03\x02\x20", "unsupported"],
  ])("with %s is refused", (_what, header, status) => {
    expect(parseRequest(Buffer.from(header + TICKET, "latin1"))).toMatchObject({ kind: "bad", status });
  });

  test("with what is no ticket is refused", () => {
    const bytes = Buffer.from(`IOFD\x01\x02\x02\x20${TICKET.toUpperCase()}`, "latin1");
    expect(parseRequest(bytes)).toMatchObject({ kind: "bad", status: "invalid" });
  });

  test("is answered with the number of descriptors and a label for each, lengths before them", () => {
    const bytes = descriptorsAnswer(["iommufd", "vfio-cdev"]);
    expect(Buffer.from(bytes).toString("latin1")).toBe("IOFD\x01\x00\x13\x00\x02\x07iommufd\x09vfio-cdev");
    expect(parseTaken(bytes)).toEqual({ kind: "taken", labels: ["iommufd", "vfio-cdev"] });
    for (let cut = 0; cut < bytes.length; cut += 1) expect(parseTaken(bytes.subarray(0, cut))).toBeUndefined();
  });

  test("is answered like put when it is refused, and a label that goes past the end is no answer", () => {
    expect(parseTaken(refusalAnswer("denied", "no"))).toEqual({ kind: "refused", status: "denied", why: "no" });
    expect(parseTaken(Buffer.from("IOFD\x01\x00\x03\x00\x01\x09v", "latin1"))).toBeUndefined();
  });
});
