// Virtual StreamIDs: invalidations find a device by its name, and faults carry it.

import assert from "node:assert/strict";
import type { FaultNotice } from "../../src/backends/faults.ts";
import { virtualStreamID } from "../../src/backends/ids.ts";
import type { ContractCase } from "./contract-case.ts";
import type { Scene } from "./scene.ts";

const CFGI_CD_ALL = 0x06n;
const NSNH_ALL = 0x30n;
const [NAME, ANOTHER] = [0x30, 0x31];

export const nameCases: readonly ContractCase[] = [
  {
    name: "an invalidation by virtual StreamID reaches the device of that name",
    needs: ["dma"],
    run: async (scene) => {
      const { backend, part, single } = scene;
      await backend.attach(single.group, part, "abort");
      scene.guestTables();
      await scene.bind({ name: NAME });
      await scene.assertReached(0);
      scene.file.poke(0x1_0000, 0n);
      await backend.invalidate([part], [{ opcode: Number(NSNH_ALL), dword0: NSNH_ALL, dword1: 0n }]);
      await scene.assertReached(0); // the CD is cached still
      await backend.invalidate([part], [cfgi(ANOTHER)]);
      await scene.assertReached(0);
      await backend.invalidate([part], [cfgi(NAME)]);
      await scene.assertNotReached(0);
    },
  },
  {
    name: "detaching forgets the name: another device may have it",
    needs: ["streamTable"],
    run: async (scene) => {
      const { backend, other, part, single } = scene;
      await backend.attach(single.group, part, "abort");
      await backend.attach(other.group, part, "abort");
      await scene.bind({ name: NAME });
      await backend.detach(single.group);
      await scene.bind({ device: other, name: NAME });
      assert.equal(await scene.config(other), 0b111);
      await backend.attach(single.group, part, "abort");
      await backend.setVirtualStreamID(single.id, part, virtualStreamID(ANOTHER));
      await backend.setVirtualStreamID(single.id, part, undefined);
    },
  },
  {
    name: "faults of stage 2 carry the name the device had when they happened",
    needs: ["dma", "stage2Faults"],
    run: async (scene) => {
      const { backend, part, single } = scene;
      const heard = scene.listen();
      await backend.attach(single.group, part, "bypass");
      await backend.setVirtualStreamID(single.id, part, virtualStreamID(NAME));
      await scene.assertNotReached(0);
      await backend.setVirtualStreamID(single.id, part, virtualStreamID(ANOTHER));
      await scene.assertNotReached(0);
      await backend.detach(single.group);
      await assertNamed(scene, heard, [NAME, ANOTHER]);
    },
  },
  {
    name: "faults of stage 1 carry the name the device had when they happened, whichever verb gave it",
    needs: ["dma"],
    run: async (scene) => {
      const { backend, part, single } = scene;
      const heard = scene.listen();
      await backend.attach(single.group, part, "abort");
      await scene.bind({ name: NAME }); // the memory is zeroes, and so is the CD
      await scene.assertNotReached(0);
      await backend.setVirtualStreamID(single.id, part, virtualStreamID(ANOTHER));
      await scene.assertNotReached(0);
      await scene.bind({ name: NAME });
      await scene.assertNotReached(0);
      await backend.detach(single.group);
      await assertNamed(scene, heard, [NAME, ANOTHER, NAME]);
    },
  },
];

function cfgi(name: number) {
  const dword0 = CFGI_CD_ALL | (BigInt(name) << 32n);
  return { opcode: Number(CFGI_CD_ALL), dword0, dword1: 0n };
}

async function assertNamed(
  { single, subject }: Scene,
  heard: readonly FaultNotice[],
  names: readonly number[],
): Promise<void> {
  const seen = () => heard.flatMap((notice) => (notice.kind === "fault" ? [notice.fault] : []));
  await subject.settle(() => seen().length >= names.length);
  assert.deepEqual(
    seen().map(({ device, virtualStreamID: name }) => [device, name]),
    names.map((name) => [single.id, name]),
  );
}
