import { beforeEach, describe, expect, test } from "vitest";
import { type ExpiredTicket, Tickets } from "../../../src/server/fds/tickets.ts";
import { CALLER, ManualClock, refusal } from "../../support/host.ts";
import { BufferFile } from "../../support/memory-file.ts";

const PUTTER = { uid: CALLER.uid, pid: CALLER.pid };

let clock: ManualClock;
let tickets: Tickets;
let used: number;
let expired: ExpiredTicket[];
let serial: number;
beforeEach(() => {
  clock = new ManualClock();
  used = 0;
  expired = [];
  serial = 0;
  tickets = new Tickets({
    clock,
    random: () => String(++serial).padStart(32, "0"),
    ttlMs: 1000,
    ticketsMax: 3,
    ticketsPerPeerMax: 2,
    onUsed: () => {
      used += 1;
    },
    onExpired: (ticket) => expired.push(ticket),
  });
});

function put(putter = PUTTER): { file: BufferFile; ticket: string } {
  const file = new BufferFile("ram", 4096);
  tickets.requireRoom(putter);
  const { ticket, expiresMs } = tickets.put(file, "ram", putter);
  expect(expiresMs).toBe(1000);
  return { file, ticket };
}

test("a ticket gives its memory once", async () => {
  const { file, ticket } = put();
  expect(tickets.take(ticket, CALLER)).toBe(file);
  expect(file.references).toBe(2);
  tickets.settle(ticket, true);
  expect(file.references).toBe(1);
  expect((await refusal(() => tickets.take(ticket, CALLER))).code).toBe("argument_invalid");
  expect(used).toBe(1);
});

test("a ticket in one call's hands is not given to another, and is good again when that call came to nothing", async () => {
  const { file, ticket } = put();
  tickets.take(ticket, CALLER);
  expect((await refusal(() => tickets.take(ticket, CALLER))).message).toContain("named twice, or another call has it");
  expect(tickets.census()).toEqual({ waiting: 0, taken: 1 });
  file.release();
  tickets.settle(ticket, false);
  expect(tickets.census()).toEqual({ waiting: 1, taken: 0 });
  expect(tickets.take(ticket, CALLER)).toBe(file);
  expect(used).toBe(0);
});

describe("a ticket is of the process that put it", () => {
  test.each([
    ["another uid", { ...CALLER, uid: 1001 }],
    ["root", { ...CALLER, uid: 0 }],
    ["another process of the uid", { ...CALLER, pid: 43 }],
    ["a process that the kernel has no pid for", { ...CALLER, pid: 0 }],
    ["a TCP client", { kind: "unknown", connection: "tcp-1" } as const],
  ])("%s is refused, and it stays whose it was", async (_, caller) => {
    const { file, ticket } = put();
    const error = await refusal(() => tickets.take(ticket, caller));
    expect(error.code).toBe("policy_denied");
    expect(error.message).not.toContain(ticket);
    expect(file.references).toBe(1);
    expect(tickets.take(ticket, CALLER)).toBe(file);
  });

  test("another connection of the same process is not another process", () => {
    const { file, ticket } = put();
    expect(tickets.take(ticket, { ...CALLER, connection: "uds-9" })).toBe(file);
  });
});

describe("a ticket that nobody claims", () => {
  test("closes its memory at its time, and says whose it was", () => {
    const { file } = put();
    clock.advance(999);
    tickets.expire();
    expect(file.references).toBe(1);
    clock.advance(1);
    tickets.expire();
    expect(file.references).toBe(0);
    expect(expired).toEqual([{ label: "ram", ...PUTTER }]);
  });

  test("is no good at its time, also before anybody looked", async () => {
    const { ticket } = put();
    clock.advance(1000);
    expect((await refusal(() => tickets.take(ticket, CALLER))).message).toContain("expired");
  });

  test("does not expire in a call's hands, but at once when that call came to nothing too late", () => {
    const { file, ticket } = put();
    tickets.take(ticket, CALLER);
    clock.advance(5000);
    tickets.expire();
    expect(expired).toEqual([]);
    file.release();
    tickets.settle(ticket, false);
    tickets.expire();
    expect(file.references).toBe(0);
    expect(expired).toHaveLength(1);
  });
});

test("tickets are limited, for a uid and in all", async () => {
  put();
  put({ ...PUTTER, pid: 43 });
  expect((await refusal(() => put())).facts.limit).toBe("tickets_per_peer_max");
  put({ uid: 2000, pid: 1 });
  expect((await refusal(() => put({ uid: 3000, pid: 1 }))).facts.limit).toBe("tickets_max");
  clock.advance(1000);
  tickets.expire();
  put();
});

test("what was never a ticket is refused like one that is over", async () => {
  expect((await refusal(() => tickets.take("f".repeat(32), CALLER))).message).toContain("never was");
});
