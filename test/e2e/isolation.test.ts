// Every RPC on one session's things, by whoever it does not belong to, over a real socket: the answer that is documented, and
// nothing changed. The table is test/support/isolation-rows.ts; a new RPC needs a row there.

import { execFile } from "node:child_process";
import { chmodSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isKeeping } from "../../src/server/core/policy-verbs.ts";
import { BROKER, SIMULATOR } from "../../src/server/rpc/services.ts";
import { bugLines, RawClient } from "../support/e2e-refusal.ts";
import { NEIGHBOUR_UID, picture, startWorld, stopWorld, type World } from "../support/e2e-world.ts";
import { attempt } from "../support/isolation-call.ts";
import { ISOLATION_ROWS, type IsolationRow } from "../support/isolation-rows.ts";

const PROCESS = fileURLToPath(new URL("../support/isolation-process.ts", import.meta.url));
const UNNAMED_UID = 65_533; // no rule speaks for it
const isRoot = process.getuid?.() === 0;
const UNAUTHENTICATED = "UNAUTHENTICATED UNAUTHENTICATED";
const CLOSE = "/iommubroker.v1.IommuBroker/CloseSession";

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

test("every RPC of every service has a row", () => {
  const methods = [...Object.values(BROKER), ...Object.values(SIMULATOR)].map(({ path }) => path);
  expect(ISOLATION_ROWS.map(({ name }) => name).sort()).toEqual(methods.sort());
});

/** Who asks, with which token, and what each row says of it. */
const STRANGERS: readonly (readonly [string, () => string | undefined, (row: IsolationRow) => string])[] = [
  ["another session", () => world.others.session.token, (row) => row.other],
  ["a token that is no session's", () => "A".repeat(43), (row) => row.wrongToken],
  ["half of the owner's token", () => world.own.session.token.slice(0, 20), (row) => row.wrongToken],
  ["no session", () => undefined, (row) => (row.isOpen ? row.other : UNAUTHENTICATED)],
  ["a session that has ended", () => world.closedToken, (row) => row.ended],
];

describe.each(STRANGERS)("%s", (_, token, expected) => {
  test.each(ISOLATION_ROWS.filter(({ name }) => name !== CLOSE))("$name", async (row) => {
    expect(await attempt(raw, row.request(world), token())).toBe(expected(row));
    expect(await picture(world)).toEqual(before);
  });
});

test.each([
  ["no session", (): string | undefined => undefined, UNAUTHENTICATED],
  ["a token that is no session's", () => "A".repeat(43), UNAUTHENTICATED],
  ["a session that has ended", () => world.closedToken, "OK"],
])("CloseSession with %s closes nobody's", async (_, token, expected) => {
  const row = ISOLATION_ROWS.find(({ name }) => name === CLOSE)!;
  expect(await attempt(raw, row.request(world), token())).toBe(expected);
  expect(await picture(world)).toEqual(before);
});

/** How each row ends for a process of another user, in the socket's group. */
async function asUser(uid: number, token: string): Promise<readonly string[]> {
  chmodSync(world.broker.directory, 0o755); // the way to the socket; who may use that is in its own directory
  const requests = JSON.stringify(ISOLATION_ROWS.map((row) => row.request(world)));
  const options = { uid, gid: 0 };
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, [PROCESS, world.broker.target, token, requests], options);
  return JSON.parse(stdout);
}

function named(ends: readonly string[]): string[] {
  return ISOLATION_ROWS.map(({ name }, index) => `${name}: ${ends[index]}`);
}

test.runIf(isRoot)("another user with the owner's token is nobody's session", async () => {
  expect(named(await asUser(NEIGHBOUR_UID, world.own.session.token))).toEqual(
    named(ISOLATION_ROWS.map(({ wrongToken }) => wrongToken)),
  );
  expect(await picture(world)).toEqual(before);
});

/** The policy leaves what keeps or gives back to the session's token. */
function unnamed({ name, wrongToken }: IsolationRow): string {
  const verb = name.slice(name.lastIndexOf("/") + 1);
  return isKeeping(verb) ? wrongToken : "PERMISSION_DENIED POLICY_DENIED";
}

test.runIf(isRoot)(
  "another user whom no rule allows is refused by the policy, with the owner's token too",
  async () => {
    expect(named(await asUser(UNNAMED_UID, world.own.session.token))).toEqual(named(ISOLATION_ROWS.map(unnamed)));
    expect(await picture(world)).toEqual(before);
  },
);

test.runIf(isRoot)("another user with a session of its own gets nowhere with another's things", async () => {
  expect(named(await asUser(NEIGHBOUR_UID, "own"))).toEqual(named(ISOLATION_ROWS.map(({ other }) => other)));
  expect(await picture(world)).toEqual(before);
});

/** What an owner is refused for what the request says, and not for who it is. */
const BY_CONTENT = /INVALID_ARGUMENT|IN_USE|MAPPING_|LIMIT_REACHED|FAULT_NOT_PENDING/;

/** For those alone whom the session's opener named. */
const CLAIM = "/iommubroker.v1.IommuBroker/ClaimSession";

test("the owner is refused nothing for who it is", async () => {
  for (const row of ISOLATION_ROWS.filter(({ name }) => name !== CLAIM)) {
    const end = await attempt(raw, row.request(world), world.own.session.token);
    expect([row.name, end === "OK" || BY_CONTENT.test(end) ? "" : end]).toEqual([row.name, ""]);
  }
});
