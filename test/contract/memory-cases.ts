// What is mapped a device reaches, and what is unmapped is gone from every cache before the call is over.

import assert from "node:assert/strict";
import type { ContractCase } from "./contract-case.ts";
import { BASE, BYTES, type Scene } from "./scene.ts";

const PAGE = 4096;
const FAR = 0x8000_0000;

export const memoryCases: readonly ContractCase[] = [
  {
    name: "what is mapped after the part was made is reached, and what is not is not",
    needs: ["dma"],
    run: async (scene) => {
      await attach(scene);
      await scene.backend.map(scene.space, [scene.mapping({ ipa: FAR, bytes: PAGE })]);
      await scene.assertReached(FAR);
      await scene.assertNotReached(FAR + PAGE);
    },
  },
  {
    name: "a page that is unmapped faults at once, though the TLB had it",
    needs: ["dma"],
    run: async (scene) => {
      await attach(scene);
      await scene.backend.map(scene.space, [
        scene.mapping({ ipa: FAR, bytes: PAGE }),
        scene.mapping({ ipa: FAR + PAGE, bytes: PAGE }),
      ]);
      await scene.assertReached(FAR);
      await scene.assertReached(FAR + PAGE);
      await scene.backend.unmap(scene.space, [{ ipa: FAR, bytes: PAGE }]);
      await scene.assertNotReached(FAR);
      await scene.assertReached(FAR + PAGE);
    },
  },
  {
    name: "a block that is unmapped faults at every address of it",
    needs: ["dma"],
    run: async (scene) => {
      await attach(scene);
      for (const offset of [0, PAGE, BYTES - 8]) await scene.assertReached(BASE + offset);
      await scene.backend.unmap(scene.space, [{ ipa: BASE, bytes: BYTES }]);
      for (const offset of [0, PAGE, BYTES - 8]) await scene.assertNotReached(BASE + offset);
    },
  },
  {
    name: "many pages that are unmapped at once are gone too",
    needs: ["dma"],
    run: async (scene) => {
      await attach(scene);
      const pages = Array.from({ length: 200 }, (_, index) =>
        scene.mapping({ ipa: FAR + index * 2 * PAGE, bytes: PAGE }),
      );
      await scene.backend.map(scene.space, pages);
      for (const { ipa } of pages) await scene.assertReached(ipa);
      await scene.backend.unmap(scene.space, pages);
      for (const { ipa } of pages) await scene.assertNotReached(ipa);
    },
  },
  {
    name: "an unmapped page is gone for nested DMA as well: what combined both stages is invalidated",
    needs: ["dma"],
    run: async (scene) => {
      await attach(scene);
      scene.guestTables();
      await scene.bind();
      await scene.assertReached(0);
      await scene.backend.map(scene.space, [scene.mapping({ ipa: FAR, bytes: PAGE })]);
      await scene.assertReached(0x1000); // stage 1 leads to 0x8000_0000
      await scene.backend.unmap(scene.space, [{ ipa: FAR, bytes: PAGE }]);
      await scene.assertNotReached(0x1000);
      await scene.assertReached(0);
    },
  },
  {
    name: "mappings of several sizes are taken out together",
    needs: ["dma"],
    run: async (scene) => {
      await attach(scene);
      const mappings = [scene.mapping({ ipa: FAR, bytes: PAGE }), scene.mapping({ ipa: 0x8020_0000 })];
      await scene.backend.map(scene.space, mappings);
      await scene.backend.unmap(scene.space, mappings);
      await scene.assertNotReached(0x8020_0000);
      await scene.assertReached(BASE);
    },
  },
  {
    name: "the backend lets go of a file with its last mapping",
    needs: [],
    run: async (scene) => {
      const { backend, file, space } = scene;
      await attach(scene);
      const before = file.references;
      const more = scene.subject.file(2 * PAGE);
      await backend.map(space, [scene.mapping({ ipa: FAR, bytes: PAGE, file: more })]);
      await backend.map(space, [scene.mapping({ ipa: FAR + PAGE, bytes: PAGE, file: more, offset: PAGE })]);
      assert.ok(more.references > 1);
      await backend.unmap(space, [
        { ipa: FAR, bytes: PAGE },
        { ipa: FAR + PAGE, bytes: PAGE },
      ]);
      assert.deepEqual([more.references, file.references], [1, before]);
    },
  },
];

async function attach({ backend, part, single }: Scene): Promise<void> {
  await backend.attach(single.group, part, "bypass");
}
