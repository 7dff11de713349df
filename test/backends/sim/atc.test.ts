import { beforeEach, describe, expect, test } from "vitest";
import { ATC_ENTRIES_MAX, Atc, type AtcKey } from "../../../src/backends/sim/atc.ts";

const PLAIN: AtcKey = { substreamID: undefined, iova: 0x1000n, privileged: false };
const ALL = { streamID: 8, global: false, address: 0n, sizeLog2: 64 } as const;

function answer(address: number, sizeLog2 = 12, write = false) {
  const flags = { global: false, untranslatedOnly: false, nonSnooped: false } as const;
  return {
    kind: "success",
    address,
    sizeLog2,
    read: true,
    write,
    execute: false,
    privileged: false,
    ...flags,
  } as const;
}

let atc: Atc;
beforeEach(() => {
  atc = new Atc();
  atc.isEnabled = true;
});

describe("what was granted is found again", () => {
  test("for every address of its span, and for the access it permits", () => {
    atc.remember({ ...PLAIN, iova: 0x20_3000n }, answer(0x8000_3000, 21));
    expect(atc.find({ ...PLAIN, iova: 0x20_0010n }, "read")).toBe(0x8000_0010);
    expect(atc.find({ ...PLAIN, iova: 0x3f_ffffn }, "read")).toBe(0x801f_ffff);
    expect(atc.find({ ...PLAIN, iova: 0x40_0000n }, "read")).toBeUndefined();
    expect(atc.find({ ...PLAIN, iova: 0x20_0010n }, "write")).toBeUndefined();
  });

  test("under its PASID and privilege only", () => {
    atc.remember({ ...PLAIN, substreamID: 3 }, answer(0x9000_0000));
    expect(atc.find(PLAIN, "read")).toBeUndefined();
    expect(atc.find({ ...PLAIN, substreamID: 3, privileged: true }, "read")).toBeUndefined();
    expect(atc.find({ ...PLAIN, substreamID: 3 }, "read")).toBe(0x9000_0000);
  });

  test("and the later answer counts", () => {
    atc.remember(PLAIN, answer(0x9000_0000));
    atc.remember(PLAIN, answer(0xa000_0000, 12, true));
    expect([atc.size, atc.find(PLAIN, "write")]).toEqual([1, 0xa000_0000]);
  });

  test(`of ${ATC_ENTRIES_MAX} entries and one the oldest goes`, () => {
    for (let page = 0; page <= ATC_ENTRIES_MAX; page += 1) {
      atc.remember({ ...PLAIN, iova: BigInt(page * 4096) }, answer(0x9000_0000 + page * 4096));
    }
    expect(atc.size).toBe(ATC_ENTRIES_MAX);
    expect(atc.find({ ...PLAIN, iova: 0n }, "read")).toBeUndefined();
    expect(atc.find({ ...PLAIN, iova: 4096n }, "read")).toBe(0x9000_1000);
  });
});

describe("invalidation", () => {
  beforeEach(() => {
    atc.remember(PLAIN, answer(0x9000_0000));
    atc.remember({ ...PLAIN, substreamID: 3 }, answer(0xa000_0000));
    atc.remember({ ...PLAIN, substreamID: 4, iova: 0x20_0000n }, answer(0xb000_0000, 21));
  });

  test("without a PASID takes entries of every PASID", () => {
    atc.invalidate({ ...ALL, substreamID: undefined, address: 0x1000n, sizeLog2: 12 });
    expect(atc.size).toBe(1);
    atc.invalidate({ ...ALL, substreamID: undefined });
    expect(atc.size).toBe(0);
  });

  test("with a PASID takes its own", () => {
    atc.invalidate({ ...ALL, substreamID: 3 });
    expect([atc.size, atc.find(PLAIN, "read")]).toEqual([2, 0x9000_0000]);
  });

  test("of one page takes the whole larger entry, of its neighbours nothing", () => {
    atc.invalidate({ ...ALL, substreamID: 4, address: 0x40_0000n, sizeLog2: 12 });
    atc.invalidate({ ...ALL, substreamID: 4, address: 0x1f_f000n, sizeLog2: 12 });
    expect(atc.size).toBe(3);
    atc.invalidate({ ...ALL, substreamID: 4, address: 0x3f_f000n, sizeLog2: 12 });
    expect(atc.size).toBe(2);
  });

  test("is what switching ATS off does to all of it", () => {
    atc.isEnabled = false;
    expect(atc.size).toBe(0);
  });
});

describe("page request groups", () => {
  test("are answered by their index, and others' answers are nobody's", async () => {
    const [first, second] = [atc.openGroup()!, atc.openGroup()!];
    expect([first.prgIndex, second.prgIndex]).toEqual([0, 1]);
    atc.answer(7, "success");
    atc.answer(1, "invalid");
    atc.answer(0, "success");
    expect([await first.answered, await second.answered]).toEqual(["success", "invalid"]);
  });

  test("are 512 at most, as PRGIndex has nine bits", () => {
    for (let count = 0; count < 512; count += 1) expect(atc.openGroup()).toBeDefined();
    expect(atc.openGroup()).toBeUndefined();
    atc.answer(5, "failure");
    expect(atc.openGroup()?.prgIndex).toBe(5);
  });

  test("fail when the device is reset", async () => {
    const group = atc.openGroup()!;
    atc.reset();
    expect(await group.answered).toBe("failure");
  });
});
