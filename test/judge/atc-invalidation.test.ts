// The third judge: what CMD_ATC_INV and CMD_PRI_RESP send to a device, and what makes them illegal, from the text alone.
// Source: IHI 0070G.b §4.5.1, §4.5.2, §3.9.1.4, §7.1.

import { describe, expect, test } from "vitest";
import type { AtcInvalidation, PageResponse } from "../../src/backends/smmuv3/smmu.ts";
import { CR0, IDR0_ATS, IDR1, JudgeMachine, type JudgeOptions } from "../support/judge-machine.ts";

const ILL = 1;
const ATC_INV_SYNC = 3;
const SYNC = 0x46n;

class Device {
  readonly invalidations: AtcInvalidation[] = [];
  readonly responses: PageResponse[] = [];
  timesOut = false;

  invalidate(invalidation: AtcInvalidation): "done" | "timeout" {
    this.invalidations.push(invalidation);
    return this.timesOut ? "timeout" : "done";
  }

  pageResponse(response: PageResponse): void {
    this.responses.push(response);
  }
}

function machine(options: JudgeOptions = {}): { judge: JudgeMachine; device: Device } {
  const device = new Device();
  return { judge: new JudgeMachine({ idr0: IDR0_ATS, atc: device, ...options }), device };
}

describe("CMD_ATC_INV (§4.5.1)", () => {
  // opcode 0x40, G 9, SSV 11, SubstreamID [31:12], StreamID [63:32]; Size [69:64], Address [127:76]
  test.each([
    ["one page", 0x0000_0005_0000_0040n, 0x1234_5000n, { address: 0x1234_5000n, sizeLog2: 12 }],
    [
      "eight pages, aligned down to them",
      0x0000_0005_0000_0040n,
      0x1234_f003n,
      { address: 0x1234_8000n, sizeLog2: 15 },
    ],
    [
      "a high address",
      0x0000_0005_0000_0040n,
      0xffff_8000_0000_1000n,
      { address: 0xffff_8000_0000_1000n, sizeLog2: 12 },
    ],
    ["half of all", 0x0000_0005_0000_0040n, 0xffff_ffff_ffff_f033n, { address: 2n ** 63n, sizeLog2: 63 }],
    ["all", 0x0000_0005_0000_0040n, 0x34n, { address: 0n, sizeLog2: 64 }],
    ["all, wherever", 0x0000_0005_0000_0040n, 0xffff_ffff_ffff_f034n, { address: 0n, sizeLog2: 64 }],
    ["a PASID", 0x0000_0005_0002_a840n, 0x1000n, { substreamID: 0x2a, address: 0x1000n, sizeLog2: 12 }],
    [
      "a PASID and Global",
      0x0000_0005_0002_aa40n,
      0x34n,
      { substreamID: 0x2a, global: true, address: 0n, sizeLog2: 64 },
    ],
    ["Global without a PASID is IGNORED", 0x0000_0005_0000_0240n, 0x34n, { address: 0n, sizeLog2: 64 }],
  ])("%s", (_, lo, hi, told) => {
    const { judge, device } = machine();
    judge.command(lo, hi);
    judge.command(SYNC);
    expect(device.invalidations).toEqual([{ streamID: 5, substreamID: undefined, global: false, ...told }]);
    expect([judge.commandError(), judge.consumed()]).toEqual([0, 2]);
  });

  test("a Size above 52 is CERROR_ILL, as it may be", () => {
    const { judge, device } = machine();
    judge.command(0x0000_0005_0000_0040n, 0x35n);
    expect([judge.commandError(), judge.consumed(), device.invalidations]).toEqual([ILL, 0, []]);
  });

  test("SSec=1 is CERROR_ILL", () => {
    const { judge, device } = machine();
    judge.command(0x0000_0005_0000_0440n, 0x34n);
    expect([judge.commandError(), device.invalidations]).toEqual([ILL, []]);
  });

  test("is IGNORED while SMMUEN is 0", () => {
    const { judge, device } = machine();
    judge.smmu.write32(CR0, 0xc);
    judge.command(0x0000_0005_0000_0040n, 0x34n);
    expect([judge.commandError(), judge.consumed(), device.invalidations]).toEqual([0, 1, []]);
  });

  test("without substreams SSV=1 behaves as SSV=0, one of two allowed behaviours", () => {
    const { judge, device } = machine({ idr1: IDR1 & ~0x7c0 });
    judge.command(0x0000_0005_0002_a840n, 0x1000n);
    expect(device.invalidations[0]?.substreamID).toBeUndefined();
  });
});

describe("a device that does not answer (§3.9.1.4, §7.1)", () => {
  test("fails the next CMD_SYNC with CERROR_ATC_INV_SYNC, not the invalidation", () => {
    const { judge, device } = machine();
    device.timesOut = true;
    judge.command(0x0000_0005_0000_0040n, 0x34n);
    expect([judge.commandError(), judge.consumed()]).toEqual([0, 1]);
    judge.command(SYNC);
    expect([judge.commandError(), judge.consumed()]).toEqual([ATC_INV_SYNC, 1]);
    expect(judge.gerrorInterrupts).toBe(1);
    judge.acknowledgeErrors();
    expect(judge.consumed()).toBe(2); // the CMD_SYNC again, which has nothing left to wait for
  });

  test("CS=0b11 is illegal before that is asked", () => {
    const { judge, device } = machine();
    device.timesOut = true;
    judge.command(0x0000_0005_0000_0040n, 0x34n);
    judge.command(0x3046n);
    expect([judge.commandError(), judge.consumed()]).toEqual([ILL, 1]);
  });
});

describe("CMD_PRI_RESP (§4.5.2)", () => {
  // opcode 0x41; PRGIndex [72:64], Resp [77:76]
  test.each([
    ["failure", 0x0000_0005_0000_0041n, 0x0000n, { prgIndex: 0, response: "failure" }],
    ["invalid request", 0x0000_0005_0000_0041n, 0x11ffn, { prgIndex: 0x1ff, response: "invalid" }],
    ["success", 0x0000_0005_0000_0041n, 0x2007n, { prgIndex: 7, response: "success" }],
    ["under a PASID", 0x0000_0005_000f_f841n, 0x2007n, { substreamID: 0xff, prgIndex: 7, response: "success" }],
  ])("%s", (_, lo, hi, told) => {
    const { judge, device } = machine();
    judge.command(lo, hi);
    expect(device.responses).toEqual([{ streamID: 5, substreamID: undefined, ...told }]);
    expect([judge.commandError(), judge.consumed()]).toEqual([0, 1]);
  });

  test("Resp 0b11 is reserved: CERROR_ILL", () => {
    const { judge, device } = machine();
    judge.command(0x0000_0005_0000_0041n, 0x3007n);
    expect([judge.commandError(), judge.consumed(), device.responses]).toEqual([ILL, 0, []]);
  });

  test("without IDR0.PRI: CERROR_ILL", () => {
    const { judge, device } = machine({ idr0: IDR0_ATS - 0x1_0000 });
    judge.command(0x0000_0005_0000_0041n, 0x2007n);
    expect([judge.commandError(), device.responses]).toEqual([ILL, []]);
  });

  test("is IGNORED while SMMUEN is 0", () => {
    const { judge, device } = machine();
    judge.smmu.write32(CR0, 0xc);
    judge.command(0x0000_0005_0000_0041n, 0x2007n);
    expect([judge.commandError(), judge.consumed(), device.responses]).toEqual([0, 1, []]);
  });
});
