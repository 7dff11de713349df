// The SMMU's own MSIs at their edges; what raises them is in test/judge/interrupts.test.ts (§3.18, §3.4.3).
import { expect, test } from "vitest";
import { errorsOf, GlobalErrors } from "../../../src/backends/smmuv3/gerror.ts";
import { featuresOf } from "../../../src/backends/smmuv3/id-registers.ts";
import { MemoryMap, RamRegion } from "../../../src/backends/smmuv3/memory.ts";
import { MSI_SOURCE, MsiWriter } from "../../../src/backends/smmuv3/msi.ts";
import { GERROR } from "../../../src/spec/registers.ts";
import { IDS } from "../../support/smmuv3-machine.ts";

const RAM = 0x4000_0000;

function writer(idr0: number) {
  const memory = new MemoryMap();
  memory.add(new RamRegion(RAM, 0x1000));
  const features = featuresOf({ ...IDS, idr0 });
  const errors = new GlobalErrors(errorsOf(features), () => {});
  const read = (pa: number): bigint => {
    if (!memory.read64(pa)) throw new Error("nothing there");
    return (BigInt(memory.hi) << 32n) | BigInt(memory.lo);
  };
  return { msi: new MsiWriter({ memory, features, errors }), errors, read, memory };
}

const WITH_MSI = IDS.idr0 | (1 << 13);

test("four bytes are written and not one more", () => {
  const { msi, read, memory } = writer(WITH_MSI);
  memory.write64(RAM, 0x1111_1111, 0x2222_2222);
  msi.write(RAM + 4, 0xcafe_f00d, GERROR.MSI_CMDQ_ABT_ERR);
  expect(read(RAM)).toBe(0xcafe_f00d_1111_1111n);
});

test("an ADDR wider than the OAS is truncated to it", () => {
  const { msi, read } = writer(WITH_MSI);
  const registers = new Map([
    [0xb0, RAM],
    [0xb4, 0x4_0000], // address[50], OAS 48
    [0xb8, 0x77],
  ]);
  msi.signal(MSI_SOURCE.eventQueue, (offset) => registers.get(offset) ?? 0);
  expect(read(RAM)).toBe(0x77n);
});

test("without IDR0.MSI nothing is written and nothing fails", () => {
  const { msi, read, errors } = writer(IDS.idr0);
  msi.write(RAM, 0x77, GERROR.MSI_CMDQ_ABT_ERR);
  msi.write(0, 0x77, GERROR.MSI_CMDQ_ABT_ERR);
  expect([read(RAM), errors.gerror]).toEqual([0n, 0]);
});

test.each([
  ["the Event queue", MSI_SOURCE.eventQueue, 0xb0, 1 << 5],
  ["global errors", MSI_SOURCE.gerror, 0x68, 1 << 7],
  ["the PRI queue", MSI_SOURCE.priQueue, 0xd0, 1 << 6],
] as const)("%s: address and data come from the registers, an abort from the address", (_, source, offset, error) => {
  const { msi, read, errors } = writer(WITH_MSI);
  const registers = new Map([
    [offset, RAM + 8],
    [offset + 8, 0xab],
  ]);
  const readRegister = (at: number): number => registers.get(at) ?? 0;
  msi.signal(source, readRegister);
  expect([read(RAM + 8), errors.gerror]).toEqual([0xabn, 0]);
  registers.set(offset + 4, 1);
  msi.signal(source, readRegister);
  expect(errors.gerror).toBe(error);
});

test("ADDR=0 sends nothing, also when only bits above the OAS are set", () => {
  const { msi, errors } = writer(WITH_MSI);
  msi.signal(MSI_SOURCE.eventQueue, () => 0);
  msi.signal(MSI_SOURCE.eventQueue, (offset) => (offset === 0xb4 ? 0x1_0000 : 0)); // address[48], OAS 48
  expect(errors.gerror).toBe(0);
});
