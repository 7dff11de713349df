// A daemon with devices that fault, stall and ask for pages, and a guest whose tables the test can change: its RAM is a
// file, its CD has S=1, one page is mapped and its neighbours are not.

import { closeSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import {
  type BrokerClient,
  type BrokerSession,
  type FaultBatch,
  type FaultWatch,
  Stage1Mode,
} from "../../src/client/client.ts";
import { DaemonDirectory } from "./e2e-daemon.ts";
import { GUEST_FILE_BYTES, GUEST_RAM, LAYOUT, PAGE, writeGuestTables } from "./e2e-guest-tables.ts";
import { at, OPEN } from "./smmuv3-tables.ts";

/** Its transactions may stall. */
export const DSP = "devices/dsp";
/** With ATS and PRI. */
export const GPU = "devices/gpu";
export const NIC = "devices/nic";
export const VIRTUAL_STREAM_IDS: Readonly<Record<string, number>> = { [DSP]: 0x42, [GPU]: 0x43, [NIC]: 0x44 };

/** Not mapped by the guest, though the table for it is there. */
export const HOLE = 0x9000n;

/**
 * STALL_MODEL 0 (IDR0[25:24]), ATS [10] and PRI [16], two StreamIDs of a kind; PRIQS 2^2 (IDR1[20:16] is EVENTQS, [15:11]
 * PRIQS); STALL_MAX 16 (IDR5[31:16]). Source: IHI 0070G.b §6.3.1, §6.3.2, §6.3.6.
 */
const SIMULATED = {
  iommus: [
    {
      id: "smmu0",
      registers: { idr0: 0x084d_141b, idr1: 0x0273_1510, idr3: 0x1414, idr5: 0x0010_0075, aidr: 1 },
    },
  ],
  devices: [
    { id: "dsp", iommu: "smmu0", group: 0, stream_ids: [0x20], stall: true },
    { id: "gpu", iommu: "smmu0", group: 1, stream_ids: [0x100], ats: true, pri: true, pasid_bits: 8 },
    { id: "nic", iommu: "smmu0", group: 2, stream_ids: [0x30] },
  ],
};

/** IDR0.STALL_MODEL: 0 is shown to a guest only where its VMM asks for it. */
const STALL_MODEL_MASK = 0x0300_0000;

export function faultDaemon(settings: Readonly<Record<string, unknown>> = {}): DaemonDirectory {
  return new DaemonDirectory({ simulated: SIMULATED, ...settings });
}

export function adminSocketOf({ path }: DaemonDirectory): string {
  return join(path, "run", "admin.sock");
}

export interface FaultGuest {
  readonly session: BrokerSession;
  /** Its RAM, GUEST_RAM being the first byte. */
  readonly ram: string;
  readonly virtualIommu: string;
}

/** A session that has these devices bound to the guest's stage 1. */
export async function faultGuest(
  client: BrokerClient,
  memoryRoot: string,
  options: { readonly name: string; readonly devices: readonly string[]; readonly stalls?: boolean },
): Promise<FaultGuest> {
  const session = await client.openSession({ displayName: options.name });
  const ram = join(memoryRoot, options.name);
  const file = openSync(ram, "wx", 0o600);
  ftruncateSync(file, GUEST_FILE_BYTES);
  closeSync(file);
  writeGuestTables(ram);
  if (options.stalls === true) orWord(ram, LAYOUT.cd, at(1, 44)); // CD.S (§5.4)
  const { name: addressSpace } = await session.createAddressSpace();
  const mapping = {
    ipa: BigInt(GUEST_RAM),
    bytes: BigInt(GUEST_FILE_BYTES),
    source: 0,
    readable: true,
    writable: true,
  };
  await session.mapMemory({ addressSpace, sources: [{ path: ram }], mappings: [mapping] });
  const { iommus } = await client.getCapabilities({ iommu: "iommus/smmu0" });
  const shown = iommus[0]?.virtualRegisters;
  if (shown === undefined) throw new Error("the broker shows no registers for smmu0");
  const registers = { ...shown, idr0: (shown.idr0 & ~STALL_MODEL_MASK) >>> 0 };
  const { name: virtualIommu } = await session.createVirtualIommu({
    addressSpace,
    iommus: ["iommus/smmu0"],
    registers,
  });
  const guest = { session, ram, virtualIommu };
  for (const device of options.devices) await giveDevice(guest, device);
  return guest;
}

/** Attaches it and binds it to the guest's tables. */
export async function giveDevice({ session, virtualIommu }: Omit<FaultGuest, "ram">, device: string): Promise<void> {
  await session.attachDevice({ device, virtualIommu });
  const fields = {
    mode: Stage1Mode.STAGE1_MODE_TRANSLATE,
    s1ContextPtr: BigInt(GUEST_RAM + LAYOUT.cd),
    ...(device === GPU && { eats: 1 }),
  };
  await session.bindGuestStage({ device, virtualStreamId: VIRTUAL_STREAM_IDS[device], fields });
}

/** Makes the page at HOLE a page of the guest's: one that it has, unless the test names another. */
export function mapHole({ ram }: FaultGuest, ipa = BigInt(GUEST_RAM + LAYOUT.data)): void {
  putWord(ram, LAYOUT.level3 + 8 * (Number(HOLE) / PAGE), ipa | OPEN | at(3, 0));
}

function orWord(path: string, offset: number, bits: bigint): void {
  const bytes = Buffer.alloc(8);
  const file = openSync(path, "r");
  readSync(file, bytes, 0, 8, offset);
  closeSync(file);
  putWord(path, offset, bytes.readBigUInt64LE() | bits);
}

function putWord(path: string, offset: number, value: bigint): void {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  const file = openSync(path, "r+");
  writeSync(file, bytes, 0, 8, offset);
  closeSync(file);
}

/** One access that faults, or whatever else becomes of it. */
export async function read(session: BrokerSession, device: string, iova: bigint) {
  const [result] = await session.simulator.dma(device, [{ iova, readBytes: 4 }]);
  if (result === undefined) throw new Error("the DMA has no result");
  return result;
}

/** A watch's batches one by one, for a test that waits for what it needs. */
export class Reading {
  readonly watch: FaultWatch;
  readonly events: FaultBatch["events"][number][] = [];
  readonly gaps: FaultBatch["gaps"][number][] = [];
  readonly resolutions: FaultBatch["resolutions"][number][] = [];
  readonly #batches: AsyncIterator<FaultBatch>;

  constructor(watch: FaultWatch) {
    this.watch = watch;
    this.#batches = watch[Symbol.asyncIterator]();
  }

  /** Reads until there is what the test needs. */
  async until(isThere: (reading: Reading) => boolean): Promise<void> {
    while (!isThere(this)) {
      const { done, value } = await this.#batches.next();
      if (done === true) throw new Error("the stream has ended");
      const batch: FaultBatch = value;
      this.events.push(...batch.events);
      this.gaps.push(...batch.gaps);
      this.resolutions.push(...batch.resolutions);
    }
  }
}
