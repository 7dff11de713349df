import { expect, test } from "vitest";
import { FairLine } from "../../src/os/fair-line.ts";

function lineOf(...items: readonly (readonly [owner: string | undefined, item: string])[]): FairLine<string> {
  const line = new FairLine<string>();
  for (const [owner, item] of items) line.add(owner, item);
  return line;
}

function takeAll(line: FairLine<string>, mayRun: (item: string) => boolean = () => true): string[] {
  const taken: string[] = [];
  for (let item = line.take(mayRun); item !== undefined; item = line.take(mayRun)) taken.push(item);
  return taken;
}

test("owners take turns, and each one's come in their order", () => {
  const line = lineOf(["a", "a1"], ["a", "a2"], ["a", "a3"], ["b", "b1"], ["b", "b2"], [undefined, "own"]);
  expect(takeAll(line)).toEqual(["a1", "b1", "own", "a2", "b2", "a3"]);
  expect(line.length).toBe(0);
});

test("who comes while others wait has the turn after each of them has had one", () => {
  const line = lineOf(["a", "a1"], ["a", "a2"], ["a", "a3"], ["b", "b1"], ["b", "b2"]);
  expect(line.take(() => true)).toBe("a1");
  line.add("c", "c1");
  expect(takeAll(line)).toEqual(["b1", "a2", "c1", "b2", "a3"]);
});

test("what may not run waits, and neither its owner's others nor the turn are lost by it", () => {
  const line = lineOf(["a", "pin 1"], ["a", "pin 2"], ["a", "close"], ["b", "pin 3"], ["b", "bind"]);
  expect(takeAll(line, (item) => !item.startsWith("pin"))).toEqual(["close", "bind"]);
  expect([line.length, line.lengthOf("a"), line.lengthOf("b"), line.lengthOf("c")]).toEqual([3, 2, 1, 0]);
  expect(takeAll(line)).toEqual(["pin 1", "pin 3", "pin 2"]);
});
