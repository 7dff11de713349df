import { crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import { encodeFrame, scanFrames } from "../../../src/server/store/frame.ts";

const PAYLOADS = [[{ a: 1 }], [{ b: "grüß" }, { c: null }], [{ d: [1, 2, 3] }]];
const FRAMES = PAYLOADS.map((payload, index) => encodeFrame(index + 7, payload));
const FILE = Buffer.concat(FRAMES);

test("frames come back in order, with their numbers and places", () => {
  const { frames, end } = scanFrames(FILE, 7);
  expect(frames.map(({ payload }) => payload)).toEqual(PAYLOADS);
  expect(frames.map(({ number }) => number)).toEqual([7, 8, 9]);
  expect(frames.map(({ offset }) => offset)).toEqual([0, FRAMES[0]!.length, FRAMES[0]!.length + FRAMES[1]!.length]);
  expect(end).toEqual({ kind: "clean" });
});

test("the header's bytes are as the format says", () => {
  const text = Buffer.from('["x"]');
  const frame = encodeFrame(0x1_0203, ["x"]);
  expect(frame.subarray(0, 20).toString("hex")).toBe("494f4a46010000000302010000000000" + "05000000");
  expect(frame.readUInt32LE(20)).toBe(crc32(text));
  expect(frame.readUInt32LE(24)).toBe(crc32(frame.subarray(0, 24)));
  expect(frame.subarray(28).toString("latin1")).toBe('\0\0\0\0["x"]');
});

test("cut at any byte, the whole frames before it are there and the rest is a torn write", () => {
  const ends = [0, FRAMES[0]!.length, FRAMES[0]!.length + FRAMES[1]!.length, FILE.length];
  for (let cut = 0; cut <= FILE.length; cut++) {
    const { frames, end } = scanFrames(FILE.subarray(0, cut), 7);
    const whole = ends.findLastIndex((each) => each <= cut);
    expect(frames.length, `cut at ${cut}`).toBe(whole);
    const isClean = ends.includes(cut);
    expect(end, `cut at ${cut}`).toEqual(isClean ? { kind: "clean" } : { kind: "torn", offset: ends[whole] });
  }
});

test("one byte changed anywhere is never taken for a record", () => {
  const last = FRAMES[0]!.length + FRAMES[1]!.length;
  for (let at = 0; at < FILE.length; at++) {
    const changed = Buffer.from(FILE);
    changed[at] = 255 - changed[at]!;
    const { frames, end } = scanFrames(changed, 7);
    const isPadding = [0, FRAMES[0]!.length, last].some((start) => at >= start + 28 && at < start + 32);
    if (isPadding) continue; // four bytes that nothing reads
    const kind = at < last ? "damaged" : "torn";
    expect(end.kind, `byte ${at}`).toBe(kind);
    expect(
      frames.map(({ payload }) => payload),
      `byte ${at}`,
    ).toEqual(PAYLOADS.slice(0, frames.length));
  }
});

describe("what follows damage", () => {
  test("is told, frame by frame", () => {
    const changed = Buffer.from(FILE);
    changed.writeUInt8(0, 40);
    const { end } = scanFrames(changed, 7);
    expect(end).toMatchObject({ kind: "damaged", offset: 0, after: [{ number: 8 }, { number: 9 }] });
  });

  test("is not found in a string that a client chose to look like a frame", () => {
    const forged = encodeFrame(9, [1]).toString("latin1");
    const torn = Buffer.concat([FRAMES[0]!, encodeFrame(8, [{ display_name: forged }]).subarray(0, -3)]);
    expect(scanFrames(torn, 7).end).toEqual({ kind: "torn", offset: FRAMES[0]!.length });
  });
});

test("a frame with the wrong number is damage when it is whole", () => {
  expect(scanFrames(Buffer.concat([FRAMES[0]!, FRAMES[2]!]), 7).end).toMatchObject({
    kind: "damaged",
    after: [{ number: 9 }],
  });
});

test("a frame of another version is not guessed at", () => {
  const newer = Buffer.from(FRAMES[0]!);
  newer.writeUInt16LE(2, 4);
  newer.writeUInt32LE(crc32(newer.subarray(0, 24)), 24);
  expect(scanFrames(newer, 7).end).toEqual({ kind: "unsupported", offset: 0, version: 2 });
});
