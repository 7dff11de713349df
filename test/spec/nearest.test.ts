import { expect, test } from "vitest";
import { nearest } from "../../src/spec/nearest.ts";

const KNOWN = ["F_TRANSLATION", "F_TRANSL_FORBIDDEN", "C_BAD_CD", "C_BAD_STE"];

test.each([
  ["F_TRANSLATON", "F_TRANSLATION"], // one letter is missing
  ["c_bad_cd", "C_BAD_CD"],
  ["C_BAD_ST", "C_BAD_STE"], // one edit away, C_BAD_CD two
  ["F_TRANSL", undefined], // five edits of eight letters: another word
  ["", undefined],
])("%j means %s", (word, meant) => {
  expect(nearest(word, KNOWN)).toBe(meant);
});
