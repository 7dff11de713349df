// Core, edge and a journal in a file: wherever a crash cuts the journal, what a call did and the answer to it are both
// there or neither is, and whoever repeats all his calls has each thing once.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type BrokerSession, Stage1Mode } from "../../../src/client/client.ts";
import type { DurableRecord } from "../../../src/server/core/durable.ts";
import { type DurableState, foldRecords } from "../../../src/server/core/durable-state.ts";
import { iommubroker } from "../../../src/server/rpc/codec.ts";
import { BROKER } from "../../../src/server/rpc/services.ts";
import { TOKEN_KEY } from "../../../src/server/rpc/token.ts";
import { recordsOf } from "../../../src/server/store/codec.ts";
import { openFileJournal } from "../../../src/server/store/file-journal.ts";
import { scanFrames } from "../../../src/server/store/frame.ts";
import { addFile, DISK, NIC, type TestHost, testHost } from "../../support/host.ts";
import { rawCall } from "../../support/raw-call.ts";
import { type RpcServer, serve } from "../../support/rpc-server.ts";

const { DeleteAddressSpaceRequest, DeleteVirtualIommuRequest } = iommubroker.v1;
const { STAGE1_MODE_ABORT, STAGE1_MODE_BYPASS } = Stage1Mode;
const IPA = 0x4000_0000n;
const GUESTS = [
  { name: "one", device: NIC, group: 0 },
  { name: "two", device: DISK, group: 1 },
];
/** IOMMU groups of TWO_SMMUS; each generation below is one call. */
const STEPS = ["space", "map", "virtual", "attach 1", "bind 2", "unbind 3", "detach 4"] as const;

/** What a client has been answered, by its request_ids. */
type Answers = Map<string, unknown>;

function scratch(): string {
  const made = mkdtempSync(join(tmpdir(), "iommu-broker-answers-"));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** One guest's life, each call under a request_id of its own. */
async function live(session: BrokerSession, { device, name }: (typeof GUESTS)[number]): Promise<Answers> {
  const answers: Answers = new Map();
  const said = async <T>(step: string, call: (requestId: string) => Promise<T>): Promise<T> => {
    const answer = await call(`${name} ${step}`);
    answers.set(step, answer);
    return answer;
  };
  const addressSpace = (await said("space", (requestId) => session.createAddressSpace({ requestId }))).name;
  const mapping = { ipa: IPA, bytes: 4096n, source: 0, offset: 0n, readable: true, writable: true };
  const sources = [{ path: `/memory/${name}` }];
  await said("map", (requestId) => session.mapMemory({ addressSpace, sources, mappings: [mapping], requestId }));
  const iommus = ["iommus/smmu0"];
  const create = { addressSpace, iommus };
  const virtual = await said("virtual", (requestId) => session.createVirtualIommu({ ...create, requestId }));
  const named = { device: `devices/${device}` };
  const attach = { ...named, virtualIommu: virtual.name, initialMode: STAGE1_MODE_BYPASS };
  await said("attach 1", (requestId) => session.attachDevice({ ...attach, requestId }));
  const bind = { ...named, fields: { mode: STAGE1_MODE_ABORT } };
  await said("bind 2", (requestId) => session.bindGuestStage({ ...bind, requestId }));
  await said("unbind 3", (requestId) => session.unbindGuestStage({ ...named, requestId }));
  await said("detach 4", (requestId) => session.detachDevice({ ...named, requestId }));
  return answers;
}

async function broker(records: readonly DurableRecord[], options: Parameters<typeof testHost>[0] = {}) {
  const host = testHost(options);
  if (host.files.size === 0) for (const { name } of GUESTS) addFile(host, `/memory/${name}`, 8192);
  await host.core.recover(records);
  const server = await serve({ core: host.core });
  return { host, server };
}

interface Lives {
  readonly host: TestHost;
  readonly sessions: readonly BrokerSession[];
  readonly answers: readonly Answers[];
}

/** A broker with a journal that begins to write as soon as there is something. */
async function recording(directory: string, journalBytesMax = 2 ** 30) {
  const image = () => started.host.core.image();
  const journal = await openFileJournal({ directory, journalBytesMax, image, onFailure });
  const disk = {
    note: (record: DurableRecord) => {
      journal.note(record);
      void journal.durable();
    },
    durable: () => journal.durable(),
  };
  const started = await broker([], { disk });
  return { ...started, end: () => journal.close() };
}

/** Both guests at once. */
async function livesOn(directory: string, journalBytesMax?: number): Promise<Lives> {
  const { end, host, server } = await recording(directory, journalBytesMax);
  const sessions = await Promise.all(GUESTS.map(({ name }) => server.session(name)));
  const answers = await Promise.all(sessions.map((session, at) => live(session, GUESTS[at]!)));
  await end();
  return { host, sessions, answers };
}

/** The steps of a guest whose effect is in the state, by what the state says of the things themselves. */
function effects(state: DurableState, session: string, { group }: (typeof GUESTS)[number]): string[] {
  const isMine = (one: { readonly session: string }): boolean => one.session === session;
  const space = [...state.addressSpaces.values()].find(isMine);
  const virtual = [...state.virtualIommus.values()].find(isMine);
  const generation = state.groups.get(group)?.generation ?? 0;
  const isThere = [
    space,
    state.mappings.get(space?.id ?? "")?.size,
    virtual,
    ...[1, 2, 3, 4].map((g) => generation >= g),
  ];
  return STEPS.filter((_, at) => Boolean(isThere[at]));
}

async function repeated(server: RpcServer, tokens: readonly string[]): Promise<readonly Answers[]> {
  const client = server.client();
  const taken = await Promise.all(tokens.map((token) => client.resumeSession(token, { keepAlive: false })));
  return await Promise.all(taken.map(({ session }, at) => live(session, GUESTS[at]!)));
}

test("wherever the journal is cut, an effect and its answer are both there or neither is", async () => {
  const directory = scratch();
  const { host, sessions, answers } = await livesOn(directory);
  const [name] = readdirSync(directory);
  const bytes = readFileSync(join(directory, name!));
  const tokens = sessions.map(({ token }) => token);
  const states = new Map<number, readonly DurableRecord[]>();
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    const { end, frames } = scanFrames(bytes.subarray(0, cut), 1);
    expect([cut, end.kind]).toEqual([cut, expect.stringMatching(/clean|torn/)]);
    if (states.has(frames.length)) continue;
    const copy = scratch();
    writeFileSync(join(copy, name!), bytes.subarray(0, cut));
    const journal = await openFileJournal({ directory: copy, journalBytesMax: 2 ** 30, image: () => [], onFailure });
    await journal.close();
    states.set(frames.length, journal.records);
  }
  expect(states.size).toBeGreaterThan(STEPS.length);
  for (const [frames, records] of states) {
    const state = foldRecords(records);
    for (const [at, guest] of GUESTS.entries()) {
      const session = sessions[at]!.name.replace("sessions/", "");
      const answered = [...(state.answers.get(session)?.keys() ?? [])].map((id) => id.replace(`${guest.name} `, ""));
      expect([frames, answered]).toEqual([frames, effects(state, session, guest)]);
    }
    if (state.sessions.size < GUESTS.length) continue;
    const next = await broker(records, { after: host });
    const again = await repeated(next.server, tokens);
    // Done once, whoever did it: four stage changes a group, one of each thing, and the answers of before word for word.
    const { addressSpaces, virtualIommus } = next.host.core.census();
    expect([frames, addressSpaces, virtualIommus]).toEqual([frames, GUESTS.length, GUESTS.length]);
    for (const [at, { device, group, name: who }] of GUESTS.entries()) {
      expect([frames, next.host.core.devices.get(device).generation]).toEqual([frames, 4]);
      const before = state.groups.get(group)?.generation ?? 0;
      if (before === 4) expect([who, again[at]]).toEqual([who, answers[at]]);
    }
  }
});

