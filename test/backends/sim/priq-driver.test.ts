import { beforeEach, describe, expect, test } from "vitest";
import { Endpoints } from "../../../src/backends/sim/endpoints.ts";
import { Frames } from "../../../src/backends/sim/frames.ts";
import { SimulatedInventory } from "../../../src/backends/sim/inventory.ts";
import { PriQueueDriver } from "../../../src/backends/sim/priq-driver.ts";
import { SmmuDriver } from "../../../src/backends/sim/smmu-driver.ts";
import { MemoryMap } from "../../../src/backends/smmuv3/memory.ts";
import type { PageRequest, PageResponse } from "../../../src/backends/smmuv3/smmu.ts";
import { TWO_SMMUS, turn } from "../../support/host.ts";

const [FIRST] = TWO_SMMUS.iommus;
/** IDR0.ATS and PRI; IDR1.PRIQS 2: four entries. */
const REGISTERS = {
  ...FIRST!.registers,
  idr0: FIRST!.registers.idr0! | 0x1_0400,
  idr1: FIRST!.registers.idr1! | 0x1000,
};
const [HOST] = new SimulatedInventory({ iommus: [{ id: "smmu0", registers: REGISTERS }], devices: [] }).iommus();
const REQUEST: PageRequest = {
  streamID: 8,
  address: 0x1000n,
  read: true,
  write: false,
  execute: false,
  privileged: false,
  last: true,
  prgIndex: 3,
};

class Listening extends Endpoints {
  readonly heard: PageResponse[] = [];

  override pageResponse(response: PageResponse): void {
    this.heard.push(response);
  }
}

let endpoints: Listening;
let driver: SmmuDriver;
beforeEach(() => {
  const memory = new MemoryMap();
  endpoints = new Listening();
  driver = new SmmuDriver(HOST!, memory, new Frames(memory), {
    onEvents: () => {},
    onPageRequests: () => pages.schedule(),
    endpoints,
  });
  const pages = new PriQueueDriver({
    driver,
    memory,
    findOwner: () => undefined,
    nextCookie: () => 1,
    deliver: () => {},
  });
});

describe("without a handler the host", () => {
  test("answers the last request of a group with a failure, as Linux does, on a later turn", async () => {
    expect(driver.smmu.pageRequest({ ...REQUEST, last: false })).toBe("queued");
    expect(driver.smmu.pageRequest({ ...REQUEST, substreamID: 5 })).toBe("queued");
    expect(endpoints.heard).toEqual([]);
    await turn();
    expect(endpoints.heard).toEqual([{ streamID: 8, substreamID: 5, prgIndex: 3, response: "failure" }]);
  });

  test("takes Stop markers off without an answer", async () => {
    driver.smmu.pageRequest({ ...REQUEST, substreamID: 5, read: false });
    await turn();
    expect(endpoints.heard).toEqual([]);
    for (let count = 0; count < 4; count += 1) expect(driver.smmu.pageRequest(REQUEST)).toBe("queued");
  });

  test("acknowledges an overflow, after which requests are taken again, round the end of the queue", async () => {
    for (let count = 0; count < 4; count += 1) driver.smmu.pageRequest({ ...REQUEST, prgIndex: count });
    expect(driver.smmu.pageRequest({ ...REQUEST, prgIndex: 9 })).toBe("auto-response");
    await turn();
    expect(endpoints.heard.map(({ prgIndex, response }) => `${prgIndex} ${response}`)).toEqual([
      "9 success",
      "0 failure",
      "1 failure",
      "2 failure",
      "3 failure",
    ]);
    for (let round = 0; round < 3; round += 1) {
      for (let count = 0; count < 3; count += 1) expect(driver.smmu.pageRequest(REQUEST)).toBe("queued");
      await turn();
    }
    expect(endpoints.heard).toHaveLength(14);
  });
});
