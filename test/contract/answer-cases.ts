// Devices that wait for an answer: respondToFault, and the ends that are told.
// Written for what both backends have: a stall that is retried or aborted (IHI 0070G.b §3.12.2, §4.6).

import assert from "node:assert/strict";
import type { PartHandle } from "../../src/backends/backend.ts";
import type { FaultNotice } from "../../src/backends/faults.ts";
import { deviceID } from "../../src/backends/ids.ts";
import type { HostDevice } from "../../src/backends/inventory.ts";
import { refusal } from "../support/refusal.ts";
import type { ContractCase } from "./contract-case.ts";
import { ENTRY, LEAF, type Scene } from "./scene.ts";

const NAME = 0x30;

/** A device whose access of an unmapped page waits. */
interface Stalled {
  readonly device: HostDevice;
  readonly part: PartHandle;
  readonly heard: readonly FaultNotice[];
  readonly cookie: number;
  /** Of the access. */
  readonly end: Promise<string>;
}

export const answerCases: readonly ContractCase[] = [
  {
    name: "a stall is told with its tag and the guest's name of the device, and RETRY finds the page",
    needs: ["dma", "stalls"],
    run: async (scene) => {
      const { cookie, device, end, heard } = await stalled(scene);
      const [event] = heard;
      assert.partialDeepStrictEqual(event, {
        kind: "fault",
        fault: { device: device.id, virtualStreamID: NAME, type: "F_TRANSLATION", stage: 1, hostOnly: false },
      });
      scene.file.poke(ENTRY, LEAF);
      await scene.backend.respondToFault(device.id, cookie, "retry");
      assert.equal(await end, "ok");
      assert.deepEqual(told(heard), [["fault"]]);
    },
  },
  {
    name: "ABORT ends a stall, once",
    needs: ["dma", "stalls"],
    run: async (scene) => {
      const { backend } = scene;
      const { cookie, device, end } = await stalled(scene);
      await backend.respondToFault(device.id, cookie, "abort");
      assert.notEqual(await end, "ok");
      const again = await refusal(() => backend.respondToFault(device.id, cookie, "abort"));
      assert.deepEqual([again.code, again.facts.device], ["fault_not_pending", device.id]);
    },
  },
  {
    name: "an answer to what never waited, or to another device's, is refused",
    needs: ["dma", "stalls"],
    run: async (scene) => {
      const { backend, other } = scene;
      const { cookie, device, end } = await stalled(scene);
      for (const ask of [
        () => backend.respondToFault(device.id, cookie + 1, "abort"),
        () => backend.respondToFault(other.id, cookie, "abort"),
        () => backend.respondToFault(deviceID("gone"), cookie, "abort"),
      ]) {
        assert.equal((await refusal(ask)).code, "fault_not_pending");
      }
      const unknown = await refusal(() => backend.respondToFault(device.id, cookie, "success"));
      assert.equal(unknown.code, "argument_invalid");
      await backend.respondToFault(device.id, cookie, "abort");
      assert.notEqual(await end, "ok");
    },
  },
  ...endCases(),
];

function endCases(): ContractCase[] {
  const ends: readonly [string, (scene: Scene, stall: Stalled) => Promise<unknown>][] = [
    ["a plain stage", ({ backend }, { device, part }) => backend.setPlainStage(device.group, part, "bypass")],
    ["another bind", (scene, { device, part }) => scene.bind({ device, part, name: NAME })],
    ["a reset", ({ backend }, { device }) => backend.reset(device.id)],
    ["a detach", ({ backend }, { device }) => backend.detach(device.group)],
    ["a block", ({ backend }, { device }) => backend.block(device.group)],
  ];
  return ends.map(([what, change]) => ({
    name: `${what} ends a stall, and says so once, behind the event`,
    needs: ["dma", "stalls"],
    run: async (scene) => {
      const stall = await stalled(scene);
      const { cookie, device, end, heard } = stall;
      await change(scene, stall);
      assert.notEqual(await end, "ok");
      await scene.subject.settle();
      assert.deepEqual(told(heard), [["fault"], ["ended", device.id, cookie]]);
      const late = await refusal(() => scene.backend.respondToFault(device.id, cookie, "retry"));
      assert.equal(late.code, "fault_not_pending");
    },
  }));
}

async function stalled(scene: Scene): Promise<Stalled> {
  const { backend, space, subject } = scene;
  const device = scene.means("stalls");
  const heard = scene.listen();
  const part = await backend.createPart(space, device.iommu);
  await backend.attach(device.group, part, "abort");
  scene.guestContext({ stalls: true });
  await scene.bind({ device, part, name: NAME });
  const end = scene.reach(0, device);
  const waiting = () => heard.flatMap((one) => (one.kind === "fault" && one.fault.pending ? [one.fault.pending] : []));
  await subject.settle(() => waiting().length > 0);
  const cookie = waiting().at(-1)?.cookie;
  assert.ok(cookie !== undefined, "no event waits");
  return { device, part, heard, cookie, end };
}

function told(heard: readonly FaultNotice[]) {
  return heard.map((one) => (one.kind === "ended" ? ["ended", one.device, one.cookie] : [one.kind]));
}
