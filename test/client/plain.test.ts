import { expect, test } from "vitest";
import { plain, wire } from "../../src/client/plain.ts";
import { codec, iommubroker } from "../../src/server/rpc/codec.ts";

const DEVICE = codec(iommubroker.v1.Device);
const BIND = codec(iommubroker.v1.BindGuestStageRequest);

test("a message without a byte on the wire has every default, and nothing for what is optional", () => {
  expect(plain(DEVICE.decode(new Uint8Array()))).toEqual({
    name: "",
    iommu: "",
    iommuGroup: 0,
    groupDevices: [],
    streamIds: [],
    state: 0,
    generation: 0n,
    attached: false,
    ownerDisplayName: "",
    owner: "",
    virtualIommu: "",
    installedVste: [],
    stageAuthoritative: false,
    waiters: 0,
  });
});

test("64-bit fields go out and come back as bigint, in lists, maps and nested messages too", () => {
  const sent = {
    device: "devices/a",
    virtualStreamId: 0,
    expectedGeneration: 2n ** 64n - 1n,
    raw: { doubleword0: 2n ** 53n + 1n, doubleword1: 0n },
  };
  const bytes = BIND.encode(wire<iommubroker.v1.IBindGuestStageRequest>(sent));
  expect(plain(BIND.decode(bytes))).toMatchObject(sent);

  const watch = codec(iommubroker.v1.WatchFaultsRequest);
  const resumeAfter = { "devices/a": 2n ** 63n, "devices/b": 0n };
  const resumed = watch.encode(wire<iommubroker.v1.IWatchFaultsRequest>({ resumeAfter }));
  expect(plain(watch.decode(resumed)).resumeAfter).toEqual(resumeAfter);

  const structures = codec(iommubroker.v1.ReadStructuresResponse);
  const ste = [2n ** 64n - 1n, 0n];
  expect(
    plain(structures.decode(structures.encode(wire<iommubroker.v1.IReadStructuresResponse>({ ste })))).ste,
  ).toEqual(ste);
});

test("fields given as undefined are left out", () => {
  const bytes = BIND.encode(wire<iommubroker.v1.IBindGuestStageRequest>({ device: "d", raw: undefined }));
  expect(bytes).toEqual(BIND.encode({ device: "d" }));
});

test("a bigint that does not fit 64 bits never leaves", () => {
  expect(() => wire<iommubroker.v1.IRawSte>({ doubleword0: -1n })).toThrow("does not fit");
});
