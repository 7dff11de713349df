// Every Linux stage-1 case, nested, over gRPC: the guest's own tables on a stage 2 that is permuted and made of 4 KiB,
// 2 MiB and 1 GiB pieces. IPA, PA, page size and fault of each row are compared, and the event records of the faults.
// A row that writes to the host's MSI window is also sent as DMA, and must be listed as an MSI.
// C_BAD_STREAMID rows are about the guest's stream table, which a VMM reads itself: they are counted, not replayed.

import { rmSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BrokerProcess, startBroker } from "../../examples/support/broker-process.ts";
import { expectedNested, usedAddresses } from "../../examples/support/guest-image.ts";
import { guestLayout } from "../../examples/support/guest-layout.ts";
import { guestSTE } from "../../examples/support/guest-stream-table.ts";
import {
  attachAndBind,
  expectedRecords,
  type Guest,
  recordMismatch,
  replay,
  startGuest,
} from "../../examples/support/vmm.ts";
import {
  type BrokerClient,
  type BrokerSession,
  connect,
  type FaultEvent,
  type FaultWatch,
} from "../../src/client/client.ts";
import { findCases, type GoldenCase, type GoldenTranslation, loadCase } from "../golden/case.ts";

const CASES = findCases("test/golden/cases").filter((folder) => /L72-(4k|16k)-(s1|lazy|linear)/.test(folder));
/** Simulated devices of this test have group numbers and StreamIDs of their own from here on. */
const FIRST_GROUP = 100;
const FIRST_STREAM_ID = 0x1000;

let broker: BrokerProcess;
let client: BrokerClient;
let added = 0;
let msisSent = 0;

beforeAll(async () => {
  broker = await startBroker();
  client = connect(broker.target);
});

afterAll(async () => {
  client.close();
  expect(await broker.stop()).toBe(0);
});

test("there are thirteen Linux stage-1 cases", () => {
  expect(CASES).toHaveLength(13);
});

describe.each(["first", "last"] as const)("with the %s GiB as one block", (gigabyte) => {
  test.each(CASES.map((folder) => [folder.replace(/.*\//, ""), folder] as const))("%s agrees", async (_, folder) => {
    const golden = loadCase(folder);
    const layout = guestLayout({ ram: golden.ram, used: usedAddresses(golden), gigabyte });
    expect(new Set(layout.pieces.map((piece) => piece.bytes)).size).toBeGreaterThanOrEqual(2);
    const session = await client.openSession({ displayName: golden.name });
    const guest = await startGuest({ session, golden, layout, memoryRoot: broker.memoryRoot, iommu: "iommus/smmu0" });
    let rows = 0;
    for (const [streamID, own] of byStream(golden)) rows += await runStream(guest, streamID, own);
    const skipped = golden.translations.filter((row) => row.result.fault === "C_BAD_STREAMID").length;
    expect(rows + skipped).toBe(golden.translations.length);
    expect(rows).toBeGreaterThan(0);
    await session.close();
    rmSync(guest.ramFile);
  });
});

test("writes to the MSI window were among them", () => {
  expect(msisSent).toBeGreaterThan(0);
});

async function runStream(guest: Guest, streamID: number, rows: readonly GoldenTranslation[]): Promise<number> {
  const { golden, session } = guest;
  const ste = golden.ste?.map(BigInt) ?? guestSTE(golden, streamID);
  if (!ste) {
    expect(rows.every((row) => row.result.fault === "C_BAD_STREAMID")).toBe(true);
    return 0;
  }
  const device = await addDevice(session);
  const watch = session.watchFaults({ devices: [] });
  await watch.ready;
  await attachAndBind(guest, device, streamID, ste);
  const { disagreements } = await replay(guest, device, rows);
  expect(disagreements.slice(0, 3)).toEqual([]);
  const faulting = expectedRecords(guest, rows);
  const events = await collect(watch, faulting.length);
  const wrong = faulting.map((row, index) => recordMismatch(guest, row, events[index]!)).filter(Boolean);
  expect(wrong.slice(0, 3)).toEqual([]);
  expect(events.every((event) => event.virtualStreamId === streamID)).toBe(true);
  await sendMsis(guest, device, rows);
  return rows.length;
}

async function sendMsis({ layout, session }: Guest, device: string, rows: readonly GoldenTranslation[]): Promise<void> {
  const sent = rows.flatMap((row) => {
    const expected = expectedNested(row, layout);
    if (expected.kind !== "msi" || row.access !== "w" || expected.ipa % 4 !== 0) return [];
    return [{ iova: BigInt(row.iova), substreamId: row.ssid ?? undefined, ipa: BigInt(expected.ipa) }];
  });
  const accesses = sent.map(({ iova, substreamId }, index) => ({
    iova,
    substreamId,
    write: Uint8Array.of(index, 0, 0, 1),
  }));
  await session.simulator.dma(device, accesses);
  const { msis, total } = await session.simulator.listMsis(device);
  expect(msis.map(({ data, ipa }) => ({ data, ipa }))).toEqual(
    sent.map(({ ipa }, index) => ({ data: 0x0100_0000 + index, ipa })),
  );
  expect(total).toBe(BigInt(sent.length));
  msisSent += sent.length;
}

async function collect(watch: FaultWatch, count: number): Promise<FaultEvent[]> {
  const events: FaultEvent[] = [];
  if (count === 0) watch.close();
  for await (const batch of watch) {
    expect(batch.gaps).toEqual([]);
    events.push(...batch.events);
    if (events.length >= count) break;
  }
  return events;
}

async function addDevice(session: BrokerSession): Promise<string> {
  added += 1;
  return await session.simulator.addDevice({
    deviceId: `golden-${added}`,
    iommu: "iommus/smmu0",
    iommuGroup: FIRST_GROUP + added,
    streamIds: [FIRST_STREAM_ID + added],
  });
}

function byStream(golden: GoldenCase): ReadonlyMap<number, readonly GoldenTranslation[]> {
  const streams = new Map<number, GoldenTranslation[]>();
  for (const row of golden.translations) {
    const streamID = row.stream_id ?? golden.stream_id ?? 0;
    const rows = streams.get(streamID) ?? [];
    rows.push(row);
    streams.set(streamID, rows);
  }
  return streams;
}
