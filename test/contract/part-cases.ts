// Parts and their stage 2, what is told of an access that nobody makes, and the end.

import assert from "node:assert/strict";
import type { ContractCase } from "./contract-case.ts";
import { BASE, CONTEXT } from "./scene.ts";
import { vmidOf } from "./stage-cases.ts";

/** S2TTB [247:196], address[55:4]. */
const tableOf = (ste: readonly bigint[]): bigint => ste[3]! & 0x00ff_ffff_ffff_fff0n;

export const partCases: readonly ContractCase[] = [
  {
    name: "two parts on one IOMMU never share VMID or tables, be they of one address space or of two",
    needs: ["streamTable", "dma"],
    run: async (scene) => {
      const { backend, other, part, single, space } = scene;
      const second = await backend.createPart(space, single.iommu);
      await backend.attach(single.group, part, "bypass");
      await backend.attach(other.group, second, "bypass");
      const [a, b] = [await scene.ste(single), await scene.ste(other)];
      assert.notEqual(vmidOf(a), vmidOf(b));
      assert.notEqual(tableOf(a), tableOf(b));
      await scene.assertReached(BASE, other); // the part made last has the mappings too
    },
  },
  {
    name: "a part that is gone leaves nothing for the next with its VMID",
    needs: ["dma"],
    run: async (scene) => {
      const { backend, part, single } = scene;
      await backend.attach(single.group, part, "bypass");
      await scene.assertReached(BASE);
      await backend.detach(single.group);
      await backend.destroyPart(part);
      const next = await backend.createPart(await backend.createAddressSpace(), single.iommu);
      await backend.attach(single.group, next, "bypass");
      await scene.assertNotReached(BASE);
    },
  },
  {
    name: "everything taken down in order gives every file back",
    needs: [],
    run: async ({ backend, file, part, single, space }) => {
      await backend.attach(single.group, part, "bypass");
      await backend.detach(single.group);
      await backend.destroyPart(part);
      await backend.destroyAddressSpace(space);
      assert.equal(file.references, 1);
      await backend.detach(single.group); // nothing is attached: no error
    },
  },
  {
    name: "explaining an access tells the fault that it would have, and neither makes it nor shows the host",
    needs: [],
    run: async (scene) => {
      const { backend, part, single, subject } = scene;
      const heard = scene.listen();
      await backend.attach(single.group, part, "abort");
      await scene.bind();
      const ask = {
        device: single.id,
        streamIndex: 0,
        substreamID: undefined,
        access: "read",
        privileged: false,
      } as const;
      const before = structuredClone(backend.counters());
      const { end, steps, writes } = backend.explain({ ...ask, iova: 0n, showsHost: false });
      // the memory is zeroes
      assert.partialDeepStrictEqual(end, { kind: "abort", fault: { type: "C_BAD_CD" }, recorded: true });
      const cd = steps.find(({ structure }) => structure === "CD");
      assert.deepEqual([cd?.ipa, cd?.pa], [BigInt(CONTEXT), undefined]);
      assert.deepEqual(
        [...steps, ...writes].filter(({ pa }) => pa !== undefined),
        [],
      );
      assert.deepEqual(backend.counters(), before);
      await subject.settle();
      assert.deepEqual(heard, []);
    },
  },
  {
    name: "it answers when it is asked whether it is there, and closing lets go of the files",
    needs: [],
    run: async (scene) => {
      assert.equal(await scene.backend.ping(), undefined);
      await scene.close();
      assert.equal(scene.file.references, 1);
    },
  },
];
