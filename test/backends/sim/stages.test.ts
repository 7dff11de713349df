import { describe, expect, test } from "vitest";
import { virtualStreamID } from "../../../src/backends/ids.ts";
import { checkVSTE } from "../../../src/backends/vste.ts";
import { GuestTables } from "../../support/guest-tables.ts";
import { NVME, TWO_SMMUS } from "../../support/host.ts";
import { BufferFile } from "../../support/memory-file.ts";
import { mapping, smallHost } from "../../support/simulated-host.ts";
import { at, contextDescriptor } from "../../support/smmuv3-tables.ts";

const BASE = 0x4000_0000;
const WHERE = { substreamID: undefined, privileged: false, streamIndex: 0 } as const;

test("a verb for a group that is elsewhere is a bug, and its STE stays", async () => {
  const backend = smallHost();
  const nvme = backend.inventory.devices().find(({ id }) => id === NVME)!;
  const space = await backend.createAddressSpace();
  const [one, other] = [await backend.createPart(space, nvme.iommu), await backend.createPart(space, nvme.iommu)];
  await expect(backend.setPlainStage(nvme.group, one, "abort")).rejects.toThrow("is not attached to part");
  await backend.attach(nvme.group, one, "bypass");
  const before = backend.structures(NVME, 0, 0, undefined).ste;
  await expect(backend.attach(nvme.group, other, "abort")).rejects.toThrow("is attached already");
  await expect(backend.setPlainStage(nvme.group, other, "abort")).rejects.toThrow("is not attached to part");
  expect(backend.structures(NVME, 0, 0, undefined).ste).toEqual(before);
});

describe("a host that can stall transactions", () => {
  const idr0 = TWO_SMMUS.iommus[0]!.registers.idr0! & ~(3 << 24); // STALL_MODEL 0
  const registers = { idr0, idr5: 0x0010_0075 }; // STALL_MAX 16

  test("never stalls a guest's: S1STALLD makes a CD with S=1 bad, as a terminate-only guest expects", async () => {
    const backend = smallHost(registers);
    const [nvme] = backend.inventory.devices().filter(({ id }) => id === NVME);
    const file = new BufferFile("/memory/a", 2 ** 21);
    const space = await backend.createAddressSpace();
    await backend.map(space, [mapping(file, BASE)]);
    const part = await backend.createPart(space, nvme!.iommu);
    await backend.attach(nvme!.group, part, "abort");
    const tables = new GuestTables(file);
    const cd = tables.allocate(64);
    const vste = checkVSTE(0xbn | BigInt(cd), 0xd4n);
    const bound = { device: nvme!.id, part, virtualStreamID: virtualStreamID(0x30), vste };
    tables.writeCD(contextDescriptor(tables.root("4K"), { extra0: at(1, 44) }), cd); // CD.S [44]
    await backend.bindGuestStage(bound);
    const ask = async () => (await backend.translate(NVME, [{ ...WHERE, iova: 0n, access: "read" }]))[0]!;
    expect(await ask()).toMatchObject({ end: "abort", fault: { type: "C_BAD_CD" } });
    tables.poke(cd, tables.peek(cd) & ~at(1, 44));
    await backend.bindGuestStage(bound);
    expect(await ask()).toMatchObject({ end: "abort", fault: { type: "F_TRANSLATION", stage: 1 } });
    await backend.detach(nvme!.group); // CMD_STALL_TERM for the stream is legal here
    await backend.ping();
  });
});
