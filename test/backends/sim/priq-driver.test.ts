import { beforeEach, describe, expect, test } from "vitest";
import type { StreamOwner } from "../../../src/backends/fault-record.ts";
import type { FaultNotice } from "../../../src/backends/faults.ts";
import { deviceID, virtualStreamID } from "../../../src/backends/ids.ts";
import { Endpoints } from "../../../src/backends/sim/endpoints.ts";
import { Frames } from "../../../src/backends/sim/frames.ts";
import { SimulatedInventory } from "../../../src/backends/sim/inventory.ts";
import { nestedSTE } from "../../../src/backends/sim/make-ste.ts";
import { GROUPS_PENDING_MAX, PriQueueDriver } from "../../../src/backends/sim/priq-driver.ts";
import { SmmuDriver } from "../../../src/backends/sim/smmu-driver.ts";
import { MemoryMap } from "../../../src/backends/smmuv3/memory.ts";
import type { PageRequest, PageResponse } from "../../../src/backends/smmuv3/smmu.ts";
import { checkVSTE } from "../../../src/backends/vste.ts";
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
let pages: PriQueueDriver;
let heard: FaultNotice[];
/** Stream 8, once its STE is a guest's. */
let owner: StreamOwner | undefined;
beforeEach(() => {
  heard = [];
  owner = undefined;
  let cookie = 0;
  const memory = new MemoryMap();
  endpoints = new Listening();
  driver = new SmmuDriver(HOST!, memory, new Frames(memory), {
    onEvents: () => {},
    onPageRequests: () => pages.schedule(),
    endpoints,
  });
  pages = new PriQueueDriver({
    driver,
    memory,
    findOwner: () => owner,
    nextCookie: () => ++cookie,
    deliver: (notice) => void heard.push(notice),
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

describe("the requests of a stream whose STE is a guest's, with EATS=1,", () => {
  const told = () => heard.flatMap((notice) => (notice.kind === "fault" ? [notice.fault] : []));
  /** V, Config 0b101, EATS [93:92] (§5.2). */
  const nested = (eats: bigint) =>
    nestedSTE(
      checkVSTE(0xbn, 0xd4n | (eats << 28n)),
      { vmid: 3, root: 0x1000, ipaBits: 48, s2sl0: 2 },
      driver.features,
      { ats: true },
    );
  beforeEach(() => {
    owner = { device: deviceID("gpu"), virtualStreamID: virtualStreamID(0x30) };
    driver.installSTE(8, nested(1n));
  });

  test("are told one by one, and only the last of a group waits", async () => {
    driver.smmu.pageRequest({ ...REQUEST, last: false, write: true });
    driver.smmu.pageRequest({ ...REQUEST, substreamID: 5, execute: true, privileged: true });
    await turn();
    const [first, second] = told();
    expect(first).toMatchObject({ pending: undefined, pageRequest: { last: false, write: true, groupIndex: 3 } });
    expect(second).toMatchObject({
      substreamID: 5,
      instruction: true,
      privileged: true,
      pending: { kind: "page-request", cookie: 1 },
    });
    // SSV 63, Last 62, R 60, X 59, Priv 58, SubstreamID [51:32], StreamID (§8)
    expect(new DataView(second!.record.buffer).getBigUint64(0, true)).toBe(0xdc00_0005_0000_0030n);
    expect(endpoints.heard).toEqual([]);
    pages.answer(8, 1, "success");
    expect(endpoints.heard).toEqual([{ streamID: 8, substreamID: 5, prgIndex: 3, response: "success" }]);
    expect(pages.isPending(deviceID("gpu"), 8, 1)).toBe(false);
  });

  test("are told neither when they are Stop markers nor when the SMMU has answered them (§8.1)", async () => {
    driver.smmu.pageRequest({ ...REQUEST, substreamID: 5, read: false });
    for (let count = 0; count < 3; count += 1) driver.smmu.pageRequest({ ...REQUEST, prgIndex: count });
    expect(driver.smmu.pageRequest({ ...REQUEST, prgIndex: 9 })).toBe("auto-response");
    await turn();
    expect(told().map(({ pageRequest }) => pageRequest?.groupIndex)).toEqual([0, 1, 2]);
    expect(endpoints.heard).toEqual([{ streamID: 8, substreamID: undefined, prgIndex: 9, response: "success" }]);
  });

  test("are refused by the host where EATS is 0", async () => {
    driver.installSTE(8, nested(0n));
    driver.smmu.pageRequest(REQUEST);
    await turn();
    expect(told()).toEqual([]);
    expect(endpoints.heard.map(({ response }) => response)).toEqual(["failure"]);
  });

  test("wait as far as PRGIndex tells them apart: one group more fails at once", () => {
    for (let count = 0; count <= GROUPS_PENDING_MAX; count += 1) {
      driver.smmu.pageRequest({ ...REQUEST, prgIndex: count % 512 });
      pages.drain();
    }
    expect(told()).toHaveLength(512);
    expect(endpoints.heard).toEqual([{ streamID: 8, substreamID: undefined, prgIndex: 0, response: "failure" }]);
    pages.end([8]);
    expect(heard.filter(({ kind }) => kind === "ended")).toHaveLength(512);
    pages.end([8]);
    expect(endpoints.heard).toHaveLength(513);
  });
});
