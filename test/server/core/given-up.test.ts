// A restart that cannot restore a session, and a second one: what was given up stays given up.

import { expect, test } from "vitest";
import {
  addFile,
  attach,
  CALLER,
  DISK,
  type Guest,
  guest,
  NIC,
  refusal,
  type TestHost,
  testHost,
} from "../../support/host.ts";

/** A broker that starts on what others noted, with the memory files that are named. */
async function restarted(hosts: readonly TestHost[], files: readonly string[]): Promise<TestHost> {
  const next = testHost();
  for (const path of files) addFile(next, path, 2 ** 21);
  await next.core.recover(hosts.flatMap(({ durable }) => durable));
  return next;
}

async function lostOne(): Promise<{ first: TestHost; second: TestHost; one: Guest }> {
  const first = testHost();
  await first.core.recover([]);
  const one = await guest(first, { name: "one" });
  const two = await guest(first, { name: "two" });
  await attach(first, one, NIC, "bypass");
  await attach(first, two, DISK, "bypass");
  const second = await restarted([first], ["/memory/two"]); // the other one's is gone
  return { first, second, one };
}

test("a session that could not be restored does not come back when its file does", async () => {
  const { first, second, one } = await lostOne();
  expect(second.core.devices.get(NIC)).toMatchObject({ state: "default-domain", owner: undefined, generation: 2 });
  const third = await restarted([first, second], ["/memory/one", "/memory/two"]);
  expect(third.core.devices.get(NIC)).toMatchObject({ state: "default-domain", owner: undefined, generation: 2 });
  expect((await refusal(() => third.core.sessions.authenticate(one.token, CALLER))).code).toBe("unauthenticated");
  expect(third.core.census()).toEqual(second.core.census());
});

test("one that was restored is not told of again", async () => {
  const { second } = await lostOne();
  const told = second.durable.map((record) => (record.type === "group" ? `group ${record.value.state}` : record.type));
  // One session, its address space and virtual IOMMU, its group with its one device.
  expect(told.sort()).toEqual([
    "addressSpaceGone",
    "device",
    "faultNumbers", // of the other one's device: the next block
    "group default-domain",
    "inventoryEpoch", // of this life of the broker
    "sessionAbsence", // of the one that waits for its owner
    "sessionGone",
    "virtualIommuGone",
  ]);
});
