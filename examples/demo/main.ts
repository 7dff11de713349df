// The demo: a broker in one process, a VMM in this one. A real Linux guest's stage 1 is bound on a stage 2 that is not
// identity, the guest's recorded DMA is replayed through both, and what comes back is compared here, row by row.
// Exit code 0: every row agrees and every step went as told. 1: a disagreement. 2: wrong usage, or the story broke off.

import { closeSync, openSync, writeSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import {
  BrokerCallError,
  type BrokerSession,
  connect,
  type FaultEvent,
  type FaultWatch,
  Stage1Mode,
  TransactionOutcome,
} from "../../src/client/client.ts";
import { type GoldenCase, loadCase } from "../../test/golden/case.ts";
import { type BrokerProcess, startBroker } from "../support/broker-process.ts";
import { usedAddresses } from "../support/guest-image.ts";
import { type GuestLayout, guestLayout } from "../support/guest-layout.ts";
import { expectedRecords, type Guest, guestRegisters, recordMismatch, replay, startGuest } from "../support/vmm.ts";
import { heading, hex, progress, say, table } from "./narrate.ts";
import { planSabotage, type Sabotage } from "./sabotage.ts";

const CASE = fileURLToPath(new URL("../../test/golden/cases/L72-4k-s1-0100-nvme", import.meta.url));
const DEVICE = "devices/0000:01:00.0";
const IOMMU = "iommus/smmu0";
const EVENTS_WAIT_MS = 5000;
const USAGE = `npm run demo [-- --sabotage]

Starts a broker with a simulated SMMUv3, binds a real Linux guest's stage 1 and replays its DMA.

  --sabotage  flip one guest page table entry and one stage-2 mapping: exactly those rows must disagree, exit code 1
  --help      this text`;

interface Story {
  readonly broker: BrokerProcess;
  readonly golden: GoldenCase;
  readonly layout: GuestLayout;
  readonly sabotage: Sabotage | undefined;
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { sabotage: { type: "boolean" }, help: { type: "boolean" } } });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const golden = loadCase(CASE);
  const layout = guestLayout({ ram: golden.ram, used: usedAddresses(golden), gigabyte: "last" });
  const sabotage = values.sabotage ? planSabotage(golden, layout) : undefined;
  heading("Start a broker: one daemon owns the host's IOMMUs, here two simulated SMMUv3s");
  const broker = await startBroker();
  say(`iommu-brokerd is process ${broker.process.pid}, this VMM is process ${process.pid}`);
  say(`it listens on ${broker.target}`);
  try {
    return await tell({ broker, golden, layout, sabotage });
  } finally {
    const code = await broker.stop();
    say(`the broker stopped with exit code ${code}`);
  }
}

async function tell(story: Story): Promise<number> {
  const { broker, sabotage } = story;
  const client = connect(broker.target);
  const before = await broker.metrics();
  await askFirst(story, client);

  heading("Open a session: a lease on everything the VMM will hold");
  const session = await client.openSession({ displayName: "demo VMM", leaseTtlMs: 10_000 });
  say(`${session.name}, lease ${session.leaseTtlMs} ms, kept alive by the client`);

  const guest = await handOverMemory(story, session);
  const watch = session.watchFaults({ devices: [] });
  await watch.ready;
  await bindGuest(guest);
  if (sabotage) flipGuestEntry(guest, sabotage);

  const isRight = await replayRecordedDma(guest, watch, sabotage);
  if (sabotage) {
    await session.close();
    client.close();
    return isRight ? 1 : 2;
  }
  await showData(guest);
  await breakContextDescriptor(guest, watch);
  await refuseSecondClient(story);
  showMetrics(before, await broker.metrics());
  await leave(guest);
  watch.close();
  client.close();
  heading(isRight ? "Done: 0 disagreements, C_BAD_CD seen, the second client refused" : "Done, with disagreements");
  return isRight ? 0 : 1;
}

