import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BrokerError } from "../../../src/backends/errors.ts";
import type { GuestMapping, IpaRange } from "../../../src/backends/guest-memory.ts";
import {
  type MappingTable,
  mappedBytesOf,
  mappingAt,
  planMap,
  planUnmap,
} from "../../../src/server/core/mapping-table.ts";
import { refusal } from "../../support/host.ts";
import { BufferFile } from "../../support/memory-file.ts";

const FILE = new BufferFile("/memory/a", 0);
const PAGE = 4096;

function mapping(firstPage: number, pages: number): GuestMapping {
  return { ipa: firstPage * PAGE, bytes: pages * PAGE, file: FILE, offset: 0, readable: true, writable: true };
}

function range(firstPage: number, pages: number): IpaRange {
  return { ipa: firstPage * PAGE, bytes: pages * PAGE };
}

const pages = (table: MappingTable): string[] => table.map(({ ipa, bytes }) => `${ipa / PAGE}+${bytes / PAGE}`);

describe("mapping", () => {
  test("the table stays in order of IPA, whatever the order of the batch", () => {
    const table = planMap([mapping(4, 1)], [mapping(8, 2), mapping(0, 2), mapping(5, 3)]);
    expect(pages(table)).toEqual(["0+2", "4+1", "5+3", "8+2"]);
  });

  test.each([
    ["begins inside", mapping(5, 4)],
    ["ends inside", mapping(2, 3)],
    ["lies inside", mapping(5, 1)],
    ["covers", mapping(2, 8)],
    ["equals", mapping(4, 4)],
  ])("a mapping that %s what is mapped is refused by its index", async (_, wrong) => {
    const error = await refusal(() => planMap([mapping(4, 4)], [mapping(20, 1), wrong]));
    expect(error.code).toBe("argument_invalid");
    expect(error.fields[0]!.path).toBe("mappings[1].ipa");
    expect(error.message).toContain("what is mapped");
  });

  test("two mappings of one call that overlap are refused", async () => {
    const error = await refusal(() => planMap([], [mapping(4, 4), mapping(7, 1)]));
    expect(error.fields[0]!.path).toBe("mappings[1].ipa");
    expect(error.message).toContain("another mapping of this call");
  });

  test("neighbours that touch do not overlap", () => {
    expect(pages(planMap([mapping(4, 4)], [mapping(8, 1), mapping(3, 1)]))).toEqual(["3+1", "4+4", "8+1"]);
  });

  test("a refused plan leaves the table it was made of as it was", async () => {
    const table = planMap([], [mapping(1, 1), mapping(3, 1)]);
    await refusal(() => planMap(table, [mapping(0, 1), mapping(3, 1)]));
    expect(pages(table)).toEqual(["1+1", "3+1"]);
  });
});

describe("unmapping", () => {
  const table = planMap([], [mapping(0, 2), mapping(4, 2), mapping(8, 2)]);

  test("a range takes every whole mapping in it, and holes are fine", () => {
    const { table: left, removed } = planUnmap(table, [range(0, 7)]);
    expect(pages(left)).toEqual(["8+2"]);
    expect(pages(removed)).toEqual(["0+2", "4+2"]);
  });

  test.each([
    ["its first page", range(4, 1)],
    ["its last page", range(5, 1)],
    ["it and half of the next", range(4, 5)],
    ["it from the one before", range(1, 5)],
  ])("a range that would cut a mapping at %s is refused", async (_, wrong) => {
    const error = await refusal(() => planUnmap(table, [wrong]));
    expect(error.code).toBe("argument_invalid");
    expect(error.fields[0]!.path).toBe("ranges[0]");
  });

  test("a range over nothing is mapping_unknown, even beside one that finds something", async () => {
    const error = await refusal(() => planUnmap(table, [range(0, 2), range(2, 2)]));
    expect(error.code).toBe("mapping_unknown");
    expect(error.fields[0]!.path).toBe("ranges[1]");
  });

  test("two ranges that overlap are refused", async () => {
    const error = await refusal(() => planUnmap(table, [range(0, 3), range(2, 4)]));
    expect(error).toMatchObject({
      code: "argument_invalid",
      message: "ranges[1]: overlaps another range of this call",
    });
  });
});

