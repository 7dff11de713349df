import { describe, expect, test } from "vitest";
import { ABORT_VSTE, BYPASS_VSTE, checkVSTE } from "../../../src/backends/vste.ts";
import { checkWish } from "../../../src/server/core/capability.ts";
import { keepStallPromise } from "../../../src/server/core/stall-promise.ts";

const ZERO = { idr0: 0, idr1: 0, idr2: 0, idr3: 0, idr4: 0, idr5: 0, idr6: 0, iidr: 0, aidr: 0 };
/** STALL_MODEL [25:24]: 0b00 both, 0b01 terminate only (IHI 0070 §6.3.1). */
const BOTH = ZERO;
const TERMINATE = { ...ZERO, idr0: 1 << 24 };
const GUEST = checkVSTE(0xbn | 0x4001_0000n, 0xd4n);
/** STE bit 91 is bit 27 of doubleword 1 (§5.2). */
const S1STALLD = 1n << 27n;

describe("a guest's STE on a host that can stall", () => {
  test("gets S1STALLD=1 where the guest was shown terminate only", () => {
    expect(keepStallPromise(GUEST, TERMINATE, BOTH)).toEqual({ ...GUEST, dword1: 0xd4n | S1STALLD });
  });

  test("keeps the guest's own S1STALLD where it was shown both", () => {
    expect(keepStallPromise(GUEST, BOTH, BOTH)).toBe(GUEST);
    const stalld = checkVSTE(0xbn | 0x4001_0000n, 0xd4n | S1STALLD);
    expect(keepStallPromise(stalld, BOTH, BOTH)).toBe(stalld);
  });

  test("that translates nothing is left alone", () => {
    expect(keepStallPromise(ABORT_VSTE, TERMINATE, BOTH)).toBe(ABORT_VSTE);
    expect(keepStallPromise(BYPASS_VSTE, TERMINATE, BOTH)).toBe(BYPASS_VSTE);
  });
});

test("on a host that cannot stall, S1STALLD=1 would be C_BAD_STE (§5.2.2) and is not added", () => {
  expect(keepStallPromise(GUEST, TERMINATE, TERMINATE)).toBe(GUEST);
});

test("a host that cannot stall, or can do nothing else, promises no more than it has", () => {
  const verdict = (host: typeof ZERO, wish: typeof ZERO) =>
    checkWish(host, wish).find(({ field }) => field === "STALL_MODEL")!;
  expect(verdict(TERMINATE, BOTH)).toMatchObject({ ok: false, reason: "must be 1 (terminate only)" });
  const forced = { ...ZERO, idr0: 2 << 24 };
  expect([verdict(forced, BOTH).ok, verdict(forced, TERMINATE).ok, verdict(forced, forced).ok]).toEqual([
    false,
    false,
    true,
  ]);
});
