// A daemon as a process, with simulated devices that fault on demand: each has a session of its own and a guest whose tables
// leave holes. Faults are asked for in bytes that were encoded before, so that asking costs this process little.

import { closeSync, ftruncateSync, openSync } from "node:fs";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import { type BrokerProcess, startBroker } from "../../examples/support/broker-process.ts";
import { type BrokerClient, connect, Stage1Mode } from "../../src/client/client.ts";
import { longOf } from "../../src/server/rpc/int64.ts";
import { BROKER, SIMULATOR } from "../../src/server/rpc/services.ts";
import { TOKEN_KEY } from "../../src/server/rpc/token.ts";
import { GUEST_FILE_BYTES, GUEST_RAM, LAYOUT, PAGE, writeGuestTables } from "./e2e-guest-tables.ts";
import type { StreamOrder } from "./fault-counting.ts";

const REGISTERS = { idr0: 0x0d4c_101b, idr1: 0x0273_0510, idr3: 0x1414, idr5: 0x75, aidr: 0x1 };
const LEASE_MS = 3_600_000;
/** Pages that no guest maps, side by side. */
const HOLES = { first: 9, pages: 32 };
const same = (bytes: Buffer): Buffer => bytes;

export interface FaultyDevice {
  /** "devices/{id}" */
  readonly name: string;
  /** Of its owner. */
  readonly token: string;
}

export interface FaultHost {
  readonly broker: BrokerProcess;
  readonly devices: readonly FaultyDevice[];
  /** The device makes as many accesses as `request` has, each of which faults. */
  fault(device: FaultyDevice, request: Buffer): Promise<void>;
  stop(): Promise<void>;
}

export async function startFaultHost(
  count: number,
  settings: Readonly<Record<string, unknown>> = {},
  start: typeof startBroker = startBroker,
): Promise<FaultHost> {
  const inventory = Array.from({ length: count }, (_, group) => ({
    id: `device-${group}`,
    iommu: "smmu0",
    group,
    stream_ids: [16 + group],
  }));
  const broker = await start({
    simulated: { iommus: [{ id: "smmu0", registers: REGISTERS }], devices: inventory },
    ...settings,
  });
  const client = connect(broker.target);
  const raw = new grpc.Client(broker.target, grpc.credentials.createInsecure(), {
    "grpc.default_authority": "localhost",
    "grpc.use_local_subchannel_pool": 1,
    "grpc.max_receive_message_length": -1,
  });
  const ram = join(broker.memoryRoot, "ram");
  const file = openSync(ram, "wx", 0o600);
  ftruncateSync(file, GUEST_FILE_BYTES);
  closeSync(file);
  writeGuestTables(ram);
  const devices: FaultyDevice[] = [];
  for (const { id } of inventory) devices.push(await owned(client, ram, `devices/${id}`));
  return {
    broker,
    devices,
    fault: ({ token }, request) => translate(raw, token, request),
    stop: async () => {
      raw.close();
      client.close();
      await broker.stop();
    },
  };
}

async function owned(client: BrokerClient, ram: string, device: string): Promise<FaultyDevice> {
  const session = await client.openSession({ displayName: device, leaseTtlMs: LEASE_MS, keepAlive: false });
  const { name: addressSpace } = await session.createAddressSpace();
  const [ipa, bytes] = [BigInt(GUEST_RAM), BigInt(GUEST_FILE_BYTES)];
  const mapping = { ipa, bytes, source: 0, readable: true, writable: true };
  await session.mapMemory({ addressSpace, sources: [{ path: ram }], mappings: [mapping] });
  const { name: virtualIommu } = await session.createVirtualIommu({ addressSpace, iommus: ["iommus/smmu0"] });
  await session.attachDevice({ device, virtualIommu });
  const fields = { mode: Stage1Mode.STAGE1_MODE_TRANSLATE, s1ContextPtr: BigInt(GUEST_RAM + LAYOUT.cd) };
  await session.bindGuestStage({ device, virtualStreamId: 1, fields });
  return { name: device, token: session.token };
}

async function translate(client: grpc.Client, token: string, request: Buffer): Promise<void> {
  const metadata = new grpc.Metadata();
  metadata.set(TOKEN_KEY, token);
  await new Promise<void>((resolve, reject) => {
    client.makeUnaryRequest(SIMULATOR.translate.path, same, same, request, metadata, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}

/** A TranslateRequest with accesses to pages that are not mapped. */
export function faultRequest({ name }: FaultyDevice, accesses: number): Buffer {
  return SIMULATOR.translate.request.encode({
    device: name,
    accesses: Array.from({ length: accesses }, (_, index) => {
      return { iova: longOf(BigInt((HOLES.first + (index % HOLES.pages)) * PAGE)) };
    }),
  });
}

interface Watching {
  readonly after?: Readonly<Record<string, number>>;
  readonly isStuck?: boolean;
}

/** An owner's stream, of all its devices. */
export function ownerStream(
  { broker }: FaultHost,
  { name, token }: FaultyDevice,
  watching: Watching = {},
): StreamOrder {
  return { ...stream(watching), target: broker.target, token, watched: [name] };
}

/** An observer's, of all devices. */
export function observerStream({ broker, devices }: FaultHost, watching: Watching = {}): StreamOrder {
  const watched = devices.map(({ name }) => name);
  return { ...stream(watching), target: `unix:${broker.adminSocket}`, token: undefined, watched };
}

function stream({ after = {}, isStuck = false }: Watching) {
  const request = BROKER.watchFaults.request.encode({}).toString("base64");
  return { path: BROKER.watchFaults.path, request, after, isStuck, isBare: false };
}

/** What /metrics has for a series. */
export async function countOf({ broker }: FaultHost, series: string): Promise<number> {
  const line = (await broker.metrics()).split("\n").find((each) => each.startsWith(`${series} `));
  return Number(line?.split(" ")[1]);
}