describe("looking up", () => {
  test("an address is found in the mapping that holds it, first and last byte included", () => {
    const table = planMap([], [mapping(1, 1), mapping(4, 2)]);
    const at = (ipa: number): number | undefined => mappingAt(table, ipa)?.ipa;
    expect([0, 4095, 4096, 8191, 8192, 16383, 16384, 24575, 24576].map(at)).toEqual([
      undefined,
      undefined,
      4096,
      4096,
      undefined,
      undefined,
      16384,
      16384,
      undefined,
    ]);
    expect(mappedBytesOf(table)).toBe(3 * PAGE);
  });
});

/** The naive model: which page belongs to which mapping. */
class PageModel {
  readonly owner = new Map<number, GuestMapping>();

  map(added: readonly GuestMapping[]): boolean {
    const claimed = new Map<number, GuestMapping>();
    for (const one of added) {
      for (const page of pagesOf(one)) {
        if (this.owner.has(page) || claimed.has(page)) return false;
        claimed.set(page, one);
      }
    }
    for (const [page, one] of claimed) this.owner.set(page, one);
    return true;
  }

  unmap(ranges: readonly IpaRange[]): boolean {
    const covered = new Set<number>();
    const found = new Set<GuestMapping>();
    for (const one of ranges) {
      let any = false;
      for (const page of pagesOf(one)) {
        if (covered.has(page)) return false;
        covered.add(page);
        const owner = this.owner.get(page);
        if (owner) {
          any = true;
          found.add(owner);
        }
      }
      if (!any) return false;
    }
    const whole = (one: IpaRange): boolean =>
      ranges.some((r) => r.ipa <= one.ipa && one.ipa + one.bytes <= r.ipa + r.bytes);
    for (const one of found) if (!whole(one)) return false;
    for (const one of found) for (const page of pagesOf(one)) this.owner.delete(page);
    return true;
  }

  pages(): string[] {
    const mappings = new Set(this.owner.values());
    return pages([...mappings].sort((a, b) => a.ipa - b.ipa));
  }
}

function pagesOf({ ipa, bytes }: IpaRange): number[] {
  return Array.from({ length: bytes / PAGE }, (_, index) => ipa / PAGE + index);
}

const SPAN = fc.tuple(fc.nat({ max: 120 }), fc.integer({ min: 1, max: 12 }));
const STEP = fc.record({
  verb: fc.constantFrom("map" as const, "unmap" as const),
  spans: fc.array(SPAN, { minLength: 1, maxLength: 6 }),
});

describe("against a model that knows only pages", () => {
  test("the same batches are accepted, and the same mappings are left", () => {
    fc.assert(
      fc.property(fc.array(STEP, { maxLength: 40 }), (steps) => {
        const model = new PageModel();
        let table: MappingTable = [];
        for (const { verb, spans } of steps) {
          const batch = spans.map(([first, count]) => mapping(first, count));
          const before = pages(table);
          try {
            table = verb === "map" ? planMap(table, batch) : planUnmap(table, batch).table;
            expect(verb === "map" ? model.map(batch) : model.unmap(batch)).toBe(true);
          } catch (error) {
            if (!(error instanceof BrokerError)) throw error;
            expect(verb === "map" ? model.map(batch) : model.unmap(batch)).toBe(false);
            expect(pages(table)).toEqual(before);
          }
          expect(pages(table)).toEqual(model.pages());
        }
      }),
      { numRuns: 300 },
    );
  });

  test("a batch of ten thousand, shuffled, is merged in order, and every second one taken out again", () => {
    const many = Array.from({ length: 10_000 }, (_, index) => mapping((index * 7919) % 10_000, 1));
    const table = planMap([mapping(20_000, 1)], many);
    expect(table).toHaveLength(10_001);
    expect(table.every((one, index) => index === 0 || table[index - 1]!.ipa < one.ipa)).toBe(true);
    const odd = many.filter((one) => (one.ipa / PAGE) % 2 === 1);
    const { table: left, removed } = planUnmap(table, odd);
    expect([left.length, removed.length]).toEqual([5001, 5000]);
    expect(left.every((one) => (one.ipa / PAGE) % 2 === 0)).toBe(true);
  });
});
