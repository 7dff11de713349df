// Invalidations as they reach the kernel: one call for each part, commands untouched, streams only where they are.
// Commands: IHI 0070G.b §4.3, §4.4.

import { expect, test } from "vitest";
import { refusal } from "../../support/host.ts";
import { nativeWorld } from "../../support/native-world.ts";

const tlbiVA = (address: bigint) => ({ opcode: 0x12, dword0: 0x0001_0000_0000_0012n, dword1: address });
const cfgiCDAll = (name: number) => ({ opcode: 0x06, dword0: 0x06n + (BigInt(name) << 32n), dword1: 0n });

async function twoParts() {
  const world = await nativeWorld();
  const { part, space } = await world.part();
  const other = await world.backend.createPart(space, world.device(2).iommu);
  await world.backend.attach(world.group(1), part, "bypass");
  await world.backend.attach(world.group(2), other, "bypass");
  await world.bind(1, part, 0x30);
  await world.bind(2, other, 0x31);
  return { world, part, other };
}

const bytes = (dword0: bigint, dword1: bigint): number[] => {
  const view = new DataView(new ArrayBuffer(16));
  view.setBigUint64(0, dword0, true);
  view.setBigUint64(8, dword1, true);
  return [...new Uint8Array(view.buffer)];
};

test("TLB commands go to every part, those of a stream to the part that has it, one call each, in order", async () => {
  const { world, part, other } = await twoParts();
  const before = world.kernel.calls.length;
  const [a, b, c] = [tlbiVA(0x1000n), cfgiCDAll(0x31), tlbiVA(0x2000n)];
  await world.backend.invalidate([part, other], [a, b, c]);
  expect(world.kernel.calls.slice(before)).toEqual(["hwpt_invalidate", "hwpt_invalidate"]);
  const taken = world.kernel.invalidated.map((entry) => [...entry.bytes]);
  const [first, second, third] = [a, b, c].map(({ dword0, dword1 }) => bytes(dword0, dword1));
  expect(taken).toEqual([first, third, first, second, third]);
  const targets = world.kernel.invalidated.map(({ target }) => target);
  expect(new Set(targets).size).toBe(2);
});

test("a batch that has nothing for a part asks nothing of it", async () => {
  const { world, part, other } = await twoParts();
  const before = world.kernel.calls.length;
  await world.backend.invalidate([part, other], [cfgiCDAll(0x31)]);
  expect(world.kernel.calls.length - before).toBe(1);
});

test("what the kernel refuses is named by its place in the batch as it came", async () => {
  const { world, part, other } = await twoParts();
  const bad = { opcode: 0x46, dword0: 0x46n, dword1: 0n }; // CMD_SYNC, which core never lets through
  const batch = [cfgiCDAll(0x31), tlbiVA(0x1000n), bad];
  const error = await refusal(() => world.backend.invalidate([part, other], batch));
  expect(error).toMatchObject({ code: "argument_invalid", facts: { index: 2 }, fields: [{ path: "commands[2]" }] });
});

test("a part that never had a device, and a host that does not nest, have nothing to invalidate", async () => {
  const world = await nativeWorld();
  const { part } = await world.part();
  const before = world.kernel.calls.length;
  await world.backend.invalidate([part], [tlbiVA(0x1000n)]);
  expect(world.kernel.calls.length).toBe(before);
});

test("what the kernel cannot do is no fault of the batch", async () => {
  const { world, part } = await twoParts();
  world.kernel.failAll("hwpt_invalidate", "ETIMEDOUT");
  expect((await refusal(() => world.backend.invalidate([part], [tlbiVA(0n)]))).code).toBe("backend_failed");
});

test("a batch of five command lists is carried out at once, a longer one in the pool, whole and in order", async () => {
  const { world, part } = await twoParts();
  const batch = (length: number) => Array.from({ length }, (_, page) => tlbiVA(BigInt(4096 * page)));
  const before = world.kernel.invalidated.length;
  const taken = (): number => world.kernel.invalidated.length - before;
  const short = world.backend.invalidate([part], batch(315));
  expect(taken()).toBe(315); // before anything else has run
  await short;
  const long = world.backend.invalidate([part], batch(316));
  expect(taken()).toBe(315);
  await long;
  const addresses = world.kernel.invalidated.slice(before + 315).map(({ bytes: entry }) => entry[9]! >> 4);
  expect(addresses).toEqual(Array.from({ length: 316 }, (_, page) => page % 16));
  const bad = { opcode: 0x46, dword0: 0x46n, dword1: 0n };
  const error = await refusal(() => world.backend.invalidate([part], [cfgiCDAll(0x31), ...batch(315), bad]));
  expect(error).toMatchObject({ code: "argument_invalid", facts: { index: 316 } });
});

test("a batch that waits for an endpoint's answer holds up nobody else, however short it is", async () => {
  const { world, part } = await twoParts();
  const atcInv = { opcode: 0x40, dword0: 0x30_0000_0040n, dword1: 0n }; // §4.5.1
  const before = world.kernel.invalidated.length;
  const done = refusal(() => world.backend.invalidate([part], [tlbiVA(0x1000n), atcInv]));
  expect(world.kernel.invalidated.length).toBe(before); // nothing has run on the event loop
  expect((await done).facts.index).toBe(1); // this machine has no ATS
  expect(world.kernel.invalidated.slice(before).map(({ bytes: [opcode] }) => opcode)).toEqual([0x12]);
});
