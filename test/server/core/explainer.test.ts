import { beforeEach, expect, test } from "vitest";
import type { ExplainRequest } from "../../../src/backends/explanation.ts";
import { deviceID } from "../../../src/backends/ids.ts";
import { ABORT_VSTE } from "../../../src/backends/vste.ts";
import {
  attach,
  bind,
  detach,
  type Guest,
  guest,
  NVME,
  refusal,
  type TestHost,
  TRIPLE,
  testHost,
} from "../../support/host.ts";

const ASK: ExplainRequest = {
  device: NVME,
  streamIndex: 0,
  iova: 0xffff_ffff_ffff_ffffn,
  substreamID: undefined,
  access: "read",
  privileged: false,
  showsHost: false,
};

let host: TestHost;
let vmm: Guest;
beforeEach(async () => {
  host = testHost();
  vmm = await guest(host);
});

test("the owner gets the walk and the guest's name for the device", async () => {
  await attach(host, vmm, NVME);
  expect(host.core.explanations.explain(vmm.session, ASK).virtualStreamID).toBeUndefined();
  await bind(host, vmm, NVME, ABORT_VSTE, 0x42);
  expect(host.core.explanations.explain(vmm.session, ASK)).toMatchObject({
    virtualStreamID: 0x42,
    explanation: { end: { kind: "abort", fault: undefined, recorded: false } },
  });
});

test("nobody else does: not before it is attached, not another session, not after it has left", async () => {
  const other = await guest(host, { name: "other" });
  const explain = (session: string, change: Partial<ExplainRequest> = {}) =>
    refusal(() => host.core.explanations.explain(session, { ...ASK, ...change }));
  expect(await explain(vmm.session)).toMatchObject({ code: "not_owner", facts: { device: NVME } });
  await attach(host, vmm, NVME);
  expect(await explain(other.session)).toMatchObject({ code: "device_owned", facts: { owner: "vmm" } });
  expect((await explain(vmm.session, { device: deviceID("ghost") })).code).toBe("device_unknown");
  await detach(host, vmm, NVME);
  expect((await explain(vmm.session)).code).toBe("not_owner");
  await host.core.sessions.close(vmm.session);
  expect((await explain(vmm.session)).code).toBe("lease_expired");
});

test("a device of a group that the session owns is explained also when it is not attached itself", async () => {
  const [first, second] = TRIPLE;
  await attach(host, vmm, first!);
  const { explanation } = host.core.explanations.explain(vmm.session, { ...ASK, device: second! });
  expect(explanation.end).toMatchObject({ kind: "abort", recorded: false });
});

test("a stream index that the device does not have is refused", async () => {
  await attach(host, vmm, NVME);
  const error = await refusal(() => host.core.explanations.explain(vmm.session, { ...ASK, streamIndex: 1 }));
  expect(error).toMatchObject({ code: "argument_invalid", fields: [{ path: "stream_index" }] });
});

test("host addresses are for those who may play hardware, and for nobody where nobody may", async () => {
  await attach(host, vmm, NVME);
  const ask = { ...ASK, showsHost: true };
  const { steps } = host.core.explanations.explain(vmm.session, ask).explanation;
  expect(steps.find(({ structure }) => structure === "STE")?.pa).toBeDefined();
  const sober = testHost({ withSimulator: false });
  const owner = await guest(sober);
  await attach(sober, owner, NVME);
  expect((await refusal(() => sober.core.explanations.explain(owner.session, ask))).code).toBe("policy_denied");
  expect(sober.core.explanations.explain(owner.session, ASK).explanation.steps).not.toEqual([]);
});

test("an observer sees the guest's walk of any device that has an owner, nothing of the host, and no device without one", async () => {
  await attach(host, vmm, NVME);
  await bind(host, vmm, NVME, ABORT_VSTE, 0x42);
  const seen = host.core.explanations.explain(undefined, ASK);
  expect(seen).toEqual(host.core.explanations.explain(vmm.session, ASK));
  expect(seen.explanation.steps.filter(({ pa }) => pa !== undefined)).toEqual([]);
  const refused = (ask: ExplainRequest) => refusal(() => host.core.explanations.explain(undefined, ask));
  expect((await refused({ ...ASK, showsHost: true })).code).toBe("policy_denied");
  await detach(host, vmm, NVME);
  expect(await refused(ASK)).toMatchObject({ code: "not_owner", facts: { device: NVME } });
});
