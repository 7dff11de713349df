// Every RPC on one session's things, by whoever it does not belong to, over a real socket: the answer that is documented, and
// nothing changed; on either socket, by administrators too. The tables are test/support/isolation-rows.ts and
// isolation-admin-rows.ts; a new RPC needs a row there.

import { execFile } from "node:child_process";
import { chmodSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isKeeping, verbGroup } from "../../src/server/core/policy-verbs.ts";
import { ADMIN_BROKER, BROKER } from "../../src/server/rpc/services.ts";
import { bugLines, RawClient } from "../support/e2e-refusal.ts";
import { ADMIN_UID, NEIGHBOUR_UID, picture, startWorld, stopWorld, type World } from "../support/e2e-world.ts";
import { ADMIN_ROWS } from "../support/isolation-admin-rows.ts";
import { attempt, type RawRequest } from "../support/isolation-call.ts";
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

const PROTO = new URL("../../proto/iommubroker/v1/", import.meta.url);

/** "/iommubroker.v1.IommuBroker/GetDevice", of every rpc line in the contract's files. */
function pathsOfContract(): string[] {
  return readdirSync(PROTO)
    .filter((name) => name.endsWith(".proto"))
    .flatMap((name) => {
      let service = "";
      return readFileSync(new URL(name, PROTO), "utf8")
        .split("\n")
        .flatMap((line) => {
          service = /^service (\w+)/.exec(line)?.[1] ?? service;
          const rpc = /^\s+rpc (\w+)\(/.exec(line)?.[1];
          return rpc === undefined ? [] : [`/iommubroker.v1.${service}/${rpc}`];
        });
    });
}

test("every RPC of the contract has a row", () => {
  const rows = [...ISOLATION_ROWS, ...ADMIN_ROWS].map(({ name }) => name);
  expect(rows.sort()).toEqual(pathsOfContract().sort());
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

/** How each request ends for a process of another user, in the sockets' group. */
async function asUser(
  uid: number,
  token: string,
  requests: readonly RawRequest[] = ISOLATION_ROWS.map((row) => row.request(world)),
  target = world.broker.target,
): Promise<readonly string[]> {
  chmodSync(world.broker.directory, 0o755); // the way to the sockets; who may use those is in their own directory
  const options = { uid, gid: 0 };
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, [PROCESS, target, token, JSON.stringify(requests)], options);
  return JSON.parse(stdout);
}

function named(ends: readonly string[], rows: readonly { readonly name: string }[] = ISOLATION_ROWS): string[] {
  return rows.map(({ name }, index) => `${name}: ${ends[index]}`);
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

/** Of an administrator's own permissions: it may look. */
function administrators(row: IsolationRow): string {
  return isReading(row) || isObserving(row) ? row.wrongToken : unnamed(row);
}

/** Every device's faults are shown on the admin socket alone: here they are a session's. */
function isObserving({ name }: IsolationRow): boolean {
  return name === BROKER.watchFaults.path || name === BROKER.listFaults.path;
}

function isReading({ name }: IsolationRow): boolean {
  return verbGroup(name.slice(name.lastIndexOf("/") + 1)) === "read";
}

describe.runIf(isRoot)("an administrator on the API's socket", () => {
  test("may look, and nothing else, without a session", async () => {
    const expected = ISOLATION_ROWS.map((row) => (isReading(row) ? "OK" : administrators(row)));
    expect(named(await asUser(ADMIN_UID, "none"))).toEqual(named(expected));
    expect(await picture(world)).toEqual(before);
  });

  test("may look, and nothing else, with the owner's token", async () => {
    expect(named(await asUser(ADMIN_UID, world.own.session.token))).toEqual(named(ISOLATION_ROWS.map(administrators)));
    expect(await picture(world)).toEqual(before);
  });

  test("finds no administration there, nor does root", async () => {
    const requests = ADMIN_ROWS.map((row) => row.request(world));
    for (const uid of [ADMIN_UID, 0]) {
      const expected = ADMIN_ROWS.map(() => "UNIMPLEMENTED");
      expect(named(await asUser(uid, "none", requests), ADMIN_ROWS)).toEqual(named(expected, ADMIN_ROWS));
    }
    expect(await picture(world)).toEqual(before);
  });
});

describe.runIf(isRoot)("the admin socket", () => {
  const target = () => `unix:${world.broker.adminSocket}`;
  const LOOKING = new Set(Object.values(ADMIN_BROKER).map(({ path }) => path));

  test("does nothing for another user, whatever the policy lets it do", async () => {
    const all = [...ISOLATION_ROWS, ...ADMIN_ROWS];
    const isServed = ({ name }: { readonly name: string }) =>
      LOOKING.has(name) || ADMIN_ROWS.some((row) => row.name === name);
    const expected = all.map((row) => (isServed(row) ? "PERMISSION_DENIED POLICY_DENIED" : "UNIMPLEMENTED"));
    for (const token of ["none", world.own.session.token]) {
      const ends = await asUser(
        NEIGHBOUR_UID,
        token,
        all.map((row) => row.request(world)),
        target(),
      );
      expect(named(ends, all)).toEqual(named(expected, all));
    }
    expect(await picture(world)).toEqual(before);
  });

  test("lets an administrator look, and touch nothing of a session's through it, with its token or without", async () => {
    const requests = ISOLATION_ROWS.map((row) => row.request(world));
    for (const [token, looking] of [
      ["none", (): string => "OK"],
      // An observer has no session: a token that comes with the call is not looked at.
      [world.own.session.token, (row: IsolationRow): string => (isObserving(row) ? "OK" : row.wrongToken)],
    ] as const) {
      const expected = ISOLATION_ROWS.map((row) => (LOOKING.has(row.name) ? looking(row) : "UNIMPLEMENTED"));
      expect(named(await asUser(ADMIN_UID, token, requests, target()))).toEqual(named(expected));
    }
    expect(await picture(world)).toEqual(before);
  });
});

/** What an owner is refused for what the request says, and not for who it is. */
const BY_CONTENT = /INVALID_ARGUMENT|IN_USE|MAPPING_|LIMIT_REACHED|FAULT_NOT_PENDING|TRANSITION_ILLEGAL/;

/** For those alone whom the session's opener named. */
const CLAIM = "/iommubroker.v1.IommuBroker/ClaimSession";

test("the owner is refused nothing for who it is", async () => {
  for (const row of ISOLATION_ROWS.filter(({ name }) => name !== CLAIM)) {
    const end = await attempt(raw, row.request(world), world.own.session.token);
    expect([row.name, end === "OK" || BY_CONTENT.test(end) ? "" : end]).toEqual([row.name, ""]);
  }
});

// Last: it takes the other session's device, ends that session, and stops the daemon.
test.runIf(isRoot)("an administrator on the admin socket is refused nothing for who it is", async () => {
  const requests = ADMIN_ROWS.map((row) => row.request(world));
  const ends = await asUser(ADMIN_UID, "none", requests, `unix:${world.broker.adminSocket}`);
  expect(named(ends, ADMIN_ROWS)).toEqual(
    named(
      ADMIN_ROWS.map(({ administrator }) => administrator),
      ADMIN_ROWS,
    ),
  );
});
