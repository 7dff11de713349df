import { beforeEach, describe, expect, test } from "vitest";
import type { FaultDiagnosis } from "../../../src/backends/diagnosis.ts";
import type { FaultRecord } from "../../../src/backends/faults.ts";
import { type DeviceID, deviceID } from "../../../src/backends/ids.ts";
import { FaultDiagnoser } from "../../../src/server/core/fault-diagnoser.ts";
import { faultOf } from "../../support/faults.ts";
import { DISK, FAR, ManualClock, NIC, NVME } from "../../support/host.ts";

let clock: ManualClock;
let walks: FaultRecord[];
beforeEach(() => {
  clock = new ManualClock();
  walks = [];
});

function diagnoser(perSecond: number): FaultDiagnoser {
  const diagnose = (fault: FaultRecord): FaultDiagnosis => {
    walks.push(fault);
    return { verdict: "not-applicable", summary: `walk ${walks.length}` };
  };
  return new FaultDiagnoser({ clock, perSecond, diagnose });
}

const at = (page: number, device: DeviceID = NVME, over: Partial<FaultRecord> = {}) =>
  faultOf(device, { inputAddress: BigInt(page) * 4096n, ...over });

describe("the cache", () => {
  test("serves a page for a quarter of a second", () => {
    const subject = diagnoser(100);
    const first = subject.diagnose(at(1));
    expect(subject.diagnose(faultOf(NVME, { inputAddress: 0x1fffn }))).toBe(first);
    clock.advance(249);
    expect(subject.diagnose(at(1))).toBe(first);
    clock.advance(1);
    expect(subject.diagnose(at(1))).toEqual({ verdict: "not-applicable", summary: "walk 2" });
    expect(subject.counts).toEqual({ made: 2, cached: 2, overBudget: 0 });
  });

  test("tells apart what is walked differently", () => {
    const subject = diagnoser(100);
    const all = [
      at(1),
      at(2),
      at(1, NIC),
      at(1, NVME, { type: "F_PERMISSION" }),
      at(1, NVME, { read: false }),
      at(1, NVME, { instruction: true }),
      at(1, NVME, { privileged: true }),
      at(1, NVME, { substreamID: 0 }),
      at(1, NVME, { stage: 2 }),
      at(1, NVME, { ipa: 4096 }),
      at(1, NVME, { class: "TTD" }),
      faultOf(NVME, { inputAddress: undefined }),
    ];
    for (const fault of all) subject.diagnose(fault);
    expect(walks).toEqual(all);
  });

  test("forgets a device with its owner, and no other", () => {
    const subject = diagnoser(100);
    for (const device of [NVME, NIC]) subject.diagnose(at(1, device));
    subject.forget(NVME);
    for (const device of [NVME, NIC]) subject.diagnose(at(1, device));
    expect(walks.map(({ device }) => device)).toEqual([NVME, NIC, NVME]);
  });

  test("keeps 1,024, the latest", () => {
    const subject = diagnoser(1_000_000);
    for (let page = 0; page <= 1024; page += 1) subject.diagnose(at(page));
    subject.diagnose(at(1));
    expect(walks).toHaveLength(1025);
    subject.diagnose(at(0));
    expect(walks).toHaveLength(1026);
  });
});

describe("the budget", () => {
  const made = (subject: FaultDiagnoser, device: DeviceID, from: number, times = 200): number => {
    const asked = Array.from({ length: times }, (_, index) => subject.diagnose(at(from + index, device)));
    return asked.filter((diagnosis) => diagnosis !== undefined).length;
  };

  // Of 64 a second a quarter, 16, is kept: one of them for each of sixteen devices. 48 are everybody's, at most 32 of one.
  test("is for a second and all devices: half of it for one, and the last quarter for those that use little", () => {
    const subject = diagnoser(64);
    expect([made(subject, NVME, 0), made(subject, NIC, 0)]).toEqual([32 + 1, 16 + 1]);
    expect(made(subject, DISK, 0)).toBe(1);
    expect(subject.counts.overBudget).toBe(600 - 51);
    clock.advance(1000);
    expect(made(subject, NVME, 1000)).toBe(33);
  });

  test("has something for a quiet device every second, while others storm", () => {
    const subject = diagnoser(64);
    for (let second = 0; second < 5; second += 1) {
      for (const device of [NVME, NIC, FAR]) made(subject, device, second * 1000);
      expect([second, made(subject, DISK, second * 1000, 1)]).toEqual([second, 1]);
      clock.advance(1000);
    }
  });

  test("is never more than was allowed, however many devices ask", () => {
    const subject = diagnoser(64);
    const devices = Array.from({ length: 40 }, (_, index) => deviceID(`d${index}`));
    expect(devices.reduce((sum, device) => sum + made(subject, device, 0, 50), 0)).toBe(64);
  });

  test("of 0 lets nothing be walked", () => {
    expect(diagnoser(0).diagnose(at(1))).toBeUndefined();
    expect(walks).toEqual([]);
  });
});
