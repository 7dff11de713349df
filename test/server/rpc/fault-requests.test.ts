import { expect, test } from "vitest";
import { BrokerError } from "../../../src/backends/errors.ts";
import { parseWatchFaults } from "../../../src/server/rpc/fault-requests.ts";
import { BROKER } from "../../../src/server/rpc/services.ts";

const HEARTBEAT_MS = 10_000;

function asking(types: string[]) {
  const { request } = BROKER.watchFaults;
  return parseWatchFaults(request.decode(request.encode({ types })), HEARTBEAT_MS);
}

function refusalOf(types: string[]): BrokerError["fields"] {
  try {
    asking(types);
  } catch (error) {
    if (error instanceof BrokerError) return error.fields;
    throw error;
  }
  return [];
}

test("no types are all types", () => {
  expect(asking([]).types).toBeUndefined();
});

test("the names are those of the specification, and PAGE_REQUEST", () => {
  // IHI 0070G.b §7.3: a fault record of each kind; E_PAGE_REQUEST is the hardware's hint, PAGE_REQUEST the queue's own.
  const types = ["F_UUT", "C_BAD_STE", "F_WALK_EABT", "F_PERMISSION", "E_PAGE_REQUEST", "F_VMS_FETCH", "PAGE_REQUEST"];
  expect([...(asking(types).types ?? [])]).toEqual(types);
});

test.each([
  ["c_bad_cd", "did you mean C_BAD_CD?"],
  ["F_TRANSLATIONS", "did you mean F_TRANSLATION?"],
  ["nonsense".repeat(100_000), "known are F_UUT, C_BAD_STREAMID,"],
])("a name that is none is answered with its path and the nearest there is", (type, hint) => {
  const fields = refusalOf(["C_BAD_CD", type]);
  expect(fields).toEqual([{ path: "types[1]", description: expect.stringContaining(hint) }]);
  expect(fields[0]?.description.length).toBeLessThan(400);
});
