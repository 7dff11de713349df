import { expect, test } from "vitest";
import { featuresOf } from "../../../src/backends/smmuv3/id-registers.ts";
import { entryAddress, isEmpty, isFull, next, queueShape, wrapIndex } from "../../../src/backends/smmuv3/queue.ts";
import { IDS } from "../../support/smmuv3-machine.ts";

const FEATURES = featuresOf(IDS);
// EVENTQ_BASE: address 0x4567_8000, WA bit 62, LOG2SIZE 2
const SHAPE = queueShape(Uint32Array.of(0x4567_8002, 0x4000_0000), 32, 19, FEATURES);

test("equal indexes with equal wraps are empty, with different wraps full (§3.5.1)", () => {
  expect([isEmpty(3, 3), isEmpty(3, 7)]).toEqual([true, false]);
  expect([isFull(SHAPE, 3, 7), isFull(SHAPE, 7, 3), isFull(SHAPE, 3, 3), isFull(SHAPE, 4, 3)]).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

test("an index runs through twice the entries and then starts again", () => {
  const visited = [0];
  for (let index = next(SHAPE, 0); index !== 0; index = next(SHAPE, index)) visited.push(index);
  expect(visited).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect(visited.map((index) => entryAddress(SHAPE, index) - 0x4567_8000)).toEqual([0, 32, 64, 96, 0, 32, 64, 96]);
  expect(wrapIndex(SHAPE, 0xf_fff9)).toBe(1);
});

test("a base is aligned to the queue, and a size to what the SMMU offers", () => {
  const shape = queueShape(Uint32Array.of(0x4567_89bf, 0), 16, 8, FEATURES); // LOG2SIZE 31
  expect([shape.log2Size, shape.base]).toEqual([8, 0x4567_8000]);
});
