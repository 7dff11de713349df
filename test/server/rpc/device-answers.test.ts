import { expect, test } from "vitest";
import { deviceID, groupID, iommuID, streamID, virtualStreamID } from "../../../src/backends/ids.ts";
import { ABORT_VSTE, BYPASS_VSTE } from "../../../src/backends/vste.ts";
import type { DeviceView } from "../../../src/server/core/views.ts";
import { DeviceAnswers } from "../../../src/server/rpc/device-answers.ts";
import { BROKER } from "../../../src/server/rpc/services.ts";

const OWNER = "0e5bb0a0-5e53-4a6e-8f3a-5e4a4d4f1a01";
const VIEW: DeviceView = {
  id: deviceID("0000:01:00.0"),
  iommu: iommuID("smmu0"),
  group: groupID(3),
  groupDevices: [deviceID("0000:01:00.0")],
  streamIDs: [streamID(256)],
  state: "nest-parent",
  generation: 7,
  attached: true,
  owner: { id: OWNER, displayName: "vmm" },
  virtualIommu: "0e5bb0a0-5e53-4a6e-8f3a-5e4a4d4f1a02",
  virtualStreamID: virtualStreamID(5),
  vste: BYPASS_VSTE,
  stageAuthoritative: true,
  waiters: 0,
};
/** Another value for each field. */
const CHANGED: { readonly [K in keyof DeviceView]: DeviceView[K] } = {
  id: deviceID("0000:02:00.0"),
  iommu: iommuID("smmu1"),
  group: groupID(4),
  groupDevices: [deviceID("0000:01:00.0"), deviceID("0000:01:00.1")],
  streamIDs: [streamID(257)],
  state: "guest-abort",
  generation: 8,
  attached: false,
  owner: { id: OWNER, displayName: "another name" },
  virtualIommu: undefined,
  virtualStreamID: undefined,
  vste: ABORT_VSTE,
  stageAuthoritative: false,
  waiters: 1,
};

function decoded(answers: DeviceAnswers, view: DeviceView, viewer: string | undefined) {
  return BROKER.getDevice.response.decode(answers.bytes(view, viewer)).device;
}

test("a device that is as it was is answered with the same bytes", () => {
  const answers = new DeviceAnswers();
  expect(answers.bytes({ ...VIEW, owner: { id: OWNER, displayName: "vmm" } }, OWNER)).toBe(answers.bytes(VIEW, OWNER));
});

test.each(Object.keys(CHANGED))("a change of %s alone is in the next answer", (field) => {
  const answers = new DeviceAnswers();
  answers.bytes(VIEW, OWNER);
  const changed: DeviceView = {
    ...VIEW,
    ...Object.fromEntries(Object.entries(CHANGED).filter(([key]) => key === field)),
  };
  const fresh = new DeviceAnswers().bytes(changed, OWNER);
  expect(fresh.equals(answers.bytes(VIEW, OWNER))).toBe(false);
  expect(answers.bytes(changed, OWNER).equals(fresh)).toBe(true);
});

test("what a guest has installed is shown to its owner alone, whoever asked before", () => {
  const answers = new DeviceAnswers();
  for (const viewer of [OWNER, undefined, OWNER, "another session", undefined]) {
    const device = decoded(answers, VIEW, viewer);
    expect([device?.installedVste?.length, device?.virtualStreamId]).toEqual(viewer === OWNER ? [2, 5] : [0, null]);
  }
});

test("a device that changed hands shows nothing to who had it", () => {
  const answers = new DeviceAnswers();
  expect(decoded(answers, VIEW, OWNER)?.installedVste).toHaveLength(2);
  expect(decoded(answers, { ...VIEW, owner: { id: "heir", displayName: "vmm" } }, OWNER)?.installedVste).toEqual([]);
});

test("of more devices than are kept each has its own answer", () => {
  const answers = new DeviceAnswers();
  for (let pass = 0; pass < 2; pass++) {
    for (let generation = 1; generation <= 1030; generation++) {
      const id = deviceID(`d${generation}`);
      const device = decoded(answers, { ...VIEW, id, generation }, undefined);
      expect([device?.name, Number(device?.generation)]).toEqual([`devices/d${generation}`, generation]);
    }
  }
});
