// The whole SMMU against garbage: whatever a guest writes, nothing throws and work stays bounded.
import { describe, expect, test } from "vitest";
import { MemoryMap, RamRegion } from "../../../src/backends/smmuv3/memory.ts";
import { IDR0_ATS, JudgeMachine, PRI_QUEUE } from "../../support/judge-machine.ts";
import { COMMAND_QUEUE, Machine, OFFSET, STREAM_TABLE } from "../../support/smmuv3-machine.ts";
import { contextDescriptor, OPEN, stage1STE } from "../../support/smmuv3-tables.ts";

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

describe("tables beside a multiple of 4 GiB", () => {
  /** 4 MiB of memory across 4 GiB; a stage 1 whose table of level 2 is where `next` says. */
  function straddling(next: number): Machine {
    const memory = new MemoryMap();
    memory.add(new RamRegion(0xffe0_0000, 0x40_0000));
    const machine = new Machine({ memory });
    const [root, last] = [0xffe1_0000, 0xffe2_0000];
    machine.poke(root, BigInt(next) | 3n);
    machine.poke(0x1_0000_1000, BigInt(last) | 3n);
    machine.poke(last, 0x4800_0000n | OPEN | 3n);
    machine.writeSTE(1, stage1STE(machine.writeCD(contextDescriptor(root))));
    machine.read(1, 0); // the last stretch of memory that held a table is known now
    return machine;
  }

  test("a pointer below it to no memory is an external abort, whatever lies 4 GiB above", () => {
    const machine = straddling(0x1000);
    for (const round of [1, 2]) {
      const fault = { type: "F_WALK_EABT", stage: 1, class: "TTD", fetchAddress: 0x1000 };
      expect(machine.read(1, 0), `round ${round}`).toMatchObject({ kind: "abort", fault });
    }
  });

  test("a pointer to memory above it is followed", () => {
    expect(straddling(0x1_0000_1000).outcome(1, 0)).toBe(0x4800_0000);
  });
});

describe("what no wire can carry", () => {
  const request = { streamID: 1, iova: 0n, noWrite: true, privileged: false, execute: false };
  const page = {
    streamID: 1,
    address: 0n,
    read: true,
    write: false,
    execute: false,
    privileged: false,
    last: true,
    prgIndex: 1,
  };
  const access = { streamID: 1, iova: 0n, access: "read", privileged: false } as const;

  function machine(): JudgeMachine {
    const judge = new JudgeMachine({ idr0: IDR0_ATS, idr1: 0x0108_4210 }); // PRIQS 8
    judge.smmu.write64(0xc0, BigInt(PRI_QUEUE) | 2n);
    judge.smmu.write32(0x20, 0xf);
    return judge;
  }

  test("an address has 64 bits, translated or not", () => {
    const { smmu } = machine();
    const translated = { ...access, translated: true };
    expect(smmu.translate({ ...translated, iova: -1n })).toMatchObject({ kind: "abort", fault: undefined }); // beyond the OAS
    expect(smmu.translate({ ...translated, iova: 2n ** 64n + 0x1000n })).toMatchObject({ kind: "ok", pa: 0x1000 });
    expect(smmu.explain({ ...translated, iova: -1n }).outcome).toMatchObject({ kind: "abort" });
    const wrapped = smmu.explain({ ...translated, iova: 2n ** 64n + 0x1000n });
    expect(wrapped.outcome).toMatchObject({ kind: "ok", pa: 0x1000n });
    smmu.write32(0x20, 0xe); // SMMUEN=0: a request is refused with its address
    const fault = { type: "F_BAD_ATS_TREQ", inputAddr: 0xffff_ffff_ffff_f000n };
    expect(smmu.translationRequest({ ...request, iova: -0x1000n })).toMatchObject({ fault });
  });

  test("a page request's address has 64 bits", () => {
    const judge = machine();
    expect(judge.smmu.pageRequest({ ...page, address: 2n ** 64n + 0x5000n })).toBe("queued");
    expect(judge.get(PRI_QUEUE + 8)).toBe(0x5001n); // address[63:12] in [127:76], PRGIndex in [72:64]
  });

  test.each([-1, 2 ** 32, 1.5, Number.NaN])("StreamID %d is refused, before anything is looked up", (streamID) => {
    const { smmu } = machine();
    const message = `StreamID ${streamID} is not`;
    expect(() => smmu.translate({ ...access, streamID })).toThrow(message);
    expect(() => smmu.translate({ ...access, streamID, translated: true })).toThrow(message);
    expect(() => smmu.explain({ ...access, streamID })).toThrow(message);
    expect(() => smmu.translationRequest({ ...request, streamID })).toThrow(message);
    expect(() => smmu.explainTranslationRequest({ ...request, streamID })).toThrow(message);
    expect(() => smmu.pageRequest({ ...page, streamID })).toThrow(message);
    expect(smmu.counters).toMatchObject({ pcieAtsTransRq: 0, configStructAccess: 0, eventsRecorded: 0 });
  });

  test.each([-1, 2 ** 20])("SubstreamID %d is refused on entry", (substreamID) => {
    const { smmu } = machine();
    const message = `SubstreamID ${substreamID} is not`;
    expect(() => smmu.translate({ ...access, substreamID })).toThrow(message);
    expect(() => smmu.translationRequest({ ...request, substreamID })).toThrow(message);
    expect(() => smmu.pageRequest({ ...page, substreamID })).toThrow(message);
  });

  test.each([-1, 512, 0.5])("PRG index %d is refused on entry", (prgIndex) => {
    expect(() => machine().smmu.pageRequest({ ...page, prgIndex })).toThrow(`PRG index ${prgIndex} is not`);
  });
});
