// The random sets and the model's answers to them, on the host: what the machine runs is worth its time.

import { closeSync, writeSync } from "node:fs";
import { expect, test } from "vitest";
import { memfd } from "../../support/memfd.ts";
import { RAM, write64 } from "../guest/nested.ts";
import { wordOf } from "./comparison.ts";
import { trialOf, trialOfOne } from "./generate.ts";
import { Model } from "./model.ts";
import type { ModelOutcome } from "./outcome.ts";
import { dataImage, PLACE, printed, type Trial } from "./trial.ts";

/** As the emulated machine shows them. */
const IDR = [0x0d44_101b, 0x0273_0010, 0, 0x1414, 0, 0x74];
const NAME = 0x123;

async function answers(trials: readonly Trial[]): Promise<ModelOutcome[]> {
  const ram = memfd(RAM.bytes);
  writeSync(ram, dataImage(), 0, dataImage().length, PLACE.data);
  const model = await Model.over(ram, IDR, NAME);
  const outcomes: ModelOutcome[] = [];
  for (const trial of trials) {
    for (const [offset, value] of trial.words) write64(ram, offset, value);
    outcomes.push(...(await model.run(trial)));
    for (const [offset] of trial.words) write64(ram, offset, 0n);
  }
  await model.close();
  closeSync(ram);
  return outcomes;
}

test("a set is the same each time it is made from its seed and number, and another one under another", () => {
  expect(printed(trialOf(7n, 3))).toBe(printed(trialOf(7n, 3)));
  expect(printed(trialOf(7n, 4))).not.toBe(printed(trialOf(7n, 3)));
  expect(printed(trialOf(8n, 3))).not.toBe(printed(trialOf(7n, 3)));
});

test("what is printed of a set has its seed, its number, its STE, each access and each word", () => {
  const trial = trialOf(7n, 3);
  const lines = printed(trial).split("\n");
  expect(lines[0]).toMatch(/^seed 7, set 3: /);
  expect(lines[1]).toBe(`vSTE ${trial.vste.map((word) => `0x${word.toString(16)}`).join(" ")}`);
  expect(lines).toHaveLength(2 + trial.accesses.length + trial.words.size);
});

test("no two accesses of a set have one address, and a PCI device of the machine can reach each", () => {
  for (let index = 0; index < 200; index += 1) {
    const { accesses } = trialOf(1n, index);
    expect(new Set(accesses.map(({ iova }) => iova)).size, `set ${index}`).toBe(accesses.length);
    for (const { iova } of accesses) expect(iova, `set ${index}`).toBeLessThan(2n ** 48n);
  }
});

test("tables lie within their place, and nothing but the CD outside it", () => {
  for (let index = 0; index < 200; index += 1) {
    for (const offset of trialOf(1n, index).words.keys()) {
      const isCD = offset >= PLACE.cd && offset < PLACE.cd + 64;
      expect(isCD || (offset >= PLACE.tables && offset < PLACE.data), `set ${index}, 0x${offset.toString(16)}`).toBe(
        true,
      );
    }
  }
});

test("50 sets come to every end that a guest of this machine can see, whatever the seed", async () => {
  for (const seed of [1n, 2n, 3n]) {
    const ends = new Set(
      (await answers(Array.from({ length: 50 }, (_, index) => trialOf(seed, index)))).map(({ outcome }) =>
        wordOf(outcome),
      ),
    );
    const expected = [
      "moved",
      "silent",
      "refused",
      "F_TRANSLATION",
      "F_PERMISSION",
      "F_ACCESS",
      "F_ADDR_SIZE",
      "C_BAD_CD",
    ];
    expect([...ends], `seed ${seed}`).toEqual(expect.arrayContaining(expected));
  }
});

test("a set of one access does what it is made for", async () => {
  const found = await answers([
    trialOfOne({ kind: "read" }),
    trialOfOne({ kind: "write", ways: ["AP[2]: read-only"] }),
    trialOfOne({ kind: "read", theme: "CD.V=0" }),
    trialOfOne({ kind: "read", theme: "STE.MEV=1, which is the host's" }),
    trialOfOne({ kind: "read", ways: ["leaf to no RAM"] }),
  ]);
  expect(found.map(({ outcome }) => wordOf(outcome))).toEqual([
    "moved",
    "F_PERMISSION",
    "C_BAD_CD",
    "refused",
    "silent",
  ]);
  expect(found[4]?.why).toMatchObject({ what: "stage 2: F_TRANSLATION", rule: "STAGE2_NOT_MAPPED" });
  expect(() => trialOfOne({ kind: "read", ways: ["no such"] })).toThrow('nothing is called "no such"');
});
