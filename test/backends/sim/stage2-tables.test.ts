import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { BrokerError } from "../../../src/backends/errors.ts";
import { Frames } from "../../../src/backends/sim/frames.ts";
import { leafCount, Stage2Tables, slicesOf } from "../../../src/backends/sim/stage2-tables.ts";
import { MemoryMap } from "../../../src/backends/smmuv3/memory.ts";
import { AssertionFailure } from "../../../src/spec/assert.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const RW = { readable: true, writable: true };

/** Counts the frames that are out. */
class CountedFrames extends Frames {
  out = 0;
  override take(): number {
    const frame = super.take();
    this.out += 1;
    return frame;
  }
  override give(frame: number): void {
    this.out -= 1;
    super.give(frame);
  }
}

let memory: MemoryMap;
let frames: CountedFrames;
beforeEach(() => {
  memory = new MemoryMap();
  frames = new CountedFrames(memory);
});

function load(pa: number): bigint {
  expect(memory.read64(pa)).toBe(true);
  return (BigInt(memory.hi) << 32n) | BigInt(memory.lo);
}

/** Walks by hand, 4 KiB granule (DDI 0487 D8.2): 9 bits a level; the leaf's level, address and low attribute bits. */
function walk(tables: Stage2Tables, ipa: number): { level: number; pa: number; attributes: bigint } | undefined {
  const start = 2 - tables.s2sl0; // §5.2: SL0 2 is level 0, 1 is level 1, 0 is level 2
  let table = tables.root;
  for (let level = start; level <= 3; level += 1) {
    const size = 2 ** (12 + 9 * (3 - level));
    const descriptor = load(table + (Math.floor(ipa / size) % 512) * 8);
    if ((descriptor & 1n) === 0n) return undefined;
    const isTable = (descriptor & 2n) !== 0n && level < 3;
    const address = Number(descriptor & 0xffff_ffff_f000n);
    if (isTable) table = address;
    else {
      expect(level === 3 ? descriptor & 3n : descriptor & 3n).toBe(level === 3 ? 3n : 1n);
      return { level, pa: address + (ipa % size), attributes: descriptor & 0xffcn };
    }
  }
  return undefined;
}

const leavesOf = (tables: Stage2Tables, ipa: number, bytes: number): string[] =>
  tables.unmap(ipa, bytes).leaves.map((leaf) => `${leaf.ipa / KIB}K+${leaf.bytes / KIB}K`);

describe("the largest leaf that IPA, PA and length allow", () => {
  test.each([
    ["a page", 0x1000, 0x5000, 4 * KIB, 3],
    ["2 MiB, aligned both", 4 * MIB, 6 * MIB, 2 * MIB, 2],
    ["2 MiB, IPA off by a page", 4 * MIB + 4 * KIB, 6 * MIB, 2 * MIB, 3],
    ["2 MiB, PA off by a page", 4 * MIB, 6 * MIB + 4 * KIB, 2 * MIB, 3],
    ["1 GiB, aligned both", GIB, 70 * GIB, GIB, 1],
    ["1 GiB, PA off by 2 MiB", GIB, 70 * GIB + 2 * MIB, GIB, 2],
  ])("%s", (_, ipa, pa, bytes, level) => {
    const tables = new Stage2Tables(memory, frames, 48);
    tables.map(ipa, pa, bytes, RW);
    expect(walk(tables, ipa)).toMatchObject({ level, pa });
    expect(walk(tables, ipa + bytes - 1)).toMatchObject({ level, pa: pa + bytes - 1 });
    expect(walk(tables, ipa - 1)).toBeUndefined();
    expect(walk(tables, ipa + bytes)).toBeUndefined();
  });

  test("a range that begins and ends off a block has pages at its ends and blocks between", () => {
    const tables = new Stage2Tables(memory, frames, 48);
    tables.map(2 * MIB - 8 * KIB, 64 * GIB + 2 * MIB - 8 * KIB, 2 * MIB + 12 * KIB, RW);
    expect(leavesOf(tables, 0, GIB)).toEqual(["2040K+4K", "2044K+4K", "2048K+2048K", "4096K+4K"]);
  });

  test("leaf attributes: Normal write-back, inner shareable, AF, and the access asked for (DDI 0487 D8.3)", () => {
    const tables = new Stage2Tables(memory, frames, 48);
    const base = (0b1111n << 2n) | (0b11n << 8n) | (1n << 10n);
    tables.map(0, 0x1000, 4096, { readable: true, writable: false });
    tables.map(4096, 0x2000, 4096, { readable: false, writable: true });
    tables.map(8192, 0x3000, 4096, RW);
    expect([0, 4096, 8192].map((ipa) => walk(tables, ipa)!.attributes)).toEqual([
      base | (1n << 6n),
      base | (1n << 7n),
      base | (0b11n << 6n),
    ]);
  });
});

describe("the start level follows from the size of the IPA space", () => {
  test.each([
    [48, 2, 2 ** 48 - 4096],
    [44, 2, 2 ** 44 - 4096],
    [40, 2, 2 ** 40 - 4096],
    [39, 1, 2 ** 39 - 4096],
    [31, 1, 2 ** 31 - 4096],
    [30, 0, 2 ** 30 - 4096],
    [25, 0, 2 ** 25 - 4096],
  ])("%d bits: S2SL0 %d, and the last page is reached", (bits, s2sl0, last) => {
    const tables = new Stage2Tables(memory, frames, bits);
    tables.map(last, 0x7000, 4096, RW);
    expect(tables.s2sl0).toBe(s2sl0);
    expect(walk(tables, last)).toMatchObject({ level: 3, pa: 0x7000 });
  });

  test.each([24, 49])("%d bits would need a start level there is none for: a bug", (bits) => {
    expect(() => new Stage2Tables(memory, frames, bits)).toThrow(AssertionFailure);
  });
});

