// What it is worth to a guest that its memory is sealed: the same tables in two memfds, one that walks look into and one
// that they pread, in interleaved repetitions. Every translation is a miss: the TLB is invalidated before each 4,096.
// npm run bench:translate -- --guest-memory.

import { writeSync } from "node:fs";
import type { GuestMemoryFile } from "../src/backends/guest-memory.ts";
import { deviceID, iommuID, virtualStreamID } from "../src/backends/ids.ts";
import { createSimulatedBackend } from "../src/backends/sim/backend.ts";
import { encodeVSTE } from "../src/backends/vste.ts";
import { createMemoryFiles } from "../src/os/memory-files.ts";
import { GUEST_BASE, GuestTables } from "../test/support/guest-tables.ts";
import { memfd, SEAL } from "../test/support/memfd.ts";
import { BufferFile } from "../test/support/memory-file.ts";

const PAGES = 4096;
const PAGE_BYTES = 4096;
const DATA = 2 ** 21;
const RAM_BYTES = DATA + PAGES * PAGE_BYTES;
const IOVA = 0x12_3440_0000;
const REPETITIONS = 9;
const ROUNDS = 20;
/** CMD_TLBI_NH_ALL, IHI 0070G.b §4.4. */
const FORGET = { opcode: 0x10, dword0: 0x10n, dword1: 0n };

const SMMU = iommuID("smmu0");
const NVME = { id: "0000:01:00.0", iommu: "smmu0", group: 0, streamIDs: [8] };

/** Nanoseconds for one translation, all of them misses. */
type Measure = () => Promise<number>;

async function guestIn(file: GuestMemoryFile, contextDescriptor: number): Promise<Measure> {
  const registers = { idr0: 0x0d4c101b, idr1: 0x02730510, idr3: 0x1414, idr5: 0x75, aidr: 1 };
  const backend = createSimulatedBackend({ iommus: [{ id: "smmu0", registers }], devices: [NVME] });
  const device = deviceID(NVME.id);
  const space = await backend.createAddressSpace();
  await backend.map(space, [{ ipa: GUEST_BASE, bytes: RAM_BYTES, file, offset: 0, readable: true, writable: true }]);
  const part = await backend.createPart(space, SMMU);
  const [group] = backend.inventory.devices().map((each) => each.group);
  await backend.attach(group!, part, "abort");
  await backend.setVirtualStreamID(device, part, virtualStreamID(1));
  const stage1 = { S1Fmt: 0, S1CDMax: 0, S1DSS: 0, S1CIR: 1, S1COR: 1, S1CSH: 3, S1STALLD: false, EATS: 0 } as const;
  const vste = encodeVSTE({ ...stage1, S1ContextPtr: BigInt(contextDescriptor) });
  await backend.bindGuestStage({ device, part, virtualStreamID: virtualStreamID(1), vste });
  const accesses = Array.from({ length: PAGES }, (_, page) => ({
    iova: BigInt(IOVA + ((page * 2731) % PAGES) * PAGE_BYTES),
    substreamID: undefined,
    privileged: false,
    streamIndex: 0,
    access: "read" as const,
  }));
  return async () => {
    let ns = 0;
    for (let round = 0; round < ROUNDS; round++) {
      await backend.invalidate([part], [FORGET]);
      const start = performance.now();
      const outcomes = await backend.translate(device, accesses);
      ns += ((performance.now() - start) * 1e6) / PAGES;
      const wrong = outcomes.find(({ end }) => end !== "ok");
      if (wrong !== undefined) throw new Error(`a translation ended in ${wrong.end}`);
    }
    return ns / ROUNDS;
  };
}

const ram = new BufferFile("ram", RAM_BYTES);
const tables = new GuestTables(ram);
const root = tables.root("4K");
for (let page = 0; page < PAGES; page++) {
  tables.map("4K", root, IOVA + page * PAGE_BYTES, GUEST_BASE + DATA + page * PAGE_BYTES);
}
const cd = tables.cd("4K", root);
const files = createMemoryFiles({ roots: [], ownerUids: [], daemonUid: 0, openFilesMax: 2 });

async function measureOf(seals: number): Promise<Measure> {
  const fd = memfd(RAM_BYTES, seals);
  writeSync(fd, ram.data);
  return await guestIn(files.adopt(fd, `ram-${seals}`), cd);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const kinds = { "sealed, looked into": await measureOf(SEAL.shrink), "not sealed, pread": await measureOf(0) };
const costs = new Map<string, number[]>(Object.keys(kinds).map((kind) => [kind, []]));
for (let repetition = 0; repetition <= REPETITIONS; repetition++) {
  for (const [kind, measure] of Object.entries(kinds)) {
    const ns = await measure();
    if (repetition > 0) costs.get(kind)?.push(ns); // the first one warms up
  }
}
console.log("ns for one translation that misses the TLB, guest's tables in a memfd");
for (const [kind, values] of costs) {
  const [low, high] = [Math.min(...values), Math.max(...values)].map((value) => value.toFixed(0));
  console.log(`${kind.padEnd(24)}${median(values).toFixed(0).padStart(8)} (${low}-${high})`);
}
const [sealed, read] = [...costs.values()].map(median);
console.log(`pread / looked into: ${((read ?? 0) / (sealed ?? 1)).toFixed(2)}`);
