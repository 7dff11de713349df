import { beforeEach, describe, expect, test } from "vitest";
import type { FaultListRequest } from "../../../src/server/core/fault-verbs.ts";
import { FaultWorld } from "../../support/fault-world.ts";
import { wordsOf } from "../../support/faults.ts";
import { NIC, NVME, refusal } from "../../support/host.ts";

let world: FaultWorld;
let owner: string;
beforeEach(() => {
  world = new FaultWorld();
  owner = world.open("owner");
  for (const device of [NVME, NIC]) world.give(device, owner);
  world.record(NVME, 2);
  world.record(NIC);
  world.record(NVME, 1, { type: "C_BAD_CD" });
});

const list = (over: Partial<FaultListRequest> = {}) => pageFor(owner, over);
const pageFor = (session: string | undefined, over: Partial<FaultListRequest> = {}) => {
  const page = world.router.list(session, { devices: [], types: [], pageSize: 100, pageToken: "", ...over });
  return { events: page.events.map(wordsOf), token: page.nextPageToken };
};

test("the newest first, over all devices in the order in which they were recorded", () => {
  expect(list()).toEqual({ events: [`${NVME}#3`, `${NIC}#1`, `${NVME}#2`, `${NVME}#1`], token: "" });
});

test("a filter by device and by type", () => {
  expect(list({ devices: [NIC] }).events).toEqual([`${NIC}#1`]);
  expect(list({ types: ["C_BAD_CD", "F_ACCESS"] }).events).toEqual([`${NVME}#3`]);
});

describe("pages", () => {
  test("go on where the last one ended, whatever came and went meanwhile", () => {
    const first = list({ pageSize: 2 });
    expect(first.events).toEqual([`${NVME}#3`, `${NIC}#1`]);
    world.record(NVME, 6); // the ring of eight loses #1
    expect(list({ pageSize: 2, pageToken: first.token })).toEqual({ events: [`${NVME}#2`], token: "" });
  });

  test("that end with the last event have no next one", () => {
    expect(list({ pageSize: 4 }).token).toBe("");
    expect(list({ pageSize: 3 }).token).not.toBe("");
  });

  test.each([0, -1])("of size %d have one event", (pageSize) => {
    expect(list({ pageSize }).events).toEqual([`${NVME}#3`]);
  });
});

describe("a page token", () => {
  test("is good for the request it was made for", () => {
    const { token } = list({ pageSize: 1 });
    for (const over of [{ devices: [NVME] }, { types: ["C_BAD_CD"] }]) {
      expect(() => list({ ...over, pageToken: token })).toThrow(/page_token/);
    }
    expect(() => pageFor(undefined, { pageToken: token })).toThrow(/page_token/);
    expect(list({ pageToken: token, pageSize: 9 }).events).toHaveLength(3);
  });

  test.each(["x", "1.x", ".", "-1.digest", "9007199254740993"])(
    "that was made up (%s) is refused",
    async (pageToken) => {
      const error = await refusal(() => list({ pageToken }));
      expect([error.code, error.fields.map(({ path }) => path)]).toEqual(["argument_invalid", ["page_token"]]);
    },
  );

  test("of before a restart is refused", () => {
    const { token } = list({ pageSize: 1 });
    world = new FaultWorld({ after: world });
    owner = world.open("owner");
    expect(() => list({ pageToken: token })).toThrow(/since the broker was started/);
  });
});

test("an observer sees what a device had with its last owner, whom nobody else does", () => {
  world.takeBack(NVME);
  expect(pageFor(undefined).events).toHaveLength(4);
  expect(list().events).toEqual([`${NIC}#1`]);
});
