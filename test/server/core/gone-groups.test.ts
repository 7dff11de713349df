import { expect, test } from "vitest";
import { groupID } from "../../../src/backends/ids.ts";
import { GoneGroups } from "../../../src/server/core/gone-groups.ts";

const [ONE, TWO, THREE, NEVER] = [1, 2, 3, 99].map((id) => groupID(id));

test("a group that comes again begins above where it was, once; one that never changed begins at 0", () => {
  const gone = new GoneGroups();
  expect(gone.add(ONE!, 7)).toEqual([{ type: "groupGone", id: 1, generation: 8 }]);
  expect(gone.add(TWO!, 0)).toEqual([]);
  expect([gone.take(ONE!), gone.take(TWO!), gone.take(NEVER!)]).toEqual([8, 0, 0]);
  expect(gone.durable()).toEqual([]);
});

test("of more groups than are kept the first is forgotten, and every group of which nothing is known begins no lower", () => {
  const gone = new GoneGroups(2);
  gone.add(ONE!, 20);
  gone.add(TWO!, 5);
  expect(gone.add(THREE!, 6)).toEqual([
    { type: "groupGone", id: 3, generation: 7 },
    { type: "generationFloor", value: 21 },
  ]);
  expect([gone.take(TWO!), gone.take(ONE!), gone.take(NEVER!)]).toEqual([6, 21, 21]);
});

test("the floor never sinks", () => {
  const gone = new GoneGroups(1);
  for (const [id, generation] of [
    [ONE!, 20],
    [TWO!, 5],
    [THREE!, 6],
  ] as const) {
    gone.add(id, generation);
  }
  expect([gone.take(ONE!), gone.take(TWO!)]).toEqual([21, 21]);
});

test("what is restored from its records is the same", () => {
  const gone = new GoneGroups(2);
  gone.add(ONE!, 20);
  gone.add(TWO!, 5);
  gone.add(THREE!, 6);
  const again = new GoneGroups(2);
  for (const record of gone.durable()) {
    if (record.type === "generationFloor") again.restoreFloor(record.value);
    if (record.type === "groupGone") again.restore(groupID(record.id), record.generation);
  }
  expect(again.durable()).toEqual(gone.durable());
  expect(again.durable()).toHaveLength(3);
});
