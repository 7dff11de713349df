// A daemon with two guests on it, for tables of bad input: a session with one of everything, another session that owns
// what the first may not touch, and a picture of all state that can be read from outside.

import { closeSync, ftruncateSync, openSync } from "node:fs";
import { join } from "node:path";
import { type BrokerProcess, startBroker } from "../../examples/support/broker-process.ts";
import { Channel } from "../../src/client/channel.ts";
import { type BrokerClient, type BrokerSession, connect, Stage1Mode } from "../../src/client/client.ts";

/** Another user, whom the policy lets do everything with what is its own. */
export const NEIGHBOUR_UID = 65_534;

/** Another user, who administers and of whom no rule speaks. */
export const ADMIN_UID = 65_532;

/** Small, so that a table can exceed each. */
export const SMALL_LIMITS = {
  sessions_max: 4,
  address_spaces_per_session_max: 2,
  virtual_iommus_per_session_max: 3,
  devices_per_session_max: 5,
  mappings_per_address_space_max: 6,
  mappings_per_call_max: 4,
  sources_per_call_max: 2,
  commands_per_call_max: 3,
  binds_per_call_max: 3,
  fault_streams_per_session_max: 1,
  lease_ttl_min_ms: 2000,
  lease_ttl_max_ms: 3_600_000,
  lease_ttl_default_ms: 600_000,
};

export const MIB = 2 ** 20;
export const RAM_IPA = 0x4000_0000n;
export const RAM_BYTES = 2n * BigInt(MIB);
export const FILE_BYTES = 8 * MIB;
/** Behind smmu0, alone in its group; nested with virtual StreamID 1. */
export const NESTED = "devices/0000:01:00.0";
/** Behind smmu0, alone; bypass, virtual StreamID 2. */
export const NAMED = "devices/0000:00:01.0";
/** Behind smmu0, alone; attached and aborted, without a name. */
export const FRESH = "devices/0000:00:02.0";
/** First of a group of three; attached. */
export const GROUPED = "devices/0000:02:00.0";
/** Of the same group; not attached itself. */
export const SIBLING = "devices/0000:02:00.1";
/** Behind smmu0, alone, with two StreamIDs; attached. */
export const TWIN = "devices/twin";
/** Behind smmu1, owned by the other session. */
export const OTHERS = "devices/0001:00:01.0";
/** Behind smmu1, nobody's. */
export const IDLE = "devices/0001:01:00.0";

export interface Guest {
  readonly session: BrokerSession;
  readonly addressSpace: string;
  readonly virtualIommu: string;
}

export interface World {
  readonly broker: BrokerProcess;
  readonly client: BrokerClient;
  readonly channel: Channel;
  /** Calls as this one unless a case says otherwise. */
  readonly own: Guest;
  readonly others: Guest;
  /** A second virtual IOMMU of `own`, without devices. */
  readonly emptyVirtualIommu: string;
  /** Of a session that was closed. */
  readonly closedToken: string;
  /** 8 MiB; the first 2 MiB are mapped at RAM_IPA. */
  readonly ram: string;
}

export async function startWorld(): Promise<World> {
  const neighbour = { name: "neighbour", who: { uid: [NEIGHBOUR_UID] }, verbs: ["all"] };
  const broker = await startBroker({
    limits: SMALL_LIMITS,
    policy: { rules: [neighbour] },
    admin: { uids: [0, ADMIN_UID] },
  });
  const client = connect(broker.target);
  const channel = new Channel(broker.target, {});
  const ram = sparseFile(broker, "ram", FILE_BYTES);
  const closed = await client.openSession({ displayName: "closed", keepAlive: false });
  await closed.close();
  const own = await startGuest(client, "own", ram, "iommus/smmu0");
  const others = await startGuest(client, "others", sparseFile(broker, "others", FILE_BYTES), "iommus/smmu1");
  await others.session.attachDevice({ device: OTHERS, virtualIommu: others.virtualIommu });
  const { addressSpace, session, virtualIommu } = own;
  const empty = await session.createVirtualIommu({ addressSpace, iommus: ["iommus/smmu0"] });
  const twin = { deviceId: "twin", iommu: "iommus/smmu0", iommuGroup: 50, streamIds: [0x500, 0x501] };
  await session.simulator.addDevice(twin);
  for (const device of [NESTED, NAMED, FRESH, GROUPED, TWIN]) await session.attachDevice({ device, virtualIommu });
  const translate = { mode: Stage1Mode.STAGE1_MODE_TRANSLATE, s1ContextPtr: RAM_IPA };
  await session.bindGuestStage({ device: NESTED, virtualStreamId: 1, fields: translate });
  const bypass = { mode: Stage1Mode.STAGE1_MODE_BYPASS };
  await session.bindGuestStage({ device: NAMED, virtualStreamId: 2, fields: bypass });
  return {
    broker,
    client,
    channel,
    own,
    others,
    emptyVirtualIommu: empty.name,
    closedToken: closed.token,
    ram,
  };
}

export async function stopWorld(world: World): Promise<number | null> {
  world.channel.close();
  world.client.close();
  return await world.broker.stop();
}

async function startGuest(client: BrokerClient, displayName: string, path: string, iommu: string): Promise<Guest> {
  const session = await client.openSession({ displayName });
  const { name: addressSpace } = await session.createAddressSpace();
  await session.mapMemory({ addressSpace, sources: [{ path }], mappings: [mapping()] });
  const { name: virtualIommu } = await session.createVirtualIommu({ addressSpace, iommus: [iommu] });
  return { session, addressSpace, virtualIommu };
}

/** The first 2 MiB of the file at RAM_IPA. */
export function mapping() {
  return { ipa: RAM_IPA, bytes: RAM_BYTES, source: 0, offset: 0n, readable: true, writable: true };
}

/** A file of zeroes in the daemon's memory root. */
export function sparseFile(broker: BrokerProcess, name: string, bytes: number): string {
  const path = join(broker.memoryRoot, name);
  const file = openSync(path, "wx", 0o600);
  ftruncateSync(file, bytes);
  closeSync(file);
  return path;
}

const CENSUS = /^iommu_broker_(sessions|address_spaces|virtual_iommus|mapped_bytes|open_memory_files|bugs_total)\b/;

/** All state there is to see from outside: devices, the hardware's entry for one, memory, what is held. */
export async function picture({ broker, client, own, others }: World): Promise<unknown> {
  const [devices, hardware, memory, metrics] = await Promise.all([
    client.listDevices(),
    own.session.simulator.readStructures({ device: NESTED }),
    Promise.all([own, others].map((guest) => guest.session.simulator.readMemory(guest.addressSpace, RAM_IPA, 256))),
    broker.metrics(),
  ]);
  const { cd, ste, windows } = hardware;
  return { devices, cd, ste, windows, memory, held: metrics.split("\n").filter((line) => CENSUS.test(line)) };
}
