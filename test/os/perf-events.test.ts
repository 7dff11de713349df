// struct perf_event_attr by hand after include/uapi/linux/perf_event.h: type@0, size@4, config@8, flags@40 (bit 2 pinned).

import { expect, test } from "vitest";
import { perfAttr, perfEvents } from "../../src/os/perf-events.ts";

test("an event is asked for as the kernel's header has it, pinned", () => {
  const view = new DataView(perfAttr({ type: 11, config: 0x0304 }).buffer);
  expect([view.byteLength, view.getUint32(0, true), view.getUint32(4, true)]).toEqual([64, 11, 64]);
  const [at8, at16, at40, at56] = [8, 16, 40, 56].map((offset) => view.getBigUint64(offset, true));
  expect([at8, at16, at40, at56]).toEqual([0x0304n, 0n, 4n, 0n]);
});

// PERF_TYPE_SOFTWARE 1, PERF_COUNT_SW_CPU_CLOCK 0: nanoseconds of CPU 0, where whoever runs this may look at a whole CPU.
test("a counter of the kernel's is opened, grows, and is closed; or the errno says why not", () => {
  const fd = perfEvents.open({ type: 1, config: 0, cpu: 0 });
  if (fd < 0) {
    expect([1, 13, 38]).toContain(-fd); // EPERM, EACCES, ENOSYS
    return;
  }
  const first = perfEvents.readNow(fd)!;
  expect(perfEvents.readNow(fd)!).toBeGreaterThan(first);
  perfEvents.close(fd);
});

test("a PMU that is not there is refused", () => {
  expect(perfEvents.open({ type: 0x7fff_ffff, config: 0, cpu: 0 })).toBeLessThan(0);
});
