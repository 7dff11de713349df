import { beforeEach, describe, expect, test } from "vitest";
import type { PartHandle } from "../../../src/backends/backend.ts";
import { groupID } from "../../../src/backends/ids.ts";
import { attachUnlessHeld } from "../../../src/server/core/held-group.ts";
import { Failures, NVME, SMMU0, steConfig, type TestHost, testHost } from "../../support/host.ts";

const GROUP = groupID(2); // NVME's

let failures: Failures;
let host: TestHost;
let part: PartHandle;
beforeEach(async () => {
  failures = new Failures();
  host = testHost();
  part = await host.backend.createPart(await host.backend.createAddressSpace(), SMMU0);
});

const attach = (isHandedOut: boolean) =>
  attachUnlessHeld(failures.wrap(host.backend), { group: GROUP, part, isHandedOut });

test("a group that the backend attaches is attached, whoever holds it", async () => {
  host.standIns.hold(NVME);
  expect(await attach(true)).toBeUndefined();
  expect([failures.calls, steConfig(host, NVME)]).toEqual([["attach"], 0]);
});

describe("where the attach is refused", () => {
  beforeEach(() => failures.fail("attach"));

  test("a held group is told with what it was refused with, and withheld", async () => {
    host.standIns.hold(NVME);
    expect((await attach(true))?.facts).toEqual({ verb: "attach" });
    expect([failures.calls, steConfig(host, NVME)]).toEqual([["attach", "recall", "reclaim"], 0]);
  });

  test("one whose holder closed it meanwhile is attached all the same", async () => {
    expect(await attach(true)).toBeUndefined();
    expect(failures.calls).toEqual(["attach", "recall", "reclaim", "detach", "attach"]);
  });

  test("another reason is refused again, and thrown; the group is the host's", async () => {
    failures.fail("attach", 2);
    await expect(attach(true)).rejects.toMatchObject({ facts: { verb: "attach" } });
    expect(steConfig(host, NVME)).toBe(0b101);
  });

  test("a group that was never handed out is not looked at", async () => {
    host.standIns.hold(NVME);
    await expect(attach(false)).rejects.toMatchObject({ facts: { verb: "attach" } });
    expect(failures.calls).toEqual(["attach"]);
  });

  test("a look that fails is thrown: nothing says that anybody holds it", async () => {
    failures.fail("reclaim");
    await expect(attach(true)).rejects.toMatchObject({ facts: { verb: "reclaim" } });
  });
});
