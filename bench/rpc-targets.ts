// The servers of bench/rpc.ts: brokers with a guest on each of some devices, and the echo servers beside them. All are sent the
// same bytes in the same headers.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startBroker } from "../examples/support/broker-process.ts";
import { type BrokerSession, connect, type Device, Stage1Mode } from "../src/client/client.ts";
import { longOf } from "../src/server/rpc/int64.ts";
import { BROKER } from "../src/server/rpc/services.ts";

const ECHO_SERVER = join(import.meta.dirname, "echo-server.ts");
/** Guests of a broker, each a session with a device of its own. */
export const GUESTS = 8;
const RAM_IPA = 0x4000_0000n;
const RAM_BYTES = 2 ** 21;
const LEASE_MS = 3_600_000;

/** What one client sends: requests as gRPC messages, one after the other. */
export interface Client {
  readonly token: string;
  readonly message: Buffer;
}

/** A server under load. */
export interface Target {
  readonly name: string;
  readonly socket: string;
  readonly pid: number;
  readonly clients: { readonly get: readonly Client[]; readonly pair: readonly Client[] };
  readonly paths: { readonly get: readonly string[]; readonly pair: readonly string[] };
}

export interface Host {
  readonly target: Target;
  /** The device that GetDevice is asked about. */
  device(): Promise<Device>;
  /** The sum over all guests' devices. */
  generations(): Promise<bigint>;
  close(): Promise<void>;
}

export async function startHost(name: string, extra: Readonly<Record<string, unknown>>): Promise<Host> {
  const registers = { idr0: 0x0d4c_101b, idr1: 0x0273_0510, idr3: 0x1414, idr5: 0x75, aidr: 0x1 };
  const devices = Array.from({ length: GUESTS }, (_, group) => ({
    id: `0000:0${group + 1}:00.0`,
    iommu: "smmu0",
    group,
    stream_ids: [256 * (group + 1)],
  }));
  const broker = await startBroker({ simulated: { iommus: [{ id: "smmu0", registers }], devices }, ...extra });
  const client = connect(broker.target);
  const sessions: BrokerSession[] = [];
  for (const { id } of devices) {
    const session = await client.openSession({ displayName: `vmm of ${id}`, leaseTtlMs: LEASE_MS, keepAlive: false });
    await bindGuest(session, broker.memoryRoot, id);
    sessions.push(session);
  }
  const names = devices.map(({ id }) => `devices/${id}`);
  const device = async (index: number): Promise<Device> => await sessions[index]!.getDevice(names[index]!);
  const pair = sessions.map(({ token }, index) => ({ token, message: pairMessage(names[index]!) }));
  return {
    target: {
      name,
      socket: broker.socket,
      pid: broker.process.pid ?? 0,
      clients: { get: [{ token: sessions[0]!.token, message: getMessage(names[0]!) }], pair },
      paths: { get: [BROKER.getDevice.path], pair: [BROKER.bindGuestStage.path, BROKER.unbindGuestStage.path] },
    },
    device: () => device(0),
    generations: async () => {
      const all = await Promise.all(names.map((_, index) => device(index)));
      return all.reduce((sum, { generation }) => sum + generation, 0n);
    },
    close: async () => {
      client.close();
      await broker.stop();
    },
  };
}

async function bindGuest(session: BrokerSession, memoryRoot: string, id: string): Promise<void> {
  const path = join(memoryRoot, `ram of ${id}`);
  writeFileSync(path, "");
  truncateSync(path, RAM_BYTES);
  const { name: addressSpace } = await session.createAddressSpace();
  const mapping = { ipa: RAM_IPA, bytes: BigInt(RAM_BYTES), source: 0, offset: 0n, readable: true, writable: true };
  await session.mapMemory({ addressSpace, sources: [{ path }], mappings: [mapping] });
  const { name: virtualIommu } = await session.createVirtualIommu({ addressSpace, iommus: ["iommus/smmu0"] });
  const device = `devices/${id}`;
  await session.attachDevice({ device, virtualIommu });
  const fields = { mode: Stage1Mode.STAGE1_MODE_TRANSLATE, s1ContextPtr: RAM_IPA };
  await session.bindGuestStage({ device, virtualStreamId: 1, fields });
  await session.unbindGuestStage({ device });
}

function getMessage(device: string): Buffer {
  return BROKER.getDevice.request.encode({ device });
}

/** The same bytes are a BindGuestStageRequest and an UnbindGuestStageRequest: the latter has no field 4. */
function pairMessage(device: string): Buffer {
  return BROKER.bindGuestStage.request.encode({
    device,
    fields: { mode: Stage1Mode.STAGE1_MODE_TRANSLATE, s1ContextPtr: longOf(RAM_IPA) },
  });
}

/** The device as the wire has it when its owner asks. */
export function encodedAnswer(device: Device): Buffer {
  const { name, iommu, owner, ownerDisplayName, virtualIommu } = device;
  const lists = { groupDevices: [...device.groupDevices], streamIds: [...device.streamIds] };
  const named = { name, iommu, owner, ownerDisplayName, virtualIommu, ...lists };
  const rest = {
    iommuGroup: 1,
    generation: longOf(10_000n),
    attached: true,
    stageAuthoritative: true,
    virtualStreamId: 1,
  };
  const installedVste = device.installedVste.map(longOf);
  return BROKER.getDevice.response.encode({ device: { ...named, ...rest, installedVste, state: 2 } });
}

export interface Echo {
  readonly target: Target;
  readonly child: ChildProcess;
}

/** @param like  the broker whose clients it is to have */
export async function startEcho(
  { name, method }: { readonly name: string; readonly method: "Large" | "Coded" },
  directory: string,
  answer: Buffer,
  like: Target,
): Promise<Echo> {
  const socket = join(directory, `${name}.sock`);
  const child = spawn(
    process.execPath,
    [ECHO_SERVER, String(answer.length), `unix:${socket}`, answer.toString("hex")],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  await once(child.stdout, "data");
  const path = `/bench.Echo/${method}`;
  const paths = { get: [path], pair: [path, path] };
  return { target: { name, socket, pid: child.pid ?? 0, clients: like.clients, paths }, child };
}