async function askFirst({ golden }: Story, client: ReturnType<typeof connect>): Promise<void> {
  heading("Ask first: what can the IOMMU do, and what may the guest be shown?");
  const wish = guestRegisters(golden);
  const capabilities = await client.getCapabilities({ iommu: IOMMU, device: DEVICE, wish });
  const iommu = capabilities.iommus[0]!;
  table([
    ["device", `${DEVICE} behind ${iommu.name}`],
    ["sizes", `${iommu.ipaBits}-bit IPA, ${iommu.asidBits}-bit ASID, ${iommu.substreamIdBits}-bit SubstreamID`],
    ["granules", iommu.granuleBytes.map((bytes) => `${bytes / 1024} KiB`).join(", ")],
    ["not for a guest", iommu.reduced.map((field) => field.field).join(", ")],
    ["MSI window", `${hex(capabilities.device!.msiWindow!.ipa)}, ${capabilities.device!.msiWindow!.bytes} bytes`],
  ]);
  const refused = iommu.wish.filter((verdict) => !verdict.ok);
  say(`the recorded guest's vSMMU, ${iommu.wish.length} fields checked: ${iommu.wishFits ? "fits" : "does not fit"}`);
  for (const verdict of refused) say(`  ${verdict.register}.${verdict.field}: ${verdict.reason}`);
}

async function handOverMemory({ broker, golden, layout, sabotage }: Story, session: BrokerSession): Promise<Guest> {
  heading("Hand over guest memory and make the virtual IOMMU");
  const alter = sabotage ? { alter: sabotage.alter } : {};
  const guest = await startGuest({ session, golden, layout, memoryRoot: broker.memoryRoot, iommu: IOMMU, ...alter });
  const sizes = [4096, 2 ** 21, 2 ** 30].map((size) => layout.pieces.filter((piece) => piece.bytes === size).length);
  say(`${golden.name}: a Linux guest's own RAM, ${golden.pages.length} pages of its tables, in a file of the VMM's`);
  say(`stage 2: ${sizes[0]} × 4 KiB, ${sizes[1]} × 2 MiB, ${sizes[2]} × 1 GiB, permuted: no page lies where it stands`);
  return guest;
}

async function bindGuest(guest: Guest): Promise<void> {
  const { golden, session, virtualIommu } = guest;
  heading("Attach the device, aborted, then bind the guest's stage 1");
  const attached = await session.attachDevice({
    device: DEVICE,
    virtualIommu,
    initialMode: Stage1Mode.STAGE1_MODE_ABORT,
  });
  const [early] = await session.simulator.dma(DEVICE, [{ iova: BigInt(golden.translations[0]!.iova), readBytes: 8 }]);
  say(`attached, generation ${attached.generation}; DMA before the bind: ${outcome(early!.outcome)}`);
  const [doubleword0, doubleword1] = steOf(golden);
  const request = {
    device: DEVICE,
    virtualStreamId: golden.stream_id ?? 0,
    raw: { doubleword0, doubleword1 },
  };
  const preview = await session.bindGuestStage({ ...request, validateOnly: true });
  say(`the guest's STE   ${hex(doubleword0)} ${hex(doubleword1)}`);
  say(`the host's  STE   ${preview.hostSte.slice(0, 4).map(hex).join(" ")}; would fault: ${preview.wouldFault.length}`);
  const bound = await session.bindGuestStage(request);
  say(`bound as virtual StreamID ${hex(request.virtualStreamId)}, generation ${bound.device!.generation}`);
}

function flipGuestEntry(guest: Guest, sabotage: Sabotage): void {
  heading("Sabotage: one guest page table entry, one stage-2 mapping");
  const file = openSync(guest.ramFile, "r+");
  const { address, after, before } = sabotage.flip(file);
  closeSync(file);
  say(`entry at IPA ${hex(address)}: ${hex(before)} → ${hex(after)}: row ${sabotage.guestRow} must disagree`);
  const { pa } = guest.golden.translations[sabotage.stage2Row]!.result;
  say(`IPA ${hex(pa!)} leads to its neighbour in the file: row ${sabotage.stage2Row} must disagree`);
}

