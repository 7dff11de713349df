// Any bytes and any valid message to every RPC of a real daemon, for a while: whatever comes back, it is the caller's mistake or
// an answer, never a bug, and the daemon goes on. Both begin with a seed that is printed.

import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { BROKER } from "../../src/server/rpc/services.ts";
import { TOKEN_KEY } from "../../src/server/rpc/token.ts";
import { requestTypes } from "../support/e2e-descriptors.ts";
import { bugLines, isServiceError, RawClient } from "../support/e2e-refusal.ts";
import { FRESH, GROUPED, IDLE, NAMED, NESTED, startWorld, stopWorld, TWIN, type World } from "../support/e2e-world.ts";
import { Chance } from "../support/fuzz-chance.ts";
import { randomMessage } from "../support/random-message.ts";

const SECONDS = Number(process.env.IOMMU_BROKER_FUZZ_SECONDS ?? 8);
const SEED = Number(process.env.IOMMU_BROKER_FUZZ_SEED ?? Date.now() % 2 ** 31);
const AT_ONCE = 8;
/** What only a bug answers. */
const BUGS = new Set([status.INTERNAL, status.UNKNOWN, status.DATA_LOSS, status.UNAVAILABLE, status.DEADLINE_EXCEEDED]);
/** They would end what everything else is called with, or fill the daemon with sessions. */
const SPARED = new Set([
  "/iommubroker.v1.IommuBroker/CloseSession",
  "/iommubroker.v1.IommuBroker/OpenSession",
  "/iommubroker.v1.Simulator/RemoveDevice",
]);
const INVALIDATIONS = BROKER.streamInvalidations.path;
const TYPES = [...requestTypes(BROKER.streamInvalidations.name)].filter(([path]) => !SPARED.has(path));

let world: World;
let raw: RawClient;

beforeAll(async () => {
  world = await startWorld();
  raw = new RawClient(world.broker.target);
});

afterAll(async () => {
  raw.close();
  await stopWorld(world);
});

async function codeOf(path: string, message: Buffer): Promise<status> {
  const metadata = new Metadata();
  metadata.set(TOKEN_KEY, world.own.session.token);
  if (path === INVALIDATIONS) return await streamCodeOf(message, metadata);
  try {
    await raw.unary(path, message, metadata);
    return status.OK;
  } catch (error) {
    if (isServiceError(error)) return error.code;
    throw error;
  }
}

const same = (bytes: Buffer): Buffer => bytes;

/** Of two batches on one stream: what the first is answered, or what it ends the stream with. */
async function streamCodeOf(message: Buffer, metadata: Metadata): Promise<status> {
  return await new Promise((resolve) => {
    const stream = raw.grpc.makeBidiStreamRequest(INVALIDATIONS, same, same, metadata, {
      deadline: Date.now() + 10_000,
    });
    stream.on("data", (bytes: Buffer) => resolve(BROKER.streamInvalidations.response.decode(bytes).error?.code ?? 0));
    stream.on("error", (error: ServiceError) => resolve(error.code));
    stream.write(message);
    stream.write(message);
    stream.end();
  });
}

/** Sends what `make` makes until the time is over; prints how it was answered. */
async function fuzz(what: string, make: (chance: Chance) => readonly [path: string, message: Buffer]): Promise<void> {
  const chance = new Chance(SEED);
  const codes = new Map<string, number>();
  const deadline = performance.now() + SECONDS * 1000;
  while (performance.now() < deadline) {
    const calls = Array.from({ length: AT_ONCE }, () => make(chance));
    const ends = await Promise.all(calls.map(([path, message]) => codeOf(path, message)));
    for (const [index, code] of ends.entries()) {
      const [path, message] = calls[index]!;
      expect([SEED, path, message.toString("hex"), BUGS.has(code) ? status[code] : ""]).toEqual([
        SEED,
        path,
        message.toString("hex"),
        "",
      ]);
      codes.set(status[code], (codes.get(status[code]) ?? 0) + 1);
    }
  }
  expect(bugLines(world.broker.log)).toEqual([]);
  expect(await raw.health()).toBe("SERVING");
  process.stdout.write(`${what}: seed ${SEED}: ${[...codes].map(([code, count]) => `${count} ${code}`).join(", ")}\n`);
}

test(
  "random bytes as messages",
  async () => {
    await fuzz("random bytes", (chance) => {
      const bytes = Array.from({ length: chance.below(chance.once(10) ? 2000 : 40) }, () => chance.below(256));
      return [chance.of(TYPES)[0], Buffer.from(bytes)];
    });
  },
  SECONDS * 1000 + 30_000,
);

test(
  "random valid messages about what is there",
  async () => {
    const { emptyVirtualIommu, others, own, ram } = world;
    const { addressSpace, virtualIommu } = own;
    const devices = [FRESH, GROUPED, IDLE, NAMED, NESTED, TWIN];
    const names = [
      ...devices,
      addressSpace,
      virtualIommu,
      emptyVirtualIommu,
      ram,
      others.addressSpace,
      "iommus/smmu0",
      "",
    ];
    await fuzz("random messages", (chance) => {
      const [path, type] = chance.of(TYPES);
      return [path, randomMessage(chance, type, names)];
    });
    expect((await world.client.getDevice(NESTED)).name).toBe(NESTED);
  },
  SECONDS * 1000 + 30_000,
);