test("of every call that changes something the last record and the answer share a write", async () => {
  const directory = scratch();
  const { end, server } = await recording(directory);
  const session = await server.session("one");
  await live(session, GUESTS[0]!);
  const { name: addressSpace } = await session.createAddressSpace();
  const mapping = { ipa: IPA, bytes: 8192n, source: 0, offset: 0n, readable: true, writable: true };
  await session.mapMemory({ addressSpace, sources: [{ path: "/memory/two" }], mappings: [mapping] });
  const { name: virtualIommu } = await session.createVirtualIommu({ addressSpace, iommus: ["iommus/smmu0"] });
  const device = `devices/${DISK}`;
  await session.attachDevice({ device, virtualIommu, initialMode: STAGE1_MODE_ABORT });
  await session.batchBindGuestStage([{ device, fields: { mode: STAGE1_MODE_BYPASS } }], { requestId: "batch" });
  await session.setVirtualIommuMode({ virtualIommu, mode: STAGE1_MODE_ABORT, requestId: "mode" });
  await session.detachDevice({ device });
  await session.unmapMemory({ addressSpace, ranges: [{ ipa: IPA, bytes: 8192n }], requestId: "unmap" });
  const token = { [TOKEN_KEY]: session.token };
  const noVirtual = DeleteVirtualIommuRequest.encode({ virtualIommu, requestId: "no virtual" }).finish();
  expect(await rawCall(server, BROKER.deleteVirtualIommu.path, noVirtual, token)).toBeUndefined();
  const noSpace = DeleteAddressSpaceRequest.encode({ addressSpace, requestId: "no space" }).finish();
  expect(await rawCall(server, BROKER.deleteAddressSpace.path, noSpace, token)).toBeUndefined();
  await end();
  const [name] = readdirSync(directory);
  const beside = new Map<string, string[]>();
  for (const { payload } of scanFrames(readFileSync(join(directory, name!)), 1).frames) {
    const records = recordsOf(payload, "/state");
    for (const record of records) {
      if (record.type === "answer") beside.set(record.value.requestID, [...new Set(records.map(({ type }) => type))]);
    }
  }
  for (const [requestID, type] of [
    ["one space", "addressSpace"],
    ["one map", "mappings"],
    ["one virtual", "virtualIommu"],
    ["one attach 1", "group"],
    ["one bind 2", "group"],
    ["one unbind 3", "group"],
    ["one detach 4", "group"],
    ["batch", "group"],
    ["mode", "group"],
    ["unmap", "mappings"],
    ["no virtual", "virtualIommuGone"],
    ["no space", "addressSpaceGone"],
  ] as const) {
    expect([requestID, beside.get(requestID)]).toEqual([requestID, expect.arrayContaining([type, "answer"])]);
  }
});

test("a snapshot holds both too", async () => {
  const directory = scratch();
  const { host, sessions, answers } = await livesOn(directory, 3000);
  expect(readdirSync(directory).some((name) => name.startsWith("snapshot"))).toBe(true);
  const journal = await openFileJournal({ directory, journalBytesMax: 2 ** 30, image: () => [], onFailure });
  await journal.close();
  const next = await broker(journal.records, { after: host });
  const again = await repeated(
    next.server,
    sessions.map(({ token }) => token),
  );
  expect(again).toEqual(answers);
});

function onFailure(error: unknown): void {
  expect.unreachable(String(error));
}
