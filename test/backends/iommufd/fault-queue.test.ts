// Transactions that stall, on an SMMU with STALL_MODEL 0: what is told, how it is answered, and who ends it.

import { expect, test } from "vitest";
import { fakeSmmu } from "../../support/fake-iommufd-machine.ts";
import { refusal } from "../../support/host.ts";
import { devicePath, nativeWorld } from "../../support/native-world.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** As fakeSmmu's, with STALL_MODEL 0 (IDR0 [25:24], IHI 0070 §6.3.1); flags stand before it, 8 bytes. */
function stalling() {
  const { hwInfo } = fakeSmmu();
  const bytes = hwInfo.slice();
  const view = new DataView(bytes.buffer);
  view.setUint32(8, view.getUint32(8, true) & ~(3 << 24), true);
  return fakeSmmu({ hwInfo: bytes });
}

async function stalled() {
  const world = await nativeWorld({ iommu: stalling(), mayStall: true });
  const { part } = await world.part();
  await world.backend.attach(world.group(1), part, "bypass");
  await world.bind(1, part, 0x123);
  const { id } = world.device(1);
  // perm WRITE | PRIV, PASID valid and LAST_PAGE; linux/iommufd.h iommu_hwpt_pgfault
  const fault = { flags: 3, pasid: 5, grpid: 0xabc, perm: 10, addr: 0x1000_2000n, cookie: 7 };
  world.kernel.raisePageFault(devicePath(id), [fault]);
  await turn();
  return { world, part, id };
}

test("a stall is told as the record that the SMMU wrote, with its tag and a cookie to answer it by", async () => {
  const { world, id } = await stalled();
  expect(world.records()).toMatchObject([
    {
      device: id,
      virtualStreamID: 0x123,
      substreamID: 5,
      stage: 1,
      class: "IN",
      inputAddress: 0x1000_2000n,
      read: false,
      privileged: true,
      pending: { kind: "stall", cookie: 7, stag: 0xabc },
    },
  ]);
});

test.each([
  ["retry", 0],
  ["abort", 1],
] as const)("%s is the kernel's code %d, once", async (answer, code) => {
  const { world, id } = await stalled();
  await world.backend.respondToFault(id, 7, answer);
  expect(world.kernel.responses.map((bytes) => [...new Uint32Array(bytes.slice().buffer)])).toEqual([[7, code]]);
  expect((await refusal(() => world.backend.respondToFault(id, 7, answer))).code).toBe("fault_not_pending");
});

test("an answer that cannot be written is told as that, and what waits can be answered again", async () => {
  const { world, id } = await stalled();
  const restore = world.kernel.failAll("write", "ESPIPE");
  const refused = await refusal(() => world.backend.respondToFault(id, 7, "retry"));
  expect(refused).toMatchObject({
    code: "backend_failed",
    facts: { device: id, errno: "ESPIPE", ioctl: "write of iommu_hwpt_page_response" },
    message: expect.stringMatching(/^write of iommu_hwpt_page_response fails \(ESPIPE\)/),
  });
  restore();
  await world.backend.respondToFault(id, 7, "retry");
  expect(world.kernel.responses).toHaveLength(1);
});

test("an answer to what the kernel has ended meanwhile is too late", async () => {
  const { world, id } = await stalled();
  world.kernel.failAll("write", "EINVAL"); // there is no such cookie any more
  expect((await refusal(() => world.backend.respondToFault(id, 7, "retry"))).code).toBe("fault_not_pending");
});

test("the kernel has no third answer, and none of a page request", async () => {
  const { world, id } = await stalled();
  expect((await refusal(() => world.backend.respondToFault(id, 7, "terminate"))).code).toBe("backend_unsupported");
  expect((await refusal(() => world.backend.respondToFault(id, 7, "success"))).code).toBe("argument_invalid");
  expect(world.kernel.responses).toEqual([]);
  await world.backend.respondToFault(id, 7, "retry");
});

test("what waits of another device is not answered", async () => {
  const { world } = await stalled();
  expect((await refusal(() => world.backend.respondToFault(world.device(2).id, 7, "retry"))).code).toBe(
    "fault_not_pending",
  );
  expect(world.kernel.responses).toEqual([]);
});

test.each(["bind", "plain stage", "detach", "reset"])("a %s ends what waits, and that is told", async (how) => {
  const { world, part, id } = await stalled();
  if (how === "bind") await world.bind(1, part, 0x123);
  else if (how === "plain stage") await world.backend.setPlainStage(world.group(1), part, "bypass");
  else if (how === "detach") await world.backend.detach(world.group(1));
  else await world.backend.reset(id);
  expect(world.faults.at(-1)).toEqual({ kind: "ended", device: id, cookie: 7 });
  expect((await refusal(() => world.backend.respondToFault(id, 7, "retry"))).code).toBe("fault_not_pending");
});

test("without a queue of events, what stalls is still told", async () => {
  const world = await nativeWorld({ iommu: stalling(), mayStall: true, machine: { unknown: ["veventq_alloc"] } });
  const told = world.backend.inventory.iommus()[0]?.toldFaults?.map(({ stage, type }) => `${type} ${stage}`);
  expect(told).toEqual(["F_TRANSLATION 1", "F_ADDR_SIZE 1", "F_ACCESS 1", "F_PERMISSION 1"]);
});

test("where the SMMU can stall and no device behind it does, there is nothing to answer and no fault queue", async () => {
  const world = await nativeWorld({ iommu: stalling() });
  const { part } = await world.part();
  await world.backend.attach(world.group(1), part, "bypass");
  await world.bind(1, part);
  expect(world.kernel.calls).not.toContain("fault_queue_alloc");
  expect(world.backend.inventory.iommus()[0]?.faultAnswers).toBeUndefined();
});

test("an SMMU that cannot stall has no fault queue", async () => {
  const world = await nativeWorld();
  const { part } = await world.part();
  await world.backend.attach(world.group(1), part, "bypass");
  expect(world.kernel.calls).not.toContain("fault_queue_alloc");
});
