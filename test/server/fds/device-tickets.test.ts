import { beforeEach, expect, test } from "vitest";
import { type DeviceID, deviceID } from "../../../src/backends/ids.ts";
import { IssuedTickets } from "../../../src/server/fds/device-tickets.ts";
import { CALLER, ManualClock, refusal } from "../../support/host.ts";

const [NVME, NIC] = [deviceID("0000:01:00.0"), deviceID("0000:00:01.0")];
const SELF = { uid: CALLER.uid, pid: CALLER.pid };

let clock: ManualClock;
let tickets: IssuedTickets;
let expired: unknown[];
let opened: number;
beforeEach(() => {
  let serial = 0;
  clock = new ManualClock();
  expired = [];
  opened = 0;
  tickets = new IssuedTickets({
    clock,
    random: () => String(++serial).padStart(32, "0"),
    ttlMs: 1000,
    ticketsMax: 3,
    ticketsPerPeerMax: 2,
    onExpired: (ticket) => expired.push(ticket),
  });
});

function issue(device: DeviceID = NVME, holder = CALLER): string {
  const open = () => {
    opened += 1;
    return [{ kind: "vfio-cdev", fd: 7 } as const];
  };
  tickets.requireRoom(holder);
  return tickets.issue({ device, holder, open, passed: () => {} }).ticket;
}

test("a ticket is asked what it stands for when it is redeemed, once", async () => {
  const ticket = issue();
  expect(opened).toBe(0);
  expect(tickets.redeem(ticket, SELF)).toMatchObject({ device: NVME, descriptors: [{ kind: "vfio-cdev", fd: 7 }] });
  expect((await refusal(() => tickets.redeem(ticket, SELF))).code).toBe("argument_invalid");
  expect(opened).toBe(1);
});

test("another process's, another user's or an unknown one's redeems nothing, and the ticket stays good", async () => {
  const ticket = issue();
  for (const peer of [
    { ...SELF, pid: 43 },
    { ...SELF, uid: 0 },
    { ...SELF, pid: 0 },
  ]) {
    expect((await refusal(() => tickets.redeem(ticket, peer))).code).toBe("policy_denied");
  }
  expect(opened).toBe(0);
  expect(tickets.redeem(ticket, SELF).device).toBe(NVME);
});

test("one that nobody redeems in time is void, and is told", async () => {
  const ticket = issue();
  clock.advance(1000);
  expect((await refusal(() => tickets.redeem(ticket, SELF))).code).toBe("argument_invalid");
  tickets.expire();
  tickets.expire();
  expect(expired).toEqual([{ label: NVME, ...SELF }]);
  expect(tickets.waiting).toBe(0);
});

test("what was issued for a device that is given up is void, and nothing else is", async () => {
  const [nvme, nic] = [issue(), issue(NIC)];
  tickets.void(NVME);
  expect((await refusal(() => tickets.redeem(nvme, SELF))).code).toBe("argument_invalid");
  expect(tickets.redeem(nic, SELF).device).toBe(NIC);
});

test("a user has so many, and all have so many", async () => {
  issue();
  issue();
  expect((await refusal(() => issue())).facts.limit).toBe("tickets_per_peer_max");
  issue(NIC, { ...CALLER, uid: 2000 });
  expect((await refusal(() => issue(NIC, { ...CALLER, uid: 3000 }))).facts.limit).toBe("tickets_max");
});
