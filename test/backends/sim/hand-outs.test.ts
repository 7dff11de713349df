import { beforeEach, expect, test } from "vitest";
import { deviceID, groupID, iommuID, streamID } from "../../../src/backends/ids.ts";
import { HandOuts } from "../../../src/backends/sim/hand-outs.ts";
import { FakeStandIns, refusal } from "../../support/host.ts";

const GROUP = groupID(3);
const [FIRST, SECOND] = [deviceID("first"), deviceID("second")];
const DEVICES = [FIRST, SECOND].map((id, index) => ({
  id,
  iommu: iommuID("smmu0"),
  group: GROUP,
  streamIDs: [streamID(index)],
  pasidBits: 0,
  ats: false,
}));

let standIns: FakeStandIns;
let handOuts: HandOuts;
beforeEach(() => {
  standIns = new FakeStandIns();
  handOuts = new HandOuts({ standIns, devicesOf: () => DEVICES });
});

test("a device has one open file of each kind, however often it is asked for", () => {
  handOuts.open(FIRST, ["simulated-iommufd", "simulated-cdev"]);
  handOuts.open(FIRST, ["simulated-iommufd", "simulated-cdev"]);
  expect(handOuts.of(FIRST).map(({ kind }) => kind)).toEqual(["simulated-iommufd", "simulated-cdev"]);
  expect(standIns.own.get(FIRST)).toEqual(handOuts.of(FIRST).map(({ fd }) => fd));
});

test("a group is held while anybody holds one of its devices', and the end of it is told by its group", () => {
  const closed: number[] = [];
  handOuts.onClosed((group) => closed.push(group));
  handOuts.open(SECOND, ["simulated-cdev"]);
  standIns.hold(SECOND);
  handOuts.letGo(GROUP);
  expect([handOuts.isHeld(GROUP), standIns.own.size]).toEqual([true, 0]);
  standIns.closeAll(SECOND);
  expect([handOuts.isHeld(GROUP), closed]).toEqual([false, [GROUP]]);
});

test("without a descriptor socket nothing is handed out, and the remedy is named", async () => {
  const none = new HandOuts({ standIns: undefined, devicesOf: () => DEVICES });
  const error = await refusal(() => none.open(FIRST, ["simulated-cdev"]));
  expect([error.code, error.message]).toEqual(["backend_unsupported", expect.stringContaining("listen.fd_socket")]);
  expect(none.isHeld(GROUP)).toBe(false);
});
