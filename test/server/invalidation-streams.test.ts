// StreamInvalidations over the whole broker and the simulated backend, against InvalidateCache on a twin of it: the same
// batches, good and bad, many under way at once, have the same answers and leave the same in the TLB and the caches of
// context descriptors. What the caches hold is seen by translating after the guest has changed its tables.

import { expect, onTestFinished, test } from "vitest";
import { checkVSTE } from "../../src/backends/vste.ts";
import { Channel } from "../../src/client/channel.ts";
import { BrokerCallError } from "../../src/client/client.ts";
import { InvalidationStream } from "../../src/client/invalidation-stream.ts";
import type { InvalidationCommand } from "../../src/client/messages.ts";
import { BROKER } from "../../src/server/rpc/services.ts";
import { Chance } from "../oracle/chance.ts";
import { GUEST_BASE, GuestTables } from "../support/guest-tables.ts";
import { attach, bind, type Guest, guest, NVME, type TestHost, testHost } from "../support/host.ts";
import { rule } from "../support/policy.ts";
import { refusal, serve } from "../support/rpc-server.ts";
import { contextDescriptor } from "../support/smmuv3-tables.ts";

const PAGE = 4096;
const PAGES = 8;
const DATA = GUEST_BASE + 0x10_0000;
const NAME = 0x30;
const UID = process.getuid?.() ?? 0;

/** One broker with one guest, whose device is bound with a CD of its own. */
class Twin {
  readonly host: TestHost;
  readonly guest: Guest;
  readonly channel: Channel;
  readonly #tables: GuestTables;
  readonly #roots: readonly number[];
  readonly #cd: number;

