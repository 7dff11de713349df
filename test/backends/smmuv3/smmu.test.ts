// The whole SMMU against garbage: whatever a guest writes, nothing throws and work stays bounded.
import { expect, test } from "vitest";
import { COMMAND_QUEUE, Machine, OFFSET, STREAM_TABLE } from "../../support/smmuv3-machine.ts";

/** xorshift32: the seed is in the test's name. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

test.each([1, 2, 3, 4, 5])("random STEs, CDs, tables and commands throw nothing (seed %i)", (seed) => {
  const machine = new Machine({ eventqBits: 5 });
  const next = random(seed);
  const dword = (): bigint => (BigInt(next()) << 32n) | BigInt(next());
  const area = 0x4010_0000;
  // pointers that hit RAM now and then: tables and CDs within 1 MiB of the area
  const pointer = (): bigint => BigInt(area + (next() % 0x10_0000)) & ~7n;
  for (let offset = 0; offset < 0x10_0000; offset += 8) {
    const kind = next() % 4;
    machine.poke(
      area + offset,
      kind === 0 ? dword() : kind === 1 ? 0n : pointer() | 3n | (dword() & 0xfff0_0000_0000_0ff0n),
    );
  }
  for (let streamID = 0; streamID < 256; streamID++) {
    machine.poke(STREAM_TABLE + streamID * 64, (pointer() & ~0x3fn) | 1n | BigInt(next() % 64));
    for (let index = 1; index < 8; index++)
      machine.poke(STREAM_TABLE + streamID * 64 + index * 8, index === 3 ? pointer() : dword());
  }
  for (let round = 0; round < 3000; round++) {
    const ssid = next() % 2 === 0 ? {} : { ssid: next() % 2 ** 20 };
    const access = (["read", "write", "execute"] as const)[next() % 3]!;
    const outcome = machine.access(next() % 300, dword() >> BigInt(next() % 60), access, {
      ...ssid,
      privileged: next() % 2 === 0,
    });
    expect(["ok", "abort", "raz-wi", "stalled"]).toContain(outcome.kind);
  }
  for (let round = 0; round < 500; round++) {
    for (let word = 0; word < 64 * 2; word++)
      machine.poke(COMMAND_QUEUE + word * 8, word % 2 === 0 ? (dword() & ~0xffn) | BigInt(next() % 0x50) : dword());
    machine.smmu.write32(OFFSET.CMDQ_PROD, next());
    machine.smmu.write32(OFFSET.GERRORN, machine.smmu.read32(OFFSET.GERROR));
    machine.smmu.write32(next() % 0x200, next());
    machine.smmu.write32(OFFSET.CR0, 0b1101);
  }
  expect(machine.smmu.counters.transaction).toBeGreaterThanOrEqual(3000);
});
