// Whatever a backend is asked to do, its STEs and CDs change by plans only: every store into host memory is watched from
// the start of the host to its end, and those to entries must be the plan's, step by step, each step followed by
// CMD_CFGI_STE or CMD_CFGI_CD of the stream and CMD_SYNC. The watch lets every store through as it came.
// Source: IHI 0070G.b §3.3.2 (two-level table), §4.3 (commands), §5.2.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { PlainStage } from "../../../src/backends/backend.ts";
import { type DeviceID, virtualStreamID } from "../../../src/backends/ids.ts";
import { createSimulatedBackend } from "../../../src/backends/sim/backend.ts";
import type { EntryWords } from "../../../src/backends/sim/used-bits.ts";
import { type EntryStep, planCdUpdate, planSteUpdate } from "../../../src/backends/sim/write-entry.ts";
import { MemoryMap } from "../../../src/backends/smmuv3/memory.ts";
import { checkVSTE } from "../../../src/backends/vste.ts";
import { NVME, TRIPLE, TWO_SMMUS } from "../../support/host.ts";
import { BufferFile } from "../../support/memory-file.ts";

type Seen =
  | { readonly kind: "store"; readonly pa: number; readonly value: bigint }
  | { readonly kind: "bytes"; readonly pa: number; readonly bytes: Uint8Array };

let seen: Seen[];
let memory: MemoryMap | undefined;

