// Memory attributes in ten bits: by hand where one example says it, against the oracle's chapter 13 for all values there are.

import { describe, expect, test } from "vitest";
import {
  consistent,
  described,
  incomingAttributes,
  overridden,
  throughStage1,
  throughStage2,
} from "../../../src/backends/smmuv3/explain/attributes.ts";
import {
  canonicalAttributes,
  combineHints,
  combineStages,
  DEFAULT_ATTRIBUTES,
  describeAttributes,
  memoryAttributes,
  memoryTypeOf,
  overrideInput,
  PCIE_ATTRIBUTES,
  stage1AttributeIndex,
  stage1AttributeTable,
  stage2AttributeIndex,
  stage2AttributeTable,
} from "../../../src/backends/smmuv3/memory-type.ts";
import type { MemoryAttributes } from "../../../src/backends/smmuv3/transaction.ts";

function count(length: number): readonly number[] {
  return Array.from({ length }, (_, index) => index);
}

function text({ memoryType, shareability, allocation }: MemoryAttributes): string {
  return `${memoryType} ${shareability} ${allocation}`;
}

describe("a MAIR byte is the canonical form of a type (§5.4, MAIR0)", () => {
  test("reserved bytes become what they behave as", () => {
    expect([0x00, 0x01, 0x07, 0x0a, 0x0f].map(memoryTypeOf)).toEqual([0x00, 0x00, 0x04, 0x08, 0x0c]);
    expect([0x40, 0xf0, 0x10].map(memoryTypeOf)).toEqual([0x43, 0xf3, 0x13]);
    expect([0x44, 0xff, 0xcc, 0x88, 0x13, 0x4f].map(memoryTypeOf)).toEqual([0x44, 0xff, 0xcc, 0x88, 0x13, 0x4f]);
  });

  test("229 of 256 bytes are different types, and each has words of its own", () => {
    const types = new Set(count(256).map(memoryTypeOf));
    // four Device types, and 15 levels by 15: Non-cacheable, and WT and WB with seven combinations of hints each
    expect(types.size).toBe(4 + 15 * 15);
    const words = new Set([...types].map((type) => text(describeAttributes(memoryAttributes(type, 3)))));
    expect(words.size).toBe(types.size);
  });
});

test("Device and Non-cacheable memory is Outer Shareable, and SH 0b01 is Non-shareable (§13.1.7)", () => {
  expect([0x00, 0x44, 0x4f, 0xff].map((type) => memoryAttributes(type, 0b00) >>> 8)).toEqual([2, 2, 0, 0]);
  expect([0b00, 0b01, 0b10, 0b11].map((sh) => memoryAttributes(0xff, sh) >>> 8)).toEqual([0, 0, 2, 3]);
});

test("the SMMU supplies Normal iWB-oWB Non-shareable (§13.1.3), a Root Complex what is shared (§13.6.1)", () => {
  expect([DEFAULT_ATTRIBUTES, PCIE_ATTRIBUTES]).toEqual([0x0ff, 0x3ff]);
});

test("AttrIndx is [4:2] and MemAttr [5:2] of a leaf, SH is [9:8] (DDI 0487 D8.3)", () => {
  expect(stage1AttributeIndex(0x314)).toBe(0b11_101);
  expect(stage2AttributeIndex(0x2f0)).toBe(0b10_1100);
  expect(stage1AttributeIndex(~0x31c)).toBe(0);
  expect(stage2AttributeIndex(~0x33c)).toBe(0);
});

test("a table without SH has the one it is given, for every leaf", () => {
  const stage1 = stage1AttributeTable(0xff, 0, 0b10);
  const stage2 = stage2AttributeTable({ fwb: false, mtePerm: false, fixedSH: 0b11 });
  expect([0, 8, 16, 24].map((index) => stage1[index])).toEqual([0x2ff, 0x2ff, 0x2ff, 0x2ff]);
  expect([15, 31, 47, 63].map((index) => stage2[index])).toEqual([0x3f, 0x3f, 0x3f, 0x3f]);
});

test("MemAttr 0b0100 is Write-Back with MTEPERM (§3.23.1) and reserved without", () => {
  expect(stage2AttributeTable({ fwb: false, mtePerm: true, fixedSH: undefined })[0b0100]).toBe(0b1111);
  expect(stage2AttributeTable({ fwb: false, mtePerm: false, fixedSH: undefined })[0b0100]).toBe(0b0101);
});

describe("the oracle's chapter 13 says the same", () => {
  test.each([
    ["stage 1 over stage 2", false],
    ["stage 1 under S2FWB", true],
  ])("of %s, for every MAIR byte, MemAttr and SH", (_, fwb) => {
    const table2 = stage2AttributeTable({ fwb, mtePerm: false, fixedSH: undefined });
    const input = incomingAttributes(undefined);
    const wrong: string[] = [];
    for (const byte of count(256)) {
      const table1 = stage1AttributeTable(byte, 0, undefined);
      for (const sh of count(4)) {
        const first = throughStage1(input, BigInt(sh << 8), { mair: BigInt(byte), tableSH: undefined });
        for (const index of count(64)) {
          const leaf = ((index & 0xf) << 2) | ((index >>> 4) << 8);
          const encoding = { fwb, mtePerm: false, tableSH: undefined };
          const wanted = text(described(consistent(throughStage2(first, BigInt(leaf), encoding))));
          const got = text(describeAttributes(combineStages(table1[sh << 3]!, table2[index]!, fwb)));
          if (got !== wanted)
            wrong.push(`0x${byte.toString(16)} SH ${sh} leaf ${leaf.toString(16)}: ${got}, ${wanted}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  test("of hints, for every MAIR byte and every input, alone and where stage 2 forces Write-Back", () => {
    const wrong: string[] = [];
    const forced = stage2AttributeTable({ fwb: true, mtePerm: false, fixedSH: undefined })[0b110]!;
    const encoding = { fwb: true, mtePerm: false, tableSH: undefined };
    for (const byte of count(256)) {
      const table = memoryAttributes(memoryTypeOf(byte), 0);
      for (const input of count(256)) {
        const first = throughStage1(incomingAttributes(input), 0n, { mair: BigInt(byte), tableSH: undefined });
        const wanted = [
          text(described(consistent(first))),
          text(described(consistent(throughStage2(first, 0b110n << 2n, encoding)))),
        ];
        const got = [table, combineStages(table, forced, true)].map((attributes) =>
          text(describeAttributes(combineHints(attributes, canonicalAttributes(input)))),
        );
        if (got.join() !== wanted.join()) wrong.push(`${byte} and ${input}: ${got.join()}, ${wanted.join()}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test("of overrides, for every input and every value of the four fields", () => {
    const wrong: string[] = [];
    for (const input of count(256)) {
      for (const MemAttr of count(17)) {
        for (const ALLOCCFG of [0, 7, 8, 9, 10, 11, 12, 13, 14, 15]) {
          for (const SHCFG of count(4)) {
            const fields = { MTCFG: MemAttr === 16 ? 0 : 1, MemAttr: MemAttr % 16, ALLOCCFG, SHCFG };
            const incoming = incomingAttributes(input | (2 << 8));
            const wanted = text(described(overridden(incoming, (name) => BigInt(fields[name]))));
            const got = text(describeAttributes(overrideInput(canonicalAttributes(input | (2 << 8)), fields)));
            if (got !== wanted) wrong.push(`${input} ${JSON.stringify(fields)}: ${got}, ${wanted}`);
          }
        }
      }
    }
    expect(wrong).toEqual([]);
  });
});
