// A guest whose devices the daemon attaches: its memory goes to the daemon as a descriptor, its tables are those of nested.ts.

import {
  type BrokerClient,
  type BrokerSession,
  type FaultEvent,
  type FaultWatch,
  type Notice,
  Stage1Mode,
} from "../../../src/client/client.ts";
import { CD, RAM, writeTables } from "./nested.ts";

const { STAGE1_MODE_TRANSLATE } = Stage1Mode;
/** Of the device with this index. */
export const VIRTUAL_STREAM_IDS = [0x123, 0x45] as const;

export interface GuestOptions {
  readonly name: string;
  /** The memory's file, as long as RAM. */
  readonly ram: number;
  /** dddd:bb:dd.f of the devices that are attached. */
  readonly addresses: readonly string[];
  readonly initialMode?: number;
  /** What the broker tells its session's owner. */
  readonly onNotice?: (notice: Notice) => void;
}

export interface BrokerGuest {
  readonly session: BrokerSession;
  readonly virtualIommu: string;
  /** "devices/…", in the order of the addresses. */
  readonly devices: readonly string[];
  /** Installs the guest's STE, whose CD is in its memory, on the device of this index. */
  readonly bind: (device: number) => Promise<void>;
}

/** The guest's tables map nothing yet, and stage 1 of its devices aborts unless the options say otherwise. */
export async function openGuest(
  client: BrokerClient,
  { addresses, initialMode, name, onNotice, ram }: GuestOptions,
): Promise<BrokerGuest> {
  writeTables(ram);
  const devices = addresses.map((address) => `devices/${address}`);
  const { iommu } = await client.getDevice(devices[0]!);
  const { ticket } = await client.putMemory({ fd: ram, label: "guest-RAM" });
  const session = await client.openSession({ displayName: name, ...(onNotice && { onNotice }) });
  const { name: addressSpace } = await session.createAddressSpace();
  const mapping = { ipa: BigInt(RAM.ipa), bytes: BigInt(RAM.bytes), source: 0, readable: true, writable: true };
  await session.mapMemory({ addressSpace, sources: [{ ticket }], mappings: [mapping] });
  const { name: virtualIommu } = await session.createVirtualIommu({ addressSpace, iommus: [iommu] });
  for (const device of devices) await session.attachDevice({ device, virtualIommu, initialMode });
  const bind = async (index: number): Promise<void> => {
    // S1CIR and S1COR Write-Back, S1CSH Inner Shareable (IHI 0070G.b §5.2).
    const attributes = { s1Cir: 1, s1Cor: 1, s1Csh: 3 };
    const fields = { mode: STAGE1_MODE_TRANSLATE, s1ContextPtr: BigInt(RAM.ipa + CD), ...attributes };
    await session.bindGuestStage({ device: devices[index], virtualStreamId: VIRTUAL_STREAM_IDS[index], fields });
  };
  return { session, virtualIommu, devices, bind };
}

/** Waits until so many have come; those of a batch that is not whole are lost. */
export async function takeFaults(watch: FaultWatch, count: number): Promise<readonly FaultEvent[]> {
  const seen: FaultEvent[] = [];
  for await (const { events } of watch) {
    seen.push(...events);
    if (seen.length >= count) break;
  }
  return seen;
}

/** Four doublewords, as the event queue has them. */
export function doublewordsOf({ record }: Pick<FaultEvent, "record">): readonly bigint[] {
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  return [0, 8, 16, 24].map((offset) => view.getBigUint64(offset, true));
}
