// Every field of every request, wrong in every way we could think of, against the real daemon: the documented status
// with one ErrorInfo and the fields at fault, nothing changed, and the daemon serving. The tables are in
// test/support/e2e-cases-*.ts; the last test here says which fields they do not name.

import { Metadata } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { wire } from "../../src/client/plain.ts";
import type { iommubroker } from "../../src/server/rpc/codec.ts";
import { BROKER, SIMULATOR } from "../../src/server/rpc/services.ts";
import { TOKEN_KEY } from "../../src/server/rpc/token.ts";
import {
  type BadCase,
  bad,
  type Expected,
  exhausted,
  invalid,
  LONG_ID,
  precondition,
  refusedCall,
  UNAUTHENTICATED,
} from "../support/e2e-case.ts";
import { BAD_BINDS } from "../support/e2e-cases-bind.ts";
import { COMMAND_CASES } from "../support/e2e-cases-command.ts";
import { EXPLAIN_CASES } from "../support/e2e-cases-explain.ts";
import { MEMORY_CASES } from "../support/e2e-cases-memory.ts";
import { SESSION_CASES } from "../support/e2e-cases-session.ts";
import { SIMULATOR_CASES } from "../support/e2e-cases-simulator.ts";
import { STAGE_CASES } from "../support/e2e-cases-stage.ts";
import { isRequestPath, requestFields } from "../support/e2e-descriptors.ts";
import { bugLines, RawClient, type Refusal, statusRefusal } from "../support/e2e-refusal.ts";
import { FRESH, IDLE, NESTED, picture, startWorld, stopWorld, type World } from "../support/e2e-world.ts";

const SERVICES = ["iommubroker.v1.IommuBroker", "iommubroker.v1.Simulator"] as const;
const METHODS = [...Object.values(BROKER), ...Object.values(SIMULATOR)];
/** Answered without a session, or for who has none yet. */
const OPEN_METHODS = new Set([
  "GetCapabilities",
  "ListDevices",
  "GetDevice",
  "WatchDevices",
  "OpenSession",
  "ClaimSession",
]);

let world: World;
let raw: RawClient;
let before: unknown;

beforeAll(async () => {
  world = await startWorld();
  raw = new RawClient(world.broker.target);
  before = await picture(world);
});

afterAll(async () => {
  raw.close();
  expect(bugLines(world.broker.log)).toEqual([]);
  expect(await stopWorld(world)).toBe(0);
});

const BIND_CASES: readonly BadCase[] = [
  ...BAD_BINDS.map(({ expected, fields, request, wrong }) =>
    bad(BROKER.bindGuestStage, fields, wrong, request, expected),
  ),
  bad(
    BROKER.bindGuestStage,
    "request_id",
    "too long",
    () => ({ device: FRESH, virtualStreamId: 7, fields: { mode: 2 }, requestId: LONG_ID }),
    invalid("request_id"),
  ),
];

const BATCH_CASES: readonly BadCase[] = [
  bad(BROKER.batchBindGuestStage, "requests", "none", () => ({}), invalid("requests")),
  bad(
    BROKER.batchBindGuestStage,
    "requests",
    "more than a call may have",
    () => ({ requests: Array.from({ length: 4 }, () => ({ device: NESTED })) }),
    exhausted("binds_per_call_max"),
  ),
  bad(
    BROKER.batchBindGuestStage,
    "requests.request_id",
    "given",
    () => ({
      requests: [
        { device: NESTED, fields: { mode: 2 } },
        { device: FRESH, fields: { mode: 2 }, requestId: "x" },
      ],
    }),
    invalid("requests[1].request_id"),
  ),
  bad(
    BROKER.batchBindGuestStage,
    "request_id",
    "too long",
    () => ({ requests: [{ device: NESTED, fields: { mode: 2 } }], requestId: LONG_ID }),
    invalid("request_id"),
  ),
];