async function replayRecordedDma(guest: Guest, watch: FaultWatch, sabotage: Sabotage | undefined): Promise<boolean> {
  heading("Replay the guest's recorded DMA through stage 1 and stage 2");
  const { translations } = guest.golden;
  const { agreed, disagreements } = await replay(guest, DEVICE, translations, (done, total) =>
    progress("translating", done, total),
  );
  say(`${agreed} agree, ${disagreements.length} disagree (IPA, PA, page size, fault), compared in this process`);
  for (const { expected, got, index, row } of disagreements.slice(0, 5)) {
    say(`  row ${index} IOVA ${row.iova} ${row.access}: expected ${expected}`);
    say(`  ${" ".repeat(`row ${index} IOVA ${row.iova} ${row.access}`.length)}       got ${got}`);
  }
  if (sabotage) {
    const caught = disagreements.map(({ index }) => index).sort((a, b) => a - b);
    const planned = [sabotage.guestRow, sabotage.stage2Row].sort((a, b) => a - b);
    const isExact = caught.join() === planned.join();
    say(isExact ? `exactly the sabotaged rows: ${planned.join(" and ")}` : `planned ${planned}, caught ${caught}`);
    return isExact;
  }
  const recordsAgree = await compareRecords(guest, watch);
  return disagreements.length === 0 && recordsAgree;
}

async function compareRecords(guest: Guest, watch: FaultWatch): Promise<boolean> {
  const rows = expectedRecords(guest, guest.golden.translations);
  const events = await take(watch, rows.length);
  const wrong = rows.flatMap((row, index) => {
    const event = events[index];
    const mismatch = event ? recordMismatch(guest, row, event) : "no event";
    return mismatch === undefined ? [] : [`row IOVA ${row.iova}: ${mismatch}`];
  });
  say(`${rows.length} of them fault: ${rows.length - wrong.length} events came on the stream as recorded, in order`);
  for (const line of wrong.slice(0, 5)) say(`  ${line}`);
  return wrong.length === 0;
}

/** Bytes that the VMM wrote into guest RAM come back through both stages. */
async function showData(guest: Guest): Promise<void> {
  const row = guest.golden.translations.find(
    ({ access, result }) => access === "r" && result.pa !== undefined && guest.layout.find(result.pa) !== undefined,
  )!;
  const text = "through both stages";
  const file = openSync(guest.ramFile, "r+");
  writeSync(file, text, guest.layout.find(row.result.pa!)!.offset);
  closeSync(file);
  const [read] = await guest.session.simulator.dma(DEVICE, [{ iova: BigInt(row.iova), readBytes: text.length }]);
  const data = Buffer.from(read!.data).toString();
  say(`data: the device reads ${JSON.stringify(data)} at IOVA ${row.iova}`);
  if (data !== text) throw new Error(`expected ${JSON.stringify(text)}`);
}

async function breakContextDescriptor(guest: Guest, watch: FaultWatch): Promise<void> {
  const { golden, session, virtualIommu } = guest;
  heading("Break the guest's context descriptor and invalidate it");
  const context = Number(golden.cd_address);
  const word = BigInt(golden.cd![0]!);
  const broken = word & ~(1n << 31n); // CD.V, bit 31 (IHI 0070G.b §5.4)
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(broken);
  await session.simulator.writeMemory(guest.addressSpace, BigInt(context), bytes);
  say(`CD at IPA ${hex(context)}: ${hex(word)} → ${hex(broken)}, V=0`);
  const iova = BigInt(golden.translations[0]!.iova);
  const [cached] = await session.simulator.dma(DEVICE, [{ iova, readBytes: 8 }]);
  say(`before the invalidation the SMMU still has the old one: DMA is ${outcome(cached!.outcome)}`);
  const virtualStreamId = golden.stream_id ?? 0;
  await session.invalidateCache(virtualIommu, [{ cfgiCd: { virtualStreamId, leaf: true } }]);
  const [refused] = await session.simulator.dma(DEVICE, [{ iova, readBytes: 8 }]);
  const [event] = await take(watch, 1);
  say(`after CMD_CFGI_CD: DMA is ${outcome(refused!.outcome)}, and the event stream says:`);
  if (!event) throw new Error("no event came");
  showEvent(event);
  if (event.type !== "C_BAD_CD") throw new Error(`expected C_BAD_CD, got ${event.type}`);
}