  static async start(policy = { rules: [rule("anybody")] }): Promise<Twin> {
    const host = testHost({ policy });
    const vmm = await guest(host, { uid: UID });
    const server = await serve({ core: host.core });
    const twin = new Twin(host, vmm, new Channel(server.target, {}));
    onTestFinished(() => twin.channel.close());
    await attach(host, vmm, NVME);
    // V, Config 0b101, S1Fmt 0 with S1CDMax 0: one CD at S1ContextPtr (§5.2)
    await bind(host, vmm, NVME, checkVSTE(0b1011n | BigInt(twin.#cd), 0xd4n), NAME);
    return twin;
  }

  constructor(host: TestHost, vmm: Guest, channel: Channel) {
    this.host = host;
    this.guest = vmm;
    this.channel = channel;
    this.#tables = new GuestTables(vmm.file);
    this.#roots = [this.#tables.root("4K"), this.#tables.root("4K")];
    this.#cd = this.#tables.cd("4K", this.#roots[0]!, { asid: 1 });
    for (const which of [0, 1]) for (let page = 0; page < PAGES; page++) this.lead(which, page, 16 * which + page);
  }

  get virtualIommu(): string {
    return `virtualIommus/${this.guest.virtualIommu}`;
  }

  /** Page `page` of a table leads to a page of data from now on. */
  lead(table: number, page: number, data: number): void {
    this.#tables.map("4K", this.#roots[table]!, page * PAGE, DATA + data * PAGE);
  }

  /** The CD speaks of a table, under an ASID. */
  use(table: number, asid: number): void {
    this.#tables.writeCD(contextDescriptor(this.#roots[table]!, { t0sz: 25, tg0: 0, asid }), this.#cd);
  }

  /** Where each page leads, by the caches or by the tables. */
  async outcomes(): Promise<readonly (number | undefined)[]> {
    const access = { substreamID: undefined, privileged: false, streamIndex: 0, access: "read" } as const;
    const wishes = Array.from({ length: PAGES }, (_, page) => ({ iova: BigInt(page * PAGE), ...access }));
    return (await this.host.backend.translate(NVME, wishes)).map(({ ipa }) => ipa);
  }
}

const bytesOf = (dword0: bigint, dword1: bigint): Uint8Array => {
  const bytes = Buffer.alloc(16);
  bytes.writeBigUInt64LE(dword0, 0);
  bytes.writeBigUInt64LE(dword1, 8);
  return bytes;
};

/** Commands in bits, as §4.3 and §4.4 print them: opcode [7:0], ASID [63:48], StreamID [63:32], Address in dword 1. */
function goodCommand(chance: Chance): InvalidationCommand {
  const asid = BigInt(1 + chance.below(2));
  const address = chance.below(PAGES) * PAGE;
  return chance.pick<InvalidationCommand>(
    { raw: bytesOf(0x12n | (asid << 48n), BigInt(address)) },
    { tlbiNhVa: { asid: Number(asid), address: BigInt(address), leaf: true } },
    { tlbiNhVaa: { address: BigInt(address) } },
    { raw: bytesOf(0x11n | (asid << 48n), 0n) },
    { cfgiCd: { virtualStreamId: NAME, leaf: true } },
    { raw: bytesOf(0x06n | (BigInt(NAME) << 32n), 0n) },
    chance.oneIn(3) ? { raw: bytesOf(0x30n, 0n) } : { tlbiNhVa: { asid: 2, address: 0n } },
    chance.oneIn(3) ? { tlbiNhAll: {} } : { tlbiNhAsid: { asid: 2 } },
  );
}

function badCommand(chance: Chance): InvalidationCommand {
  return chance.pick<InvalidationCommand>(
    { raw: bytesOf(0x46n, 0n) }, // CMD_SYNC
    { raw: bytesOf(0x10n | (1n << 20n), 0n) }, // reserved
    { raw: bytesOf(0x12n | (7n << 32n), 0n) }, // a VMID
    { raw: new Uint8Array(15) },
    { cfgiCd: { virtualStreamId: NAME + 1 } },
    { tlbiNhVa: { asid: 1, address: 1n } },
    {},
  );
}

function batchOf(chance: Chance): readonly InvalidationCommand[] {
  const length = chance.oneIn(12) ? chance.pick(0, 9, 10) : 1 + chance.below(4);
  const commands = Array.from({ length }, () => goodCommand(chance));
  if (length > 0 && chance.oneIn(3)) commands[chance.below(length)] = badCommand(chance);
  return commands;
}

/** What came of a batch, in everything that a client is told. */
async function told(batch: Promise<number>): Promise<unknown> {
  try {
    return await batch;
  } catch (error) {
    if (!(error instanceof BrokerCallError)) throw error;
    const { code, fields, message, metadata, reason } = error;
    return { code, fields, message, metadata, reason };
  }
}

async function unary(
  { channel, guest: vmm, virtualIommu }: Twin,
  commands: readonly InvalidationCommand[],
): Promise<number> {
  return (await channel.unary(BROKER.invalidateCache, { virtualIommu, commands }, vmm.token)).executed;
}

const SEED = BigInt(process.env.IOMMU_BROKER_STREAM_SEED ?? Date.now() % 2 ** 31);
const ROUNDS = 150;

test("batches on a stream are answered, and work on the caches, as the same batches of InvalidateCache", async () => {
  process.stdout.write(`invalidation streams: seed ${SEED}\n`);
  const chance = new Chance(SEED);
  const [streamed, called] = [await Twin.start(), await Twin.start()];
  const stream = new InvalidationStream(streamed.channel, streamed.guest.token, streamed.virtualIommu);
  const seen = { done: 0, refused: 0, stale: 0, fresh: 0 };
  let before = await streamed.outcomes();
  expect(await called.outcomes()).toEqual(before);
  for (let round = 0; round < ROUNDS; round++) {
    const changes = Array.from({ length: 1 + chance.below(3) }, () => {
      const [table, page, data, asid] = [chance.below(2), chance.below(PAGES), chance.below(64), 1 + chance.below(2)];
      return chance.oneIn(3) ? (twin: Twin) => twin.use(table, asid) : (twin: Twin) => twin.lead(table, page, data);
    });
    for (const twin of [streamed, called]) for (const change of changes) change(twin);
    const batches = Array.from({ length: 1 + chance.below(6) }, () => batchOf(chance));
    const answers = await Promise.all(batches.map((commands) => told(stream.invalidate(commands))));
    for (const [index, commands] of batches.entries()) {
      const answer = await told(unary(called, commands));
      expect([SEED, round, index, answers[index]]).toEqual([SEED, round, index, answer]);
      if (typeof answer === "number") seen.done += 1;
      else seen.refused += 1;
    }
    const outcomes = await streamed.outcomes();
    expect([SEED, round, outcomes]).toEqual([SEED, round, await called.outcomes()]);
    if (outcomes.every((outcome, page) => outcome === before[page])) seen.stale += 1;
    else seen.fresh += 1;
    before = outcomes;
  }
  await stream.close();
  for (const [what, count] of Object.entries(seen)) expect([what, count > ROUNDS / 20]).toEqual([what, true]);
});

test("raw bytes of many commands are the same commands", async () => {
  const twin = await Twin.start();
  const stream = new InvalidationStream(twin.channel, twin.guest.token, twin.virtualIommu);
  const before = await twin.outcomes();
  twin.lead(0, 3, 40);
  twin.lead(0, 5, 41);
  expect(await twin.outcomes()).toEqual(before);
  // CMD_TLBI_NH_VA of ASID 1, pages 3 and 4: page 5 stays as it was (§4.4.2)
  const commands = [3, 4].map((page) => bytesOf(0x12n | (1n << 48n), BigInt(page * PAGE)));
  expect(await stream.invalidate(Buffer.concat(commands))).toBe(2);
  expect(await twin.outcomes()).toEqual(before.map((ipa, page) => (page === 3 ? DATA + 40 * PAGE : ipa)));
  const bad = await refusal(stream.invalidate(Buffer.concat([...commands, bytesOf(0x46n, 0n)])));
  expect([bad.reason, bad.metadata.index, bad.fields.map(({ path }) => path)]).toEqual([
    "ARGUMENT_INVALID",
    "2",
    ["commands[2]"],
  ]);
  await stream.close();
});

test("each batch counts for the caller's rate; one above it is refused with a time to come again", async () => {
  const twin = await Twin.start({ rules: [rule("slow", { rate: { perSecond: 2, burst: 2 } })] });
  const stream = new InvalidationStream(twin.channel, twin.guest.token, twin.virtualIommu);
  expect(await stream.invalidate([{ tlbiNhAll: {} }])).toBe(1); // the second call: the first is the stream itself
  const error = await refusal(stream.invalidate([{ tlbiNhAll: {} }]));
  expect([error.metadata.limit, error.retryAfterMs]).toEqual(["quota_calls_per_second", 500]);
  twin.host.clock.advance(500);
  expect(await stream.invalidate([{ tlbiNhAll: {} }])).toBe(1);
  await stream.close();
});

test("a lease that lapses ends the stream, and the batch behind it is not carried out", async () => {
  const twin = await Twin.start();
  const stream = new InvalidationStream(twin.channel, twin.guest.token, twin.virtualIommu);
  await stream.invalidate([{ tlbiNhAll: {} }]);
  twin.host.clock.advance(20_000);
  const error = await refusal(stream.invalidate([{ tlbiNhAll: {} }]));
  expect([error.codeName, error.reason]).toEqual(["FAILED_PRECONDITION", "LEASE_EXPIRED"]);
});