const CASES: readonly BadCase[] = [
  ...SESSION_CASES,
  ...MEMORY_CASES,
  ...STAGE_CASES,
  ...BIND_CASES,
  ...BATCH_CASES,
  ...COMMAND_CASES,
  ...EXPLAIN_CASES,
  ...SIMULATOR_CASES,
];

function check(refusal: Refusal, expected: Expected, service: string, rpc: string): void {
  expect({ code: refusal.code, infos: refusal.infos, paths: [...refusal.paths].sort() }).toEqual({
    code: expected.code,
    infos: [
      {
        reason: expected.reason,
        domain: "iommubroker.v1",
        metadata: expect.objectContaining(expected.limit === undefined ? {} : { limit: expected.limit }),
      },
    ],
    paths: [...expected.paths].sort(),
  });
  expect(refusal.message).not.toBe("");
  expect(refusal.paths.filter((path) => !isRequestPath(service, rpc, path))).toEqual([]);
}

async function expectUntouched(): Promise<void> {
  expect(await picture(world)).toEqual(before);
  expect(await raw.health()).toBe("SERVING");
}

describe.each([...new Set(CASES.map(({ rpc }) => rpc))])("%s refuses", (rpc) => {
  const rows = CASES.filter((row) => row.rpc === rpc).map((row) => [row.fields.join(", "), row.wrong, row] as const);
  test.each(rows)("%s: %s", async (_fields, _wrong, row) => {
    check(await row.refused(world), row.expected, row.service, row.rpc);
    await expectUntouched();
  });
});

describe("a batch answers for one bad bind, which is", () => {
  test.each(BAD_BINDS.map((row) => [row.fields, row.wrong, row] as const))("%s: %s", async (_fields, _wrong, row) => {
    const requests = [{ device: "devices/no-such" }, row.request(world)];
    const answer = await world.channel.unary(BROKER.batchBindGuestStage, { requests }, world.own.session.token);
    const error = answer.results[1]?.error;
    if (!error) throw new Error("the bind succeeded and should not have");
    const paths = row.expected.paths.map((path) => `requests[1].${path}`);
    const sent = statusRefusal(wire<iommubroker.v1.IBatchBindResult>({ error }).error ?? {});
    check(sent, { ...row.expected, paths }, SERVICES[0], "BatchBindGuestStage");
    await expectUntouched();
  });
});

describe.each(METHODS.filter(({ name }) => !OPEN_METHODS.has(name)))("$name without a good session token", (method) => {
  test.each([
    ["missing", []],
    ["empty", [""]],
    ["of another daemon", ["A".repeat(43)]],
    ["over-long", ["A".repeat(1000)]],
    ["two", "own twice"],
    ["own and another", ["own", "A"]],
    ["with a blank", ["a b"]],
  ] as const)("%s", async (_what, tokens) => {
    const own = world.own.session.token;
    const values = tokens === "own twice" ? [own, own] : tokens.map((token) => (token === "own" ? own : token));
    const metadata = new Metadata();
    for (const value of values) metadata.add(TOKEN_KEY, value);
    check(await raw.refused(method.path, new Uint8Array(), metadata), UNAUTHENTICATED, method.service, method.name);
    await expectUntouched();
  });
});

const CLOSED_REFUSE = METHODS.filter(({ name }) => !OPEN_METHODS.has(name) && name !== "CloseSession");

describe("with the token of a session that was closed", () => {
  test.each(CLOSED_REFUSE)("$name is refused", async (method) => {
    const metadata = new Metadata();
    metadata.set(TOKEN_KEY, world.closedToken);
    const refusal = await raw.refused(method.path, new Uint8Array(), metadata);
    check(refusal, precondition("LEASE_EXPIRED"), method.service, method.name);
    await expectUntouched();
  });

  test("CloseSession succeeds again", async () => {
    await world.channel.unary(BROKER.closeSession, {}, world.closedToken);
    await expectUntouched();
  });
});