function showEvent(event: FaultEvent): void {
  table([
    ["type", `${event.type} (${hex(event.typeNumber)})`],
    ["device", event.device],
    ["virtual StreamID", event.virtualStreamId === undefined ? "none" : hex(event.virtualStreamId)],
    ["sequence", String(event.sequence)],
    ["record", Buffer.from(event.record).toString("hex")],
  ]);
}

async function refuseSecondClient({ broker, golden }: Story): Promise<void> {
  heading("A second client tries to bind the same device");
  const other = connect(broker.target);
  const session = await other.openSession({ displayName: "second VMM" });
  const [doubleword0, doubleword1] = steOf(golden);
  try {
    await session.bindGuestStage({ device: DEVICE, virtualStreamId: 1, raw: { doubleword0, doubleword1 } });
  } catch (error) {
    if (!(error instanceof BrokerCallError)) throw error;
    say(`refused: ${error.reason}: ${error.message}`);
    if (error.reason !== "DEVICE_OWNED") throw error;
    return;
  } finally {
    await session.close();
    other.close();
  }
  throw new Error("the second client was not refused");
}

async function leave(guest: Guest): Promise<void> {
  heading("Unbind, detach, close");
  const unbound = await guest.session.unbindGuestStage({ device: DEVICE });
  say(`unbound: generation ${unbound.generation}, stage 1 bypass, stage 2 still the guest's memory only`);
  const detached = await guest.session.detachDevice({ device: DEVICE });
  say(`detached: generation ${detached.generation}, the host's default domain, owner ${detached.owner || "none"}`);
  await guest.session.close();
}

/** Series that changed, the hardware's first; of the RPCs only the ones the story is about. */
function showMetrics(before: string, after: string): void {
  heading("The metrics that moved (GET /metrics before and now)");
  const old = new Set(before.split("\n"));
  const moved = after.split("\n").filter((line) => !old.has(line) && !line.endsWith(" 0"));
  const hardware = moved.filter((line) =>
    /^iommu_(translations|faults|tlb|config_cache|events|commands|stage)/.test(line),
  );
  const calls = moved.filter((line) => /^grpc_server_handled_total.*(BindGuestStage|InvalidateCache)/.test(line));
  for (const line of [...hardware, ...calls]) say(line);
  for (const name of ["iommu_translations_total", "iommu_faults_total"]) {
    if (!hardware.some((line) => line.startsWith(name))) throw new Error(`${name} did not move`);
  }
}

/** The next `count` events of the stream. */
async function take(watch: FaultWatch, count: number): Promise<FaultEvent[]> {
  const events: FaultEvent[] = [];
  const deadline = AbortSignal.timeout(EVENTS_WAIT_MS);
  const iterator = iteratorOf(watch);
  while (events.length < count) {
    const expired = new Promise<undefined>((resolve) => {
      deadline.addEventListener("abort", () => resolve(undefined), { once: true });
    });
    const next = await Promise.race([iterator.next(), expired]);
    if (!next || next.done) break;
    events.push(...next.value.events);
  }
  return events;
}

const iterators = new WeakMap<FaultWatch, AsyncIterator<{ readonly events: readonly FaultEvent[] }>>();

/** One iteration of a watch, taken up again by each take(). */
function iteratorOf(watch: FaultWatch): AsyncIterator<{ readonly events: readonly FaultEvent[] }> {
  const known = iterators.get(watch) ?? watch[Symbol.asyncIterator]();
  iterators.set(watch, known);
  return known;
}

function steOf(golden: GoldenCase): readonly [bigint, bigint] {
  return [BigInt(golden.ste![0]!), BigInt(golden.ste![1]!)];
}

function outcome(value: number): string {
  const name = Object.entries(TransactionOutcome).find(([, number]) => number === value)?.[0] ?? String(value);
  return name.replace("TRANSACTION_OUTCOME_", "").toLowerCase().replace("_", " ");
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error(error instanceof Error ? `\nThe story broke off: ${error.message}` : error);
    process.exitCode = 2;
  },
);
