// What memory a daemon takes for a GiB of guest that is mapped, and for a device that nobody uses.
// Each figure is the difference of two sizes after a full collection, over the difference in GiB or devices; the base of
// the ratios is what the tables alone take: 8 bytes a leaf and 4 KiB for each table above, an STE of 64 bytes a device.

import { closeSync, ftruncateSync, openSync } from "node:fs";
import { join } from "node:path";
import { type BrokerSession, connect } from "../src/client/client.ts";
import { startMeasured, type Usage, usageOf } from "./measured-broker.ts";

const REPETITIONS = 3;
const KiB = 1024;
const MiB = 2 ** 20;
const GiB = 2 ** 30;
const IPA = 64 * GiB;
const MAPPINGS_PER_CALL = 16_384;

/** A way to map a guest, and how many GiB before and after. */
interface Shape {
  readonly name: string;
  readonly mappingBytes: number;
  /** Added to the offset in the file: what is not aligned there gets smaller leaves. */
  readonly skew: number;
  readonly leafBytes: number;
  readonly gib: readonly [less: number, more: number];
}

const SHAPES: readonly Shape[] = [
  { name: "4 KiB leaves, a mapping a page", mappingBytes: 4 * KiB, skew: 0, leafBytes: 4 * KiB, gib: [1, 2] },
  { name: "4 KiB leaves, a mapping a GiB", mappingBytes: GiB, skew: 4 * KiB, leafBytes: 4 * KiB, gib: [4, 12] },
  { name: "2 MiB blocks, a mapping a GiB", mappingBytes: GiB, skew: 2 * MiB, leafBytes: 2 * MiB, gib: [16, 240] },
  { name: "1 GiB blocks, a mapping a GiB", mappingBytes: GiB, skew: 0, leafBytes: GiB, gib: [16, 240] },
];
/** Both large: a broker that has made thousands keeps a larger young generation, which is not a device's. */
const DEVICES = [2048, 4096] as const;
const STE_BYTES = 64;
const SMMU = {
  id: "smmu0",
  registers: { idr0: 0x0d4c_101b, idr1: 0x0273_0510, idr3: 0x1414, idr5: 0x75, aidr: 0x1 },
};

async function mapGuest(session: BrokerSession, path: string, shape: Shape, from: number, to: number, space: string) {
  const { mappingBytes, skew } = shape;
  const count = ((to - from) * GiB) / mappingBytes;
  for (let first = 0; first < count; first += MAPPINGS_PER_CALL) {
    const mappings = Array.from({ length: Math.min(MAPPINGS_PER_CALL, count - first) }, (_, index) => {
      const at = from * GiB + (first + index) * mappingBytes;
      // Neighbours change places, so that pages never make a block.
      const place = mappingBytes === GiB ? at + skew : at + ((first + index) % 2 === 0 ? 1 : -1) * mappingBytes;
      const [ipa, bytes, offset] = [BigInt(IPA + at), BigInt(mappingBytes), BigInt(place)];
      return { ipa, bytes, source: 0, offset, readable: true, writable: true };
    });
    await session.mapMemory({ addressSpace: space, sources: [{ path }], mappings }, { deadlineMs: 120_000 });
  }
}

/** Bytes for one GiB. */
async function measureGuest(shape: Shape): Promise<Usage> {
  const broker = await startMeasured({ limits: { mappings_per_address_space_max: 1_048_576 } });
  const client = connect(broker.target);
  try {
    const session = await client.openSession({ displayName: "bench", leaseTtlMs: 60_000 });
    const path = join(broker.memoryRoot, "ram");
    const file = openSync(path, "wx", 0o600);
    ftruncateSync(file, 255 * GiB);
    closeSync(file);
    const { name: space } = await session.createAddressSpace();
    const { name: virtualIommu } = await session.createVirtualIommu({ addressSpace: space, iommus: ["iommus/smmu0"] });
    await session.attachDevice({ device: "devices/0000:01:00.0", virtualIommu }); // stage 2 is built from here on
    const [less, more] = shape.gib;
    await mapGuest(session, path, shape, 0, less, space);
    const before = await usageOf(broker);
    await mapGuest(session, path, shape, less, more, space);
    const usage = perUnit(before, await usageOf(broker), more - less);
    await session.close();
    return usage;
  } finally {
    client.close();
    await broker.stop();
  }
}