describe("a limit", () => {
  test("of sessions refuses one more, and names itself", async () => {
    const filling = await Promise.all(
      ["third", "fourth"].map((displayName) => world.client.openSession({ displayName, keepAlive: false })),
    );
    const refusal = await refusedCall(world, BROKER.openSession, { displayName: "fifth" }, undefined);
    check(refusal, exhausted("sessions_max"), SERVICES[0], "OpenSession");
    for (const session of filling) await session.close();
    await expectUntouched();
  });

  test("of address spaces refuses one more", async () => {
    const { session } = world.own;
    const { name } = await session.createAddressSpace();
    const refusal = await refusedCall(world, BROKER.createAddressSpace, {}, session.token);
    check(refusal, exhausted("address_spaces_per_session_max"), SERVICES[0], "CreateAddressSpace");
    await session.deleteAddressSpace(name);
    await expectUntouched();
  });

  test("of virtual IOMMUs refuses one more", async () => {
    const { addressSpace, session } = world.own;
    const request = { addressSpace, iommus: ["iommus/smmu0"] };
    const { name } = await session.createVirtualIommu(request);
    const refusal = await refusedCall(world, BROKER.createVirtualIommu, request, session.token);
    check(refusal, exhausted("virtual_iommus_per_session_max"), SERVICES[0], "CreateVirtualIommu");
    await session.deleteVirtualIommu(name);
    await expectUntouched();
  });

  test("of mappings refuses the call that would exceed it, whole", async () => {
    const { addressSpace, session } = world.own;
    const mappings = [1n, 2n, 3n, 4n].map((page) => ({
      ipa: 0x9000_0000n + page * 4096n,
      bytes: 4096n,
      source: 0,
      offset: 0n,
      readable: true,
      writable: true,
    }));
    const sources = [{ path: world.ram }];
    await session.mapMemory({ addressSpace, sources, mappings });
    const more = mappings.slice(0, 2).map((mapping) => ({ ...mapping, ipa: mapping.ipa + 0x1000_0000n }));
    const refusal = await refusedCall(
      world,
      BROKER.mapMemory,
      { addressSpace, sources, mappings: more },
      session.token,
    );
    check(refusal, exhausted("mappings_per_address_space_max"), SERVICES[0], "MapMemory");
    await session.unmapMemory({ addressSpace, ranges: mappings.map(({ bytes, ipa }) => ({ bytes, ipa })) });
    await expectUntouched();
  });

  test("of fault streams refuses one more", async () => {
    const watch = world.own.session.watchFaults();
    await watch.ready;
    const refusal = await refusedCall(world, BROKER.watchFaults, {}, world.own.session.token);
    check(refusal, exhausted("fault_streams_per_session_max"), SERVICES[0], "WatchFaults");
    watch.close();
    await expectUntouched();
  });
});

test("a request_id that comes back with other content is refused, with the same content answered again", async () => {
  const { token } = world.own.session;
  const first = await world.channel.unary(
    BROKER.detachDevice,
    { device: "devices/0001:01:00.0", requestId: "r" },
    token,
  );
  const again = await world.channel.unary(
    BROKER.detachDevice,
    { device: "devices/0001:01:00.0", requestId: "r" },
    token,
  );
  expect(again).toEqual(first);
  const refusal = await refusedCall(world, BROKER.detachDevice, { device: NESTED, requestId: "r" }, token);
  const expected = { code: "ALREADY_EXISTS", reason: "REQUEST_CONFLICT", paths: ["request_id"] };
  check(refusal, expected, SERVICES[0], "DetachDevice");
  await expectUntouched();
});

