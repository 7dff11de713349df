// A restart on hardware that cannot be taken over beside a holder, as a host's own: an attach of a held group is refused.

import { beforeEach, expect, test } from "vitest";
import type { Backend } from "../../../src/backends/backend.ts";
import { BrokerError } from "../../../src/backends/errors.ts";
import { type DeviceID, groupID } from "../../../src/backends/ids.ts";
import { checkVSTE } from "../../../src/backends/vste.ts";
import type { DurableRecord } from "../../../src/server/core/durable.ts";
import {
  attach,
  bind,
  CALLER,
  fetchDescriptors,
  type Guest,
  guest,
  NIC,
  NVME,
  readEnds,
  refusal,
  steConfig,
  type TestHost,
  testHost,
  turn,
} from "../../support/host.ts";

const BYPASS = checkVSTE(0b1001n, 0n);
const NVME_GROUP = groupID(2);
const NIC_GROUP = groupID(0);

let first: TestHost;
let vmm: Guest;
/** What the hardware refuses beside held groups. */
let broken: ReadonlySet<number>;
beforeEach(async () => {
  broken = new Set();
  first = testHost();
  await first.core.recover([]);
  vmm = await guest(first);
  await attach(first, vmm, NVME, "bypass");
  await attach(first, vmm, NIC, "bypass");
  const asked = { device: NVME, expectedGeneration: undefined };
  const { ticket } = await first.core.stages.getDescriptor(vmm.session, asked);
  fetchDescriptors(first, ticket.ticket);
});

function hard(backend: Backend): Backend {
  const isHeld = (group: number): boolean => group === NVME_GROUP && first.standIns.isCopied(NVME);
  return new Proxy(backend, {
    get: (target, key) => {
      if (key === "attach") {
        return async (...args: Parameters<Backend["attach"]>) => {
          const [group] = args;
          if (isHeld(group) || broken.has(group)) throw new BrokerError("backend_unsupported", "no", { group });
          await target.attach(...args);
        };
      }
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

async function restarted(records: readonly DurableRecord[]): Promise<TestHost> {
  const next = testHost({ after: first, wrap: hard });
  await next.core.recover(records);
  return next;
}

const stateOf = ({ core }: TestHost, device: DeviceID) => core.devices.get(device).state;

test("the session lives with all it had but the held group, which is nobody's one generation later", async () => {
  const { generation } = first.core.devices.get(NVME);
  const next = await restarted(first.durable);
  expect(next.core.sessions.authenticate(vmm.token, CALLER)).toBe(vmm.session);
  expect(next.core.devices.get(NIC)).toEqual(first.core.devices.get(NIC));
  expect(await readEnds(next, NIC, 0x4000_0000)).toBe("ok");
  const { addressSpaces, mappedBytes, sessions, virtualIommus } = first.core.census();
  expect(next.core.census()).toMatchObject({ addressSpaces, mappedBytes, sessions, virtualIommus });
  expect(next.core.devices.get(NVME)).toMatchObject({
    state: "releasing",
    owner: undefined,
    attached: false,
    stageAuthoritative: false,
    generation: generation + 1,
  });
  expect(steConfig(next, NVME)).toBe(0);
});

test("what was lost is told once, with why; whoever resumes is told what is left", async () => {
  const next = await restarted(first.durable);
  const told = next.events.filter(({ type }) => type === "groupHeld" || type === "sessionGivenUp");
  const { generation } = next.core.devices.get(NVME);
  const lost = { group: NVME_GROUP, devices: [NVME], generation, session: vmm.session };
  expect(told).toEqual([
    { type: "groupHeld", ...lost, error: expect.objectContaining({ facts: { group: NVME_GROUP } }) },
  ]);
  const { held } = await next.core.sessions.resume(vmm.token, CALLER);
  expect(held.devices.map(({ id }) => id)).toEqual([NIC]);
  expect(held.virtualIommus).toEqual([vmm.virtualIommu]);
});

test("once the copies are closed it is free for whoever asks, its last owner too", async () => {
  const next = await restarted(first.durable);
  expect((await refusal(() => attach(next, vmm, NVME))).code).toBe("device_releasing");
  first.standIns.closeAll(NVME);
  await turn();
  expect(stateOf(next, NVME)).toBe("default-domain");
  await attach(next, vmm, NVME);
  expect((await bind(next, vmm, NVME, BYPASS)).state).toBe("nest-parent");
  expect(await readEnds(next, NVME, 0x4000_0000)).toBe("ok");
});

test("wherever the journal of the first recovery is cut, the next one ends the same way", async () => {
  const next = await restarted(first.durable);
  const written = [...next.durable];
  expect(written.map(({ type }) => type)).toEqual(expect.arrayContaining(["group", "device"]));
  for (let cut = 0; cut <= written.length; cut += 1) {
    const again = await restarted([...first.durable, ...written.slice(0, cut)]);
    expect([cut, again.core.devices.list()]).toEqual([cut, next.core.devices.list()]);
    expect([cut, again.core.census()]).toEqual([cut, next.core.census()]);
    expect([cut, again.core.sessions.authenticate(vmm.token, CALLER)]).toEqual([cut, vmm.session]);
  }
  const fromImage = await restarted(next.core.image());
  expect(fromImage.core.devices.list()).toEqual(next.core.devices.list());
});

test("closed before the crash was noted anywhere, it is its session's as it was; afterwards it is the host's", async () => {
  const next = await restarted(first.durable);
  first.standIns.closeAll(NVME);
  const unnoted = await restarted(first.durable);
  expect(unnoted.core.devices.get(NVME)).toEqual(first.core.devices.get(NVME));
  const noted = await restarted([...first.durable, ...next.durable]);
  await noted.core.reapExpired();
  expect(noted.core.devices.get(NVME)).toMatchObject({ state: "default-domain", owner: undefined });
});

test("a session that is given up for another reason leaves its held group withheld, and nothing else", async () => {
  broken = new Set([NIC_GROUP]);
  const { references } = vmm.file;
  const next = await restarted(first.durable);
  expect(next.events.filter(({ type }) => type === "groupHeld")).toEqual([]);
  expect(next.core.census()).toMatchObject({ sessions: 0, addressSpaces: 0, virtualIommus: 0 });
  expect([stateOf(next, NVME), stateOf(next, NIC)]).toEqual(["releasing", "default-domain"]);
  expect(next.core.devices.get(NVME).generation).toBe(first.core.devices.get(NVME).generation + 1);
  expect(vmm.file.references).toBe(references);
});
