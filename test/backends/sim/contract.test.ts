import { expect, test } from "vitest";
import { createSimulatedBackend } from "../../../src/backends/sim/backend.ts";
import type { ContractSubject } from "../../contract/subject.ts";
import { refusal, TWO_SMMUS, turn } from "../../support/host.ts";
import { BufferFile } from "../../support/memory-file.ts";
import { backendContract } from "../contract.ts";

class PokedFile extends BufferFile {
  poke(offset: number, value: bigint): void {
    new DataView(this.data.buffer).setBigUint64(offset, value, true);
  }
}

test("a part that cannot be filled leaves no VMID behind, nor one that finds none", async () => {
  const idr0 = TWO_SMMUS.iommus[0]!.registers.idr0! & ~(1 << 18); // VMID16 0: 255 of them
  const iommus = [{ id: "smmu0", registers: { ...TWO_SMMUS.iommus[0]!.registers, idr0 } }];
  const backend = createSimulatedBackend({ iommus, devices: [] });
  const [host] = backend.inventory.iommus();
  const file = new BufferFile("/memory/a", 8192);
  const page = { bytes: 4096, file, offset: 0, readable: true, writable: true };
  const twice = await backend.createAddressSpace();
  await backend.map(twice, [{ ...page, ipa: 0 }]);
  await backend.map(twice, [{ ...page, ipa: 2 ** 48 }]); // beyond 48 bits: core never lets it come this far
  await expect(backend.createPart(twice, host!.id)).rejects.toThrow();
  const space = await backend.createAddressSpace();
  const parts = [];
  for (let count = 0; count < 255; count += 1) parts.push(await backend.createPart(space, host!.id));
  const error = await refusal(() => backend.createPart(space, host!.id));
  expect(error).toMatchObject({ code: "limit_reached", facts: { limit: "vmids", maximum: 255 } });
  await backend.destroyPart(parts[7]!);
  await backend.createPart(space, host!.id);
});

let serial = 0;

/** As TWO_SMMUS, and a device that stalls behind an SMMU of its own kind: STALL_MODEL 0, STALL_MAX 16 (§6.3.1, §6.3.6). */
const [FIRST, ...OTHERS] = TWO_SMMUS.iommus;
const STALLS = { ...FIRST!.registers, idr0: FIRST!.registers.idr0! & ~(3 << 24), idr5: 0x0010_0075 };
const CONFIG = {
  iommus: [{ id: FIRST!.id, registers: STALLS }, ...OTHERS],
  devices: [...TWO_SMMUS.devices, { id: "dsp", iommu: "smmu0", group: 9, streamIDs: [0x300], stall: true }],
};

async function subject(): Promise<ContractSubject> {
  const backend = createSimulatedBackend(CONFIG);
  const devices = backend.inventory.devices();
  const access = { substreamID: undefined, privileged: false, streamIndex: 0, kind: "read", bytes: 8 } as const;
  const named = (name: string) => devices.find(({ id }) => id === name)!;
  const { group } = named("0000:02:00.0");
  return {
    backend,
    single: named("0000:01:00.0"),
    other: named("0000:00:01.0"),
    means: {
      streamTable: async (device) => backend.structures(device, 0, 0, undefined).ste,
      dma: async (device, iova) => (await backend.dma(device, [{ ...access, iova: BigInt(iova) }]))[0]!.end,
      group: { id: group, members: devices.filter((device) => device.group === group).map(({ id }) => id) },
      stalls: named("dsp"),
      hostPreview: true,
      stage2Faults: true,
    },
    file: (bytes) => new PokedFile(`/memory/${++serial}`, bytes),
    settle: async (isEnough = () => true) => {
      for (let turns = 0; turns < 1 || (turns < 4 && !isEnough()); turns += 1) await turn();
    },
    end: async () => {},
  };
}

backendContract("simulated", { make: subject, lacks: {}, casesMin: 34 });