test("a device behind a host IOMMU that the frozen registers do not fit is refused field by field", async () => {
  const { addressSpace, session } = world.others;
  const { name: virtualIommu } = await session.createVirtualIommu({ addressSpace, iommus: ["iommus/smmu0"] });
  const refusal = await refusedCall(world, BROKER.attachDevice, { device: IDLE, virtualIommu }, session.token);
  // CD2L, SSIDSIZE, RIL, BBML, OAS, GRAN16K: smmu0 has more of each.
  const paths = Array.from({ length: 6 }, () => "virtual_iommu");
  check(refusal, precondition("REGISTERS_UNFIT", ...paths), SERVICES[0], "AttachDevice");
  await session.deleteVirtualIommu(virtualIommu);
  await expectUntouched();
});

/** Fields that have no wrong value, and why. */
const CANNOT_BE_WRONG: ReadonlyMap<string, string> = new Map([
  ["GetCapabilities wish", "any registers may be wished for; the answer is a verdict for each field"],
  ["ListDevices page_size", "0 takes the default, too much is lowered to the maximum"],
  ["WatchDevices page_size", "as that of ListDevices"],
  ["WatchDevices iommu_group", "any number: a group that is not there has no devices"],
  ["WatchDevices owned_by_me", "a plain bool for who has a session, as here"],
  ["WatchFaults resume_after.value", "any number: what the ring no longer holds is a gap"],
  ...["idr2", "idr4", "idr6", "iidr", "aidr"].map(
    (name) => [`CreateVirtualIommu registers.${name}`, "the VMM emulates what it stands for: any value"] as const,
  ),
  ["MapMemory mappings.writable", "a plain bool; neither of the two is a case of readable"],
  ...["InvalidateCache", "StreamInvalidations"].map((rpc) => [`${rpc} commands.tlbi_nh_all`, "has no fields"] as const),
  ["StreamInvalidations sequence", "any number: it comes back as it is"],
  ["Dma accesses.privileged", "a plain bool"],
  ["Translate accesses.privileged", "a plain bool"],
  ["WatchFaults diagnose", "a plain bool"],
  ["ListFaults diagnose", "a plain bool"],
  ["ListFaults page_size", "more than the most is the most"],
  ["ExplainTranslation iova", "any 64 bits: a wild address is explained as what it is"],
  ["ExplainTranslation privileged", "a plain bool"],
  ["ExplainTranslation include_host_addresses", "a plain bool where the Simulator service is served, as here"],
  ["Translate accesses.iova", "any 64 bits: a wild address is the SMMU's to fault"],
  ...["InvalidateCache", "StreamInvalidations"].flatMap((rpc) =>
    ["tlbi_nh_va", "tlbi_nh_vaa", "cfgi_cd"].map((name) => [`${rpc} commands.${name}.leaf`, "a plain bool"] as const),
  ),
  ["WatchFaults from_start", "a plain bool"],
  ["VendDevice bound", "a plain bool"],
]);

test("every field of every request is named by a case, or is one of the few that cannot be wrong", () => {
  const named = new Set<string>();
  const name = (rpc: string, field: string): void => {
    const parts = field.split(".");
    parts.forEach((_, index) => {
      named.add(`${rpc} ${parts.slice(0, index + 1).join(".")}`);
    });
  };
  for (const row of CASES) for (const field of row.fields) name(row.rpc, field);
  for (const row of BAD_BINDS) {
    for (const field of row.fields.split(" ")) if (field !== "") name("BatchBindGuestStage", `requests.${field}`);
  }
  const all = SERVICES.flatMap((service) =>
    [...requestFields(service)].flatMap(([rpc, fields]) => fields.map((field) => `${rpc} ${field}`)),
  );
  const harmless = (field: string): boolean =>
    [...CANNOT_BE_WRONG.keys()].some((known) => field === known || field.startsWith(`${known}.`));
  expect(all.filter((field) => !named.has(field) && !harmless(field))).toEqual([]);
  expect([...CANNOT_BE_WRONG.keys()].filter((known) => !all.includes(known) || named.has(known))).toEqual([]);
  expect([...named].filter((field) => !all.includes(field))).toEqual([]);
});