/** Bytes for one device that was added to a running broker. */
async function measureAddedDevices(): Promise<Usage> {
  const [less, more] = DEVICES;
  const broker = await startMeasured({ simulated: { iommus: [SMMU], devices: [] } });
  const client = connect(broker.target);
  try {
    const session = await client.openSession({ displayName: "bench", leaseTtlMs: 60_000 });
    const add = async (from: number, to: number): Promise<Usage> => {
      for (let index = from; index < to; index++) {
        const [deviceId, iommu] = [`device-${index}`, "iommus/smmu0"];
        await session.simulator.addDevice({ deviceId, iommu, iommuGroup: index, streamIds: [index] });
      }
      return await usageOf(broker);
    };
    return perUnit(await add(0, less), await add(less, more), more - less);
  } finally {
    client.close();
    await broker.stop();
  }
}

/** Bytes for one device of the configuration. */
async function measureDevices(): Promise<Usage> {
  const [less, more] = DEVICES;
  return perUnit(await usageWithDevices(less), await usageWithDevices(more), more - less);
}

async function usageWithDevices(count: number): Promise<Usage> {
  const devices = Array.from({ length: count }, (_, index) => ({
    id: `device-${index}`,
    iommu: "smmu0",
    group: index,
    stream_ids: [index],
  }));
  const broker = await startMeasured({ simulated: { iommus: [SMMU], devices } });
  try {
    return await usageOf(broker);
  } finally {
    await broker.stop();
  }
}

function perUnit(before: Usage, after: Usage, units: number): Usage {
  return { used: (after.used - before.used) / units, resident: (after.resident - before.resident) / units };
}

/** Leaves, and the tables above them that a GiB needs of its own. */
function tableBytes({ leafBytes }: Shape): number {
  if (leafBytes === GiB) return 8;
  const leaves = (GiB / leafBytes) * 8;
  return leafBytes === 2 * MiB ? leaves + 8 : leaves + 4 * KiB + 8;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

function report(name: string, usages: readonly Usage[], base: number): void {
  const column = (values: readonly number[]): string => {
    const kib = values.map((value) => value / KiB);
    const digits = Math.abs(median(kib)) < 100 ? 2 : 0;
    const [low, middle, high] = [Math.min(...kib), median(kib), Math.max(...kib)].map((value) => value.toFixed(digits));
    return `${middle} (${low} to ${high})`.padStart(28);
  };
  const used = usages.map((usage) => usage.used);
  const resident = usages.map((usage) => usage.resident);
  const isMeasurable = base >= STE_BYTES; // a block's 8 bytes are not
  const ratio = (isMeasurable ? (median(resident) / base).toFixed(1) : "-").padStart(10);
  console.log(name.padEnd(32) + column(used) + column(resident) + (base / KiB).toFixed(3).padStart(11) + ratio);
}

console.log(`KiB, median (range) of ${REPETITIONS} runs\n`);
console.log(
  `${"a GiB of guest, or a device".padEnd(32)}${"used".padStart(28)}${"resident".padStart(28)}${"tables".padStart(11)}${"/ tables".padStart(10)}`,
);

async function repeat(name: string, base: number, measure: () => Promise<Usage>): Promise<void> {
  const usages: Usage[] = [];
  for (let repetition = 0; repetition < REPETITIONS; repetition++) usages.push(await measure());
  report(name, usages, base);
}

for (const shape of SHAPES) await repeat(shape.name, tableBytes(shape), () => measureGuest(shape));
await repeat("an idle device, configured", STE_BYTES, measureDevices);
await repeat("an idle device, added", STE_BYTES, measureAddedDevices);
