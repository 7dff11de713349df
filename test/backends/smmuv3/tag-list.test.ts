import { expect, test } from "vitest";
import { TAGS_MAX, TagList } from "../../../src/backends/smmuv3/tag-list.ts";

test("has each tag once, in the order they came", () => {
  const list = new TagList();
  for (const tag of [7, 7, -1, 7, -1]) list.add(tag);
  expect(list.all()).toEqual([7, -1]);
});

test("says nothing once it was overfull, until it is cleared", () => {
  const list = new TagList();
  for (let tag = 0; tag < TAGS_MAX; tag++) list.add(tag);
  list.add(0);
  expect(list.all()).toHaveLength(TAGS_MAX);
  list.add(TAGS_MAX);
  expect(list.all()).toBeUndefined();
  list.add(0);
  expect(list.all()).toBeUndefined();
  list.clear();
  expect(list.all()).toEqual([]);
  list.add(TAGS_MAX);
  expect(list.all()).toEqual([TAGS_MAX]);
});