beforeEach(() => {
  seen = [];
  memory = undefined;
  const { compareAndSwap64, write64, writeBytes } = MemoryMap.prototype;
  vi.spyOn(MemoryMap.prototype, "write64").mockImplementation(function (this: MemoryMap, pa, lo, hi) {
    memory = this;
    seen.push({ kind: "store", pa, value: (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0) });
    return write64.call(this, pa, lo, hi);
  });
  vi.spyOn(MemoryMap.prototype, "writeBytes").mockImplementation(function (this: MemoryMap, pa, from) {
    seen.push({ kind: "bytes", pa, bytes: from.slice() });
    return writeBytes.call(this, pa, from);
  });
  vi.spyOn(MemoryMap.prototype, "compareAndSwap64").mockImplementation(function (this: MemoryMap, ...swap) {
    seen.push({ kind: "bytes", pa: swap[0], bytes: new Uint8Array(8) });
    return compareAndSwap64.apply(this, swap);
  });
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** Reads as the hardware would, without being watched. */
function read64(pa: number): bigint {
  expect(memory!.read64(pa)).toBe(true);
  return (BigInt(memory!.hi) << 32n) | BigInt(memory!.lo);
}

const entryAt = (pa: number): EntryWords => Array.from({ length: 8 }, (_, index) => read64(pa + 8 * index));

/** Two-level stream table, SPLIT 8: L1STD at StreamID / 256, L2Ptr [55:6]. */
function steAddress(base: number, streamID: number): number {
  const leaf = Number(read64(base + Math.floor(streamID / 256) * 8) & 0x00ff_ffff_ffff_ffc0n);
  return leaf + (streamID % 256) * 64;
}

interface Watched {
  readonly streamID: number;
  readonly pa: number;
  readonly opcode: 0x03 | 0x05;
  readonly plan: (current: EntryWords, target: EntryWords) => readonly EntryStep[];
  words: EntryWords;
}

/** Every entry of one SMMU's devices, followed store by store. */
class Watch {
  readonly #entries: Watched[] = [];
  readonly #queue: number;
  syncs = 0;

  constructor(registers: { readonly strtab: number; readonly queue: number }, streamIDs: readonly number[]) {
    this.#queue = registers.queue;
    const empty = new Array<bigint>(8).fill(0n);
    for (const streamID of streamIDs) {
      const ste = steAddress(registers.strtab, streamID);
      const cd = Number(read64(ste) & 0x00ff_ffff_ffff_ffc0n); // S1ContextPtr [55:6]: the default domain is installed
      this.#entries.push({ streamID, pa: ste, opcode: 0x03, plan: planSteUpdate, words: empty });
      this.#entries.push({ streamID, pa: cd, opcode: 0x05, plan: planCdUpdate, words: empty });
    }
  }

  /** Looks at what was stored since the last time; names of entries that changed. */
  follow(): string[] {
    const before = new Map(this.#entries.map((entry) => [entry, entry.words]));
    const steps = new Map<Watched, EntryStep["stores"][number][][]>();
    let open: { entry: Watched; isInvalidated: boolean } | undefined;
    for (const event of seen.splice(0)) {
      const entry = this.#find(event.pa, event.kind === "store" ? 8 : event.bytes.length);
      if (entry !== undefined) {
        if (event.kind !== "store") throw new Error("an entry was not stored by doublewords");
        if (open === undefined) steps.set(entry, [...(steps.get(entry) ?? []), []]);
        open ??= { entry, isInvalidated: false };
        expect(open, "one entry at a time, no store between invalidation and sync").toEqual({
          entry,
          isInvalidated: false,
        });
        const index = (event.pa - entry.pa) / 8;
        steps.get(entry)!.at(-1)!.push({ index, value: event.value });
        entry.words = entry.words.map((word, at) => (at === index ? event.value : word));
        this.#checkHostContexts();
      } else if (event.kind === "bytes" && this.#isCommand(event.pa)) {
        open = this.#command(new DataView(event.bytes.buffer), open);
      }
    }
    expect(open, "a step without its sync").toBeUndefined();
    for (const [entry, made] of steps) expect(sorted(made)).toEqual(sorted(planned(entry, before.get(entry)!)));
    for (const entry of this.#entries) expect(entryAt(entry.pa)).toEqual(entry.words);
    return [...steps.keys()].map(({ opcode, streamID }) => `${opcode === 3 ? "STE" : "CD"} ${streamID}`);
  }

  #command(words: DataView, open: { entry: Watched; isInvalidated: boolean } | undefined) {
    const opcode = words.getUint8(0);
    if (opcode === 0x46) this.syncs += 1;
    if (open === undefined) return undefined;
    if (!open.isInvalidated) {
      expect([opcode, words.getUint32(4, true)]).toEqual([open.entry.opcode, open.entry.streamID]);
      return { entry: open.entry, isInvalidated: true };
    }
    expect(opcode).toBe(0x46);
    return undefined;
  }

  /** Config 0b101 never leads to a CD with V=0 (bit 31). */
  #checkHostContexts(): void {
    for (const [index, { opcode, words }] of this.#entries.entries()) {
      if (opcode !== 0x03 || (words[0]! & 0xfn) !== 0xbn) continue;
      expect((this.#entries[index + 1]!.words[0]! >> 31n) & 1n).toBe(1n);
    }
  }

  #find(pa: number, bytes: number): Watched | undefined {
    return this.#entries.find((entry) => pa < entry.pa + 64 && entry.pa < pa + bytes);
  }

  #isCommand(pa: number): boolean {
    return pa >= this.#queue && pa < this.#queue + 256 * 16;
  }
}

const planned = (entry: Watched, before: EntryWords) => entry.plan(before, entry.words).map(({ stores }) => stores);
const sorted = (steps: readonly EntryStep["stores"][]) =>
  steps.map((stores) => [...stores].sort((a, b) => a.index - b.index));

test("every store to an STE or a CD of a whole life is a planned one", async () => {
  const devices = TWO_SMMUS.devices.filter(({ iommu }) => iommu === "smmu0");
  const backend = createSimulatedBackend({ iommus: TWO_SMMUS.iommus.slice(0, 1), devices });
  const register = (name: string): number => {
    const found = backend.structures(NVME, 0, 0, undefined).registers.find((one) => one.name === name);
    return Number(found!.value & 0x000f_ffff_ffff_ffe0n); // ADDR; STRTAB_BASE has no bits below, CMDQ_BASE LOG2SIZE
  };
  const streams = devices.flatMap(({ streamIDs }) => streamIDs);
  const watch = new Watch({ strtab: register("STRTAB_BASE"), queue: register("CMDQ_BASE") }, streams);
  const both = (...ids: number[]) => ids.flatMap((id) => [`CD ${id}`, `STE ${id}`]);
  expect(watch.follow()).toEqual(both(...streams));

  const find = (id: DeviceID) => backend.inventory.devices().find((device) => device.id === id)!;
  const file = new BufferFile("/memory/a", 2 ** 21);
  const space = await backend.createAddressSpace();
  await backend.map(space, [{ ipa: 0x4000_0000, bytes: file.bytes, file, offset: 0, readable: true, writable: true }]);
  const part = await backend.createPart(space, find(NVME).iommu);
  const name = virtualStreamID(0x30);
  const bind = (dword0: bigint, dword1: bigint) =>
    backend.bindGuestStage({ device: NVME, part, virtualStreamID: name, vste: checkVSTE(dword0, dword1) });
  const plain = (stage: PlainStage) => backend.setPlainStage(find(NVME).group, part, stage);
  watch.follow();

  const nvme = 0x100;
  const away = [`STE ${nvme}`, `CD ${nvme}`];
  const only = [`STE ${nvme}`];
  const life: [string, () => Promise<void>, string[]][] = [
    ["attach, aborting", () => backend.attach(find(NVME).group, part, "abort"), away],
    ["bind with a table", () => bind(0x4000_000bn | (2n << 59n), 0xd6n), only],
    ["bind with another table and S1DSS: breaking", () => bind(0x4000_100bn | (2n << 59n), 0xd5n), only],
    ["bind the same again", () => bind(0x4000_100bn | (2n << 59n), 0xd5n), []],
    ["bind bypass", () => bind(0x9n, 0n), only],
    ["bind abort", () => bind(0x1n, 0n), only],
    ["bind nothing valid", () => bind(0n, 0n), []],
    ["bind again", () => bind(0x4000_000bn, 0xd4n), only],
    ["the owner is lost", () => plain("abort"), only],
    ["unbind", () => plain("bypass"), only],
    ["detach", () => backend.detach(find(NVME).group), [`CD ${nvme}`, `STE ${nvme}`]],
  ];
  for (const [what, step, changed] of life) {
    await step();
    expect(watch.follow(), what).toEqual(changed);
  }

  const three = find(TRIPLE[0]!).group;
  await backend.attach(three, part, "bypass");
  expect(watch.follow()).toEqual([0x200, 0x201, 0x202].flatMap((id) => [`STE ${id}`, `CD ${id}`]));
  await backend.detach(three);
  expect(watch.follow()).toEqual(both(0x200, 0x201, 0x202));
  const device = find(NVME);
  await backend.removeDevice(NVME);
  expect(watch.follow()).toEqual(away);
  backend.addDevice(device);
  expect(watch.follow()).toEqual(both(nvme));
  await backend.destroyPart(part);
  await backend.close();
  expect(watch.follow()).toEqual([]);
  expect(watch.syncs).toBeGreaterThan(60);
});
