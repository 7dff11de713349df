// Faults end to end, with the daemon as a process: whose they are, what is said of them, what waits for an answer, and
// what a restart makes of them.

import { spawn } from "node:child_process";
import { join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import {
  type BrokerClient,
  connect,
  FaultAction,
  FaultDiagnosisVerdict,
  FaultGapReason,
  FaultResolutionOutcome,
  FaultStage,
  TransactionOutcome,
} from "../../src/client/client.ts";
import { CutConnection } from "../support/cut-connection.ts";
import type { DaemonDirectory } from "../support/e2e-daemon.ts";
import {
  adminSocketOf,
  DSP,
  faultDaemon,
  faultGuest,
  GPU,
  giveDevice,
  HOLE,
  mapHole,
  NIC,
  Reading,
  read,
  VIRTUAL_STREAM_IDS,
} from "../support/e2e-fault-world.ts";
import { GUEST_RAM, LAYOUT } from "../support/e2e-guest-tables.ts";
import { bugLines } from "../support/e2e-refusal.ts";
import { refusal } from "../support/rpc-server.ts";

/** A client that is closed when the test ends. */
function clientOf(target: string): BrokerClient {
  const client = connect(target);
  onTestFinished(() => client.close());
  return client;
}

function observerOf(directory: DaemonDirectory): BrokerClient {
  return clientOf(`unix:${adminSocketOf(directory)}`);
}

describe("an event", () => {
  test("goes to the owner with its diagnosis, to observers on the admin socket, and to nobody else", async () => {
    const directory = faultDaemon();
    const daemon = await directory.start();
    const { session } = await faultGuest(clientOf(directory.target), directory.memoryRoot, {
      name: "owner",
      devices: [NIC],
    });
    const other = await faultGuest(clientOf(directory.target), directory.memoryRoot, { name: "other", devices: [DSP] });
    const owned = new Reading(session.watchFaults({ diagnose: true }));
    const others = new Reading(other.session.watchFaults());
    const observed = new Reading(observerOf(directory).watchFaults(undefined, { devices: [NIC] }));
    await Promise.all([owned, others, observed].map(({ watch }) => watch.ready));

    expect(await read(session, NIC, HOLE)).toMatchObject({ outcome: TransactionOutcome.TRANSACTION_OUTCOME_ABORT });
    await read(other.session, DSP, HOLE); // the other's own: its stream has this and nothing before it
    await owned.until(({ events }) => events.length > 0);
    await observed.until(({ events }) => events.length > 0);
    await others.until(({ events }) => events.length > 0);

    const [event] = owned.events;
    expect(event).toMatchObject({
      sequence: 1n,
      device: NIC,
      virtualStreamId: VIRTUAL_STREAM_IDS[NIC],
      type: "F_TRANSLATION",
      stage: FaultStage.FAULT_STAGE_1,
      inputAddress: HOLE,
      read: true,
      hostOnly: false,
      // The table of the last level is there, the descriptor of the page is 0: bit 0 says not valid (§7.3.13).
      diagnosis: {
        verdict: FaultDiagnosisVerdict.FAULT_DIAGNOSIS_VERDICT_REPRODUCED,
        rule: "DESCRIPTOR_INVALID",
        level: 3,
        address: BigInt(GUEST_RAM + LAYOUT.level3 + 8 * 9),
        raw: [0n],
      },
    });
    // StreamID [63:32] of the record is the guest's (§7.3).
    const record = Buffer.from(event?.record ?? []);
    expect([record.length, record.readUInt32LE(4)]).toEqual([32, VIRTUAL_STREAM_IDS[NIC]]);
    const { diagnosis: _, ...undiagnosed } = event ?? { diagnosis: undefined };
    expect(observed.events).toEqual([undiagnosed]);
    expect(others.events.map(({ device, sequence }) => [device, sequence])).toEqual([[DSP, 1n]]);
    for (const { watch } of [owned, others, observed]) watch.close();
    expect(bugLines(daemon.log)).toEqual([]);
  });

  test("is not shown to a stranger: neither watched nor listed, with or without a session", async () => {
    const directory = faultDaemon();
    await directory.start();
    const client = clientOf(directory.target);
    const { session } = await faultGuest(client, directory.memoryRoot, { name: "owner", devices: [NIC] });
    const stranger = await client.openSession({ displayName: "stranger" });
    await read(session, NIC, HOLE);
    expect((await refusal(stranger.watchFaults({ devices: [NIC] }).ready)).reason).toBe("NOT_OWNER");
    expect((await refusal(stranger.listFaults({ devices: [NIC] }).next())).reason).toBe("NOT_OWNER");
    expect((await stranger.listFaults().next()).done).toBe(true);
    expect((await refusal(client.watchFaults(undefined).ready)).reason).toBe("UNAUTHENTICATED");
    expect((await refusal(client.listFaults(undefined).next())).reason).toBe("UNAUTHENTICATED");
    expect((await session.listFaults().next()).value).toMatchObject({ device: NIC, sequence: 1n });
  });

  test("of stage 2 is the host's business, flagged, with its IPA", async () => {
    const directory = faultDaemon();
    await directory.start();
    const guest = await faultGuest(clientOf(directory.target), directory.memoryRoot, { name: "owner", devices: [NIC] });
    const reading = new Reading(guest.session.watchFaults());
    await reading.watch.ready;
    const beyond = 0x8000_0000n; // nothing of the guest's memory is there
    mapHole(guest, beyond);
    await read(guest.session, NIC, HOLE);
    await reading.until(({ events }) => events.length > 0);
    expect(reading.events[0]).toMatchObject({
      type: "F_TRANSLATION",
      stage: FaultStage.FAULT_STAGE_2,
      hostOnly: true,
      inputAddress: HOLE,
      ipa: beyond,
    });
    reading.watch.close();
  });
});

describe("a list", () => {
  test("has what was recorded, the newest first, by type and in pages, also for an observer after the owner has left", async () => {
    const directory = faultDaemon();
    await directory.start();
    const { session } = await faultGuest(clientOf(directory.target), directory.memoryRoot, {
      name: "owner",
      devices: [NIC],
    });
    for (let count = 0; count < 5; count += 1) await read(session, NIC, HOLE);
    const numbers = async (faults: ReturnType<BrokerClient["listFaults"]>): Promise<bigint[]> => {
      const found: bigint[] = [];
      for await (const { sequence } of faults) found.push(sequence);
      return found;
    };
    expect(await numbers(session.listFaults({ pageSize: 2 }))).toEqual([5n, 4n, 3n, 2n, 1n]);
    expect(await numbers(session.listFaults({ types: ["C_BAD_CD"] }))).toEqual([]);
    await session.close();
    expect(await numbers(observerOf(directory).listFaults(undefined, { devices: [NIC], pageSize: 3 }))).toEqual([
      5n,
      4n,
      3n,
      2n,
      1n,
    ]);
  });
});

describe("a stalled transaction", () => {
  async function stalling(settings: Readonly<Record<string, unknown>> = {}) {
    const directory = faultDaemon(settings);
    await directory.start();
    const guest = await faultGuest(clientOf(directory.target), directory.memoryRoot, {
      name: "owner",
      devices: [DSP],
      stalls: true,
    });
    const reading = new Reading(guest.session.watchFaults());
    await reading.watch.ready;
    onTestFinished(() => reading.watch.close());
    const dma = read(guest.session, DSP, HOLE);
    await reading.until(({ events }) => events.length > 0);
    const [event] = reading.events;
    if (event === undefined) throw new Error("nothing stalled");
    return { ...guest, directory, guest, reading, dma, event };
  }

  test("goes on when its owner has mapped the page and answers RETRY, once", async () => {
    const { dma, event, guest, reading, session } = await stalling();
    expect(event.pending?.responseToken).not.toBe("");
    mapHole(guest);
    const answered = await session.respondToFault(event, FaultAction.FAULT_ACTION_RETRY);
    expect(answered).toEqual({ device: DSP, sequence: event.sequence });
    expect(await dma).toMatchObject({ outcome: TransactionOutcome.TRANSACTION_OUTCOME_OK });
    await reading.until(({ resolutions }) => resolutions.length > 0);
    expect(reading.resolutions).toMatchObject([
      { device: DSP, sequence: event.sequence, outcome: FaultResolutionOutcome.FAULT_RESOLUTION_OUTCOME_ANSWERED },
    ]);
    const again = await refusal(session.respondToFault(event, FaultAction.FAULT_ACTION_RETRY));
    expect([again.codeName, again.reason]).toEqual(["FAILED_PRECONDITION", "FAULT_NOT_PENDING"]);
  });

  test("can be answered by nobody but its owner: an observer sees no token, and a stranger's guess is none", async () => {
    const { directory, dma, event, session } = await stalling();
    const listed = (await observerOf(directory).listFaults(undefined).next()).value;
    expect(listed).toMatchObject({ sequence: event.sequence, pending: { responseToken: "" } });
    const stranger = await clientOf(directory.target).openSession({ displayName: "stranger" });
    // Even the token itself is of no use to another session.
    const refused = await refusal(stranger.respondToFault(event, FaultAction.FAULT_ACTION_RETRY));
    expect(refused.reason).toBe("FAULT_NOT_PENDING");
    const wrong = await refusal(session.respondToFault(event, FaultAction.FAULT_ACTION_SUCCESS));
    expect(wrong.reason).toBe("ARGUMENT_INVALID");
    await session.respondToFault(event, FaultAction.FAULT_ACTION_ABORT);
    expect(await dma).toMatchObject({ outcome: TransactionOutcome.TRANSACTION_OUTCOME_ABORT });
  });

  test("that nobody answers in time is aborted, and that is told", async () => {
    const { dma, event, reading, session } = await stalling({ timing: { fault_response_ms: 200 } });
    expect(await dma).toMatchObject({ outcome: TransactionOutcome.TRANSACTION_OUTCOME_ABORT });
    await reading.until(({ resolutions }) => resolutions.length > 0);
    expect(reading.resolutions).toMatchObject([
      { sequence: event.sequence, outcome: FaultResolutionOutcome.FAULT_RESOLUTION_OUTCOME_TIMED_OUT },
    ]);
    expect((await refusal(session.respondToFault(event, FaultAction.FAULT_ACTION_RETRY))).reason).toBe(
      "FAULT_NOT_PENDING",
    );
  });

  test("whose owner is killed is ended, and observers are told", async () => {
    const directory = faultDaemon();
    await directory.start();
    const observed = new Reading(observerOf(directory).watchFaults(undefined));
    await observed.watch.ready;
    const script = join(import.meta.dirname, "../support/stalling-process.ts");
    const vmm = spawn(process.execPath, [script, directory.target, directory.memoryRoot], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    onTestFinished(() => void vmm.kill("SIGKILL"));
    await observed.until(({ events }) => events.length > 0);
    expect(observed.events[0]).toMatchObject({ device: DSP, pending: { responseToken: "" } });
    vmm.kill("SIGKILL");
    await observed.until(({ resolutions }) => resolutions.length > 0);
    expect(observed.resolutions).toMatchObject([
      {
        device: DSP,
        sequence: observed.events[0]?.sequence,
        outcome: FaultResolutionOutcome.FAULT_RESOLUTION_OUTCOME_OWNER_GONE,
      },
    ]);
    observed.watch.close();
  });
});

test("a page request waits for its owner, who maps the page and answers SUCCESS", async () => {
  const directory = faultDaemon();
  await directory.start();
  const guest = await faultGuest(clientOf(directory.target), directory.memoryRoot, { name: "owner", devices: [GPU] });
  const reading = new Reading(guest.session.watchFaults({ types: ["PAGE_REQUEST"] }));
  await reading.watch.ready;
  const dma = read(guest.session, GPU, HOLE);
  await reading.until(({ events }) => events.length > 0);
  const [event] = reading.events;
  if (event === undefined) throw new Error("no page was asked for");
  expect(event).toMatchObject({
    type: "PAGE_REQUEST",
    typeNumber: 0,
    pageRequest: { address: HOLE, last: true, read: true, write: false },
  });
  mapHole(guest);
  await guest.session.respondToFault(event, FaultAction.FAULT_ACTION_SUCCESS);
  expect(await dma).toMatchObject({ outcome: TransactionOutcome.TRANSACTION_OUTCOME_OK });
  reading.watch.close();
});

describe("a broken connection", () => {
  async function cutOff(types: readonly string[]) {
    const directory = faultDaemon();
    await directory.start();
    const guest = await faultGuest(clientOf(directory.target), directory.memoryRoot, { name: "owner", devices: [NIC] });
    const connection = new CutConnection(directory.target, join(directory.path, "cut"));
    onTestFinished(() => connection.cut());
    await connection.mend();
    const watch = clientOf(connection.target).watchFaults(guest.session.token, { types, heartbeatMs: 100 });
    onTestFinished(() => watch.close());
    await watch.ready;
    return { connection, guest, reading: new Reading(watch) };
  }

  test("costs nothing: neither of a device that was quiet until then, nor of one attached meanwhile", async () => {
    const { connection, guest, reading } = await cutOff([]);
    connection.cut();
    for (let count = 0; count < 3; count += 1) await read(guest.session, NIC, HOLE);
    await giveDevice(guest, DSP);
    await read(guest.session, DSP, HOLE);
    await connection.mend();
    await reading.until(({ events }) => events.length === 4);
    const told = reading.events.map(({ device, sequence }) => [device, sequence]);
    expect(told.filter(([device]) => device === NIC)).toEqual([1n, 2n, 3n].map((sequence) => [NIC, sequence]));
    expect(told.filter(([device]) => device === DSP)).toEqual([[DSP, 1n]]);
    expect(reading.gaps).toEqual([]);
  });

  test("of a stream with a filter makes no gap of what was passed over before", async () => {
    const { connection, guest, reading } = await cutOff(["PAGE_REQUEST"]);
    const ended = reading.until(() => false).catch(() => undefined);
    for (let count = 0; count < 3; count += 1) await read(guest.session, NIC, HOLE);
    await vi.waitFor(() => expect(reading.watch.seen).toEqual({ [NIC]: 3n }));
    connection.cut();
    await connection.mend();
    await read(guest.session, NIC, HOLE);
    await vi.waitFor(() => expect(reading.watch.seen).toEqual({ [NIC]: 4n }), 5000);
    expect([reading.events, reading.gaps]).toEqual([[], []]);
    reading.watch.close();
    await ended;
  });
});

describe("a restart", () => {
  test("by kill -9: the stream goes on behind a gap, and no number comes twice", async () => {
    const directory = faultDaemon();
    const first = await directory.start();
    const { session } = await faultGuest(clientOf(directory.target), directory.memoryRoot, {
      name: "owner",
      devices: [NIC],
    });
    const reading = new Reading(session.watchFaults({ resumeAfter: { [NIC]: 0n } }));
    await reading.watch.ready;
    for (let count = 0; count < 3; count += 1) await read(session, NIC, HOLE);
    await reading.until(({ events }) => events.length === 3);
    first.process.kill("SIGKILL");
    await first.exited;
    const second = await directory.start();
    const gone = reading.until(({ gaps }) => gaps.length > 0);
    await gone;
    expect(reading.gaps).toMatchObject([
      { device: NIC, first: 4n, count: 0n, reason: FaultGapReason.FAULT_GAP_REASON_RESTART },
    ]);
    await read(session, NIC, HOLE);
    await reading.until(({ events }) => events.length === 4);
    const last = reading.gaps[0]?.last ?? 0n;
    expect(reading.events.map(({ sequence }) => sequence)).toEqual([1n, 2n, 3n, last + 1n]);
    reading.watch.close();
    expect(bugLines(second.log)).toEqual([]);
  });
});
