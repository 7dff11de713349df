import { expect, test } from "vitest";
import { NVME } from "../../support/host.ts";
import { smallHost } from "../../support/simulated-host.ts";

test("a batch of invalidations ends its turn every few commands", async () => {
  const backend = smallHost();
  const [nvme] = backend.inventory.devices().filter(({ id }) => id === NVME);
  const part = await backend.createPart(await backend.createAddressSpace(), nvme!.iommu);
  const all = { opcode: 0x10, dword0: 0x10n, dword1: 0n }; // CMD_TLBI_NH_ALL: the TLBs are looked through
  let others = 0;
  const other = (): void => {
    others += 1;
    if (others < 10) setImmediate(other);
  };
  setImmediate(other);
  await backend.invalidate(
    [part],
    Array.from({ length: 128 }, () => all),
  );
  expect(others).toBeGreaterThanOrEqual(4);
});

test("a command that names no device of the part is not issued", async () => {
  const backend = smallHost();
  const nvme = backend.inventory.devices().find(({ id }) => id === NVME)!;
  const part = await backend.createPart(await backend.createAddressSpace(), nvme.iommu);
  await backend.attach(nvme.group, part, "bypass");
  const issued = async (opcode: number) => {
    const before = backend.counters().iommus[0]!.commands!;
    // StreamID [63:32]: no device is called 0x30 yet
    await backend.invalidate([part], [{ opcode, dword0: BigInt(opcode) | (0x30n << 32n), dword1: 0n }]);
    return backend.counters().iommus[0]!.commands! - before;
  };
  expect(await issued(0x11)).toBe(2); // CMD_TLBI_NH_ASID and CMD_SYNC
  expect(await issued(0x05)).toBe(1); // CMD_CFGI_CD: CMD_SYNC alone
});
