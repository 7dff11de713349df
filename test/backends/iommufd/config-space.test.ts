import { expect, test } from "vitest";
import { pciCapabilities } from "../../../src/backends/iommufd/config-space.ts";
import { configSpace } from "../../support/fake-sysfs.ts";

const NONE = { pasidBits: 0, ats: false, pri: false };

test.each([
  ["nothing was read", undefined],
  ["an unprivileged reader gets 64 bytes", new Uint8Array(64)],
  ["a conventional function has 256 bytes", new Uint8Array(256)],
  ["the list is empty", new Uint8Array(4096)],
  ["the function does not answer", new Uint8Array(4096).fill(0xff)],
])("no capability is seen when %s", (_, config) => {
  expect(pciCapabilities(config)).toEqual(NONE);
});

test("a list that leads back into itself ends", () => {
  const config = configSpace([
    [0x01, 0],
    [0x0f, 0],
  ]);
  new DataView(config.buffer).setUint32(0x110, 0x1001_000f, true); // next: 0x100
  expect(pciCapabilities(config)).toEqual({ ...NONE, ats: true });
});

test("a list that leads out of config space ends", () => {
  const config = configSpace([[0x0f, 0]]);
  new DataView(config.buffer).setUint32(0x100, 0xffc1_000f, true); // next: 0xffc, where no capability fits
  expect(pciCapabilities(config)).toEqual({ ...NONE, ats: true });
});

test("a PASID width beyond 20 bits is 20", () => {
  expect(pciCapabilities(configSpace([[0x1b, 0x1f00]])).pasidBits).toBe(20);
});
