import { expect, test } from "vitest";
import { FaultLimiter } from "../../../src/server/core/fault-limiter.ts";
import { faultOf } from "../../support/faults.ts";
import { ManualClock, NVME } from "../../support/host.ts";

const fault = (inputAddress: bigint | undefined, type = "F_TRANSLATION") => faultOf(NVME, { inputAddress, type });

function admitted(limiter: FaultLimiter, times: number): number {
  return Array.from({ length: times }, () => limiter.admits()).filter((yes) => yes).length;
}

test("a burst passes, then as many as the rate says, and no more than a burst however long it was quiet", () => {
  const clock = new ManualClock();
  const limiter = new FaultLimiter(clock, { perSecond: 10, burst: 4 });
  expect(admitted(limiter, 9)).toBe(4);
  clock.advance(300);
  expect(admitted(limiter, 9)).toBe(3);
  clock.advance(3_600_000);
  expect(admitted(limiter, 9)).toBe(4);
});

test("a bucket that ran dry opens again when a hundredth of a second's events may pass", () => {
  const clock = new ManualClock();
  const limiter = new FaultLimiter(clock, { perSecond: 1000, burst: 100 });
  expect(admitted(limiter, 101)).toBe(100);
  clock.advance(9);
  expect(limiter.admits()).toBe(false);
  clock.advance(1);
  expect(admitted(limiter, 20)).toBe(10);
});

test("without a rate everything passes", () => {
  expect(admitted(new FaultLimiter(new ManualClock(), { perSecond: 0, burst: 1 }), 1000)).toBe(1000);
});

test("what was held back is summed up by type and page, with the numbers of the first and the last", () => {
  const limiter = new FaultLimiter(new ManualClock(), { perSecond: 1, burst: 1 });
  limiter.suppress(fault(0x1fffn), 5);
  limiter.suppress(fault(0x1000n, "F_PERMISSION"), 6);
  limiter.suppress(fault(0x1000n), 7);
  limiter.suppress(fault(undefined, "C_BAD_CD"), 8);
  expect(limiter.take(NVME)).toEqual({
    kind: "gap",
    device: NVME,
    first: 5,
    last: 8,
    count: 4,
    reason: "rate-limit",
    suppressed: [
      { type: "F_TRANSLATION", page: 0x1000n, count: 2, first: 5, last: 7 },
      { type: "F_PERMISSION", page: 0x1000n, count: 1, first: 6, last: 6 },
      { type: "C_BAD_CD", page: undefined, count: 1, first: 8, last: 8 },
    ],
  });
  expect(limiter.hasRun).toBe(false);
});

test("the page of a page request is the one it asks for", () => {
  const limiter = new FaultLimiter(new ManualClock(), { perSecond: 1, burst: 1 });
  const pageRequest = {
    address: 0x7000n,
    groupIndex: 1,
    last: false,
    read: true,
    write: false,
    execute: false,
    privileged: false,
  };
  limiter.suppress(faultOf(NVME, { type: "PAGE_REQUEST", inputAddress: undefined, pageRequest }), 1);
  expect(limiter.take(NVME).suppressed).toMatchObject([{ type: "PAGE_REQUEST", page: 0x7000n }]);
});

test("sixteen kinds are told, all others as one", () => {
  const limiter = new FaultLimiter(new ManualClock(), { perSecond: 1, burst: 1 });
  for (let page = 0; page < 20; page += 1) limiter.suppress(fault(BigInt(page * 4096)), page + 1);
  limiter.suppress(fault(0n), 21);
  const { count, suppressed } = limiter.take(NVME);
  expect([count, suppressed.length]).toEqual([21, 17]);
  expect(suppressed[0]).toEqual({ type: "F_TRANSLATION", page: 0n, count: 2, first: 1, last: 21 });
  expect(suppressed[16]).toEqual({ type: undefined, page: undefined, count: 4, first: 17, last: 20 });
});