describe("unmapping", () => {
  test("a table that is emptied is taken out, and its frame is the caller's; shared tables stay", () => {
    const tables = new Stage2Tables(memory, frames, 48);
    tables.map(0, 0x10_0000, 4096, RW);
    tables.map(2 * MIB, 0x20_0000, 4096, RW);
    expect(tables.unmap(0, 4096).frames).toHaveLength(1); // its level 3 table
    expect(tables.unmap(2 * MIB, 4096).frames).toHaveLength(3); // levels 3, 2 and 1
    expect(load(tables.root)).toBe(0n);
    tables.map(0, GIB, GIB, RW); // and the place is free for a block
    expect(walk(tables, 5)).toMatchObject({ level: 1, pa: GIB + 5 });
  });

  test("holes are fine, an empty range takes nothing, and a range that cuts a block is a bug", () => {
    const tables = new Stage2Tables(memory, frames, 48);
    tables.map(2 * MIB, 2 * MIB, 2 * MIB, RW);
    expect(leavesOf(tables, 0, 0)).toEqual([]);
    expect(() => tables.unmap(2 * MIB, 4096)).toThrow(AssertionFailure);
    expect(leavesOf(tables, 0, 2 ** 47)).toEqual(["2048K+2048K"]);
  });

  test("mapping what is mapped is a bug, under a block too", () => {
    const tables = new Stage2Tables(memory, frames, 48);
    tables.map(2 * MIB, 2 * MIB, 2 * MIB, RW);
    expect(() => tables.map(2 * MIB + 4096, 0, 4096, RW)).toThrow(AssertionFailure);
    tables.map(0, 0, 4096, RW);
    expect(() => tables.map(0, 0x5000, 4096, RW)).toThrow(AssertionFailure);
  });

  test("destroying gives every frame back", () => {
    const tables = new Stage2Tables(memory, frames, 48);
    for (let ipa = 0; ipa < 64 * GIB; ipa += 3 * GIB + 4096) tables.map(ipa, 0x1000, 4096, RW);
    expect(frames.out).toBe(2 + 22 + 22); // root and level 1; for each page a level 2 and a level 3 table
    tables.destroy();
    expect(frames.out).toBe(0);
  });
});

describe("a host that runs out of frames in the middle", () => {
  /** Leaves `count` frames: everything is taken in ever smaller blocks, then that many are given back. */
  function leave(count: number): void {
    for (let bytes = 8 * GIB; bytes >= 4096; ) {
      try {
        frames.takeContiguous(bytes);
      } catch {
        bytes /= 2;
      }
    }
    for (let index = 0; index < count; index += 1) frames.give(0x8000_0000 + index * 4096); // the first of host RAM
  }

  test("a map that fails leaves nothing behind, not even an empty table where a block shall stand later", () => {
    leave(3); // root, level 1, level 2; none for level 3
    const tables = new Stage2Tables(memory, frames, 48);
    expect(() => tables.map(GIB, 0x1000, 4096, RW)).toThrow(BrokerError);
    expect(load(tables.root)).toBe(0n);
    tables.map(GIB, 70 * GIB, GIB, RW); // level 1 again, and a block in it
    expect(walk(tables, GIB + 7)).toMatchObject({ level: 1, pa: 70 * GIB + 7 });
  });

  test("what was mapped of the range is taken out, what was there before stays", () => {
    leave(4);
    const tables = new Stage2Tables(memory, frames, 48);
    tables.map(0, 0x1000, 4096, RW);
    expect(() => tables.map(2 * MIB - 8192, 0x10_0000, 16 * KIB, RW)).toThrow(BrokerError);
    expect(walk(tables, 2 * MIB - 8192)).toBeUndefined();
    expect(walk(tables, 0)).toMatchObject({ pa: 0x1000 });
    tables.map(2 * MIB - 8192, 0x10_0000, 8192, RW);
    expect(walk(tables, 2 * MIB - 1)).toMatchObject({ pa: 0x10_1fff });
  });
});

describe("leaves before the work", () => {
  const UNIT = fc.nat({ max: 2 ** 12 }).map((pages) => pages * 4 * KIB);
  const RANGE = fc.record({
    ipa: fc.tuple(fc.nat({ max: 7 }), UNIT).map(([gib, rest]) => gib * GIB + rest),
    skew: fc.oneof(fc.constant(0), fc.constant(2 * MIB), UNIT),
    bytes: fc.tuple(fc.nat({ max: 2 }), UNIT).map(([gib, rest]) => gib * GIB + rest + 4 * KIB),
  });

  test("the count is what mapping makes, and slices lose no block", () => {
    fc.assert(
      fc.property(RANGE, ({ bytes, ipa, skew }) => {
        const pa = 64 * GIB + ipa + skew;
        const own = new MemoryMap();
        const tables = new Stage2Tables(own, new Frames(own), 48);
        let sliced = 0;
        let end = 0;
        for (const slice of slicesOf(ipa, pa, bytes)) {
          expect(slice.offset).toBe(end);
          end = slice.offset + slice.bytes;
          sliced += leafCount(ipa + slice.offset, pa + slice.offset, slice.bytes);
          expect(leafCount(ipa + slice.offset, pa + slice.offset, slice.bytes)).toBeLessThanOrEqual(8192);
        }
        expect(end).toBe(bytes);
        expect(sliced).toBe(leafCount(ipa, pa, bytes));
        if (sliced > 2000) return; // the count is enough; mapping so many takes long
        tables.map(ipa, pa, bytes, RW);
        expect(tables.unmap(ipa, bytes).leaves).toHaveLength(sliced);
      }),
      { numRuns: 200 },
    );
  });
});
