// After each verb the STE decodes to the row of the stage table (ARCHITECTURE.md), and a preview says what a bind installs.

import assert from "node:assert/strict";
import { ABORT_VSTE, BYPASS_VSTE } from "../../src/backends/vste.ts";
import type { ContractCase } from "./contract-case.ts";
import { BASE, CONTEXT, configOf, type Scene, TRANSLATE } from "./scene.ts";

/** S2VMID [143:128]. */
export const vmidOf = (ste: readonly bigint[]): number => Number(ste[2]! & 0xffffn);

export const stageCases: readonly ContractCase[] = [
  {
    name: "attach with bypass 0b110, with abort 0b000; detach 0b101",
    needs: ["streamTable"],
    run: async (scene) => {
      const { backend, part, single } = scene;
      assert.equal(await scene.config(), 0b101);
      await backend.attach(single.group, part, "bypass");
      assert.equal(await scene.config(), 0b110);
      await backend.detach(single.group);
      assert.equal(await scene.config(), 0b101);
      await backend.attach(single.group, part, "abort");
      assert.equal(await scene.config(), 0b000);
    },
  },
  {
    name: "blocked 0b000 from every stage, nobody's, and back to the host's 0b101",
    needs: ["streamTable"],
    run: async (scene) => {
      const { backend, part, single } = scene;
      await backend.block(single.group);
      assert.equal(await scene.config(), 0b000);
      await backend.detach(single.group);
      assert.equal(await scene.config(), 0b101);
      await backend.attach(single.group, part, "bypass");
      await scene.bind();
      await backend.block(single.group);
      assert.equal(await scene.config(), 0b000);
      await backend.destroyPart(part); // nothing of the owner is needed any more
      await backend.detach(single.group);
      assert.equal(await scene.config(), 0b101);
      await backend.attach(single.group, await backend.createPart(scene.space, single.iommu), "abort");
    },
  },
  {
    name: "nothing of a device that is blocked gets through",
    needs: ["dma"],
    run: async (scene) => {
      const { backend, part, single } = scene;
      await backend.attach(single.group, part, "bypass");
      await scene.assertReached(BASE);
      scene.guestTables();
      await scene.bind();
      await scene.assertReached(0);
      await backend.block(single.group);
      await scene.assertNotReached(BASE);
      await scene.assertNotReached(0);
    },
  },
  {
    name: "a reset leaves stage and name as they were",
    needs: ["streamTable"],
    run: async (scene) => {
      const { backend, part, single } = scene;
      await backend.attach(single.group, part, "bypass");
      await scene.bind();
      const before = await scene.ste();
      assert.deepEqual(await backend.reset(single.id), { kind: "done" });
      assert.deepEqual(await scene.ste(), before);
    },
  },
  {
    name: "from every attached stage to every other",
    needs: ["streamTable"],
    run: async (scene) => {
      const { backend, part, single } = scene;
      await backend.attach(single.group, part, "abort");
      const verbs = {
        bypass: [() => backend.setPlainStage(single.group, part, "bypass"), 0b110],
        abort: [() => backend.setPlainStage(single.group, part, "abort"), 0b000],
        nested: [() => scene.bind(), 0b111],
      } as const;
      for (const [from, [go]] of Object.entries(verbs)) {
        for (const [to, [then, expected]] of Object.entries(verbs)) {
          await go();
          await then();
          assert.deepEqual([from, to, await scene.config()], [from, to, expected]);
        }
      }
    },
  },
  {
    name: "nested carries the guest's table, its attributes, and the host's stage 2 and VMID",
    needs: ["streamTable"],
    run: async (scene) => {
      await scene.backend.attach(scene.single.group, scene.part, "bypass");
      const plain = await scene.ste();
      await scene.bind();
      const nested = await scene.ste();
      assert.equal(nested[0], 0xfn | BigInt(CONTEXT));
      assert.equal(nested[1]! & 0xffn, 0xd4n);
      assert.deepEqual(nested.slice(2), plain.slice(2));
      assert.ok(vmidOf(nested) > 0);
    },
  },
  {
    name: "every member of a group is set alike",
    needs: ["streamTable", "group"],
    run: async (scene) => {
      const { backend, part } = scene;
      const { id, members } = scene.means("group");
      const all = async () => (await Promise.all(members.map(scene.means("streamTable")))).map(configOf);
      const every = (value: number) => members.map(() => value);
      await backend.attach(id, part, "abort");
      assert.deepEqual(await all(), every(0b000));
      await backend.setPlainStage(id, part, "bypass");
      assert.deepEqual(await all(), every(0b110));
      await backend.detach(id);
      assert.deepEqual(await all(), every(0b101));
    },
  },
  ...previewCases(),
];

function previewCases(): ContractCase[] {
  const rows = [
    { stage: "translate", vste: TRANSLATE, install: (scene: Scene) => scene.bind() },
    { stage: "bypass", vste: BYPASS_VSTE, install: (scene: Scene) => setPlain(scene, "bypass") },
    { stage: "abort", vste: ABORT_VSTE, install: (scene: Scene) => setPlain(scene, "abort") },
  ];
  return rows.map(({ stage, vste, install }) => ({
    name: `what a preview says is what a bind installs: ${stage}`,
    needs: ["streamTable", "hostPreview"],
    run: async (scene) => {
      scene.guestTables();
      await scene.backend.attach(scene.single.group, scene.part, "bypass");
      const before = await scene.ste();
      const { hostSTE, wouldFault } = scene.backend.previewStage(scene.single.id, scene.part, vste);
      assert.deepEqual(await scene.ste(), before);
      assert.deepEqual(wouldFault, []);
      await install(scene);
      assert.deepEqual(await scene.ste(), hostSTE);
    },
  }));
}

async function setPlain({ backend, part, single }: Scene, stage: "bypass" | "abort"): Promise<void> {
  await backend.setPlainStage(single.group, part, stage);
}
