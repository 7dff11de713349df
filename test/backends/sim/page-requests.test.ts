// Page requests of a simulated device, from its ATC to the answer that its owner gives.
// Source: IHI 0070G.b chapter 8, §4.5.2 (CMD_PRI_RESP).

import { beforeEach, describe, expect, test } from "vitest";
import { DSP, GPU, HOLE, MAPPED, NAMES, PAGE, WaitingWorld } from "../../support/waiting-world.ts";

let world: WaitingWorld;
beforeEach(async () => {
  world = await WaitingWorld.make();
  await world.bind(GPU);
});

/** A read of the hole whose page request is told. */
async function asked(): Promise<{ readonly end: Promise<string>; readonly cookie: number }> {
  const end = world.read(GPU);
  await world.settle();
  return { end, cookie: world.cookie() };
}

describe("a page request of a device whose guest has ATS on", () => {
  test("is told to the owner in the guest's terms, and SUCCESS lets the device look again", async () => {
    const { cookie, end } = await asked();
    const [fault] = world.faults();
    expect(fault).toMatchObject({
      ...{ device: GPU, virtualStreamID: NAMES.gpu, type: "PAGE_REQUEST", typeNumber: 0, hostOnly: false },
      ...{ inputAddress: BigInt(HOLE), read: true, stage: undefined, class: undefined },
      pending: { kind: "page-request", cookie, stag: undefined },
    });
    const { groupIndex, ...request } = fault!.pageRequest!;
    expect(request).toEqual({
      ...{ address: BigInt(HOLE), last: true, read: true, write: false, execute: false, privileged: false },
    });
    // StreamID [31:0], R 60, Last 62, PRGIndex [72:64], PageAddress [127:76] (§8)
    const view = new DataView(fault!.record.buffer);
    expect(fault!.record).toHaveLength(16);
    expect(view.getBigUint64(0, true)).toBe(BigInt(NAMES.gpu) | (0b0101n << 60n));
    expect(view.getBigUint64(8, true)).toBe(BigInt(HOLE) | BigInt(groupIndex));
    world.mapHole();
    await world.backend.respondToFault(GPU, cookie, "success");
    expect(await end).toBe("ok aa");
    expect(world.story()).toEqual([`event ${cookie}`]);
  });

  test("comes again where SUCCESS was too much said", async () => {
    const { cookie, end } = await asked();
    await world.backend.respondToFault(GPU, cookie, "success");
    await world.settle();
    const second = world.cookie();
    expect(world.story()).toEqual([`event ${cookie}`, `event ${second}`]);
    await world.backend.respondToFault(GPU, second, "invalid");
    expect(await end).toBe("abort");
  });

  test("is answered once, by its own device, and only as a page request is", async () => {
    const { cookie, end } = await asked();
    const respond = world.backend.respondToFault.bind(world.backend);
    await expect(respond(DSP, cookie, "failure")).rejects.toMatchObject({ code: "fault_not_pending" });
    await expect(respond(GPU, cookie, "retry")).rejects.toMatchObject({ code: "argument_invalid" });
    await respond(GPU, cookie, "failure");
    await expect(respond(GPU, cookie, "failure")).rejects.toMatchObject({ code: "fault_not_pending" });
    expect(await end).toBe("abort");
  });

  test("asks for the writing of a page that may only be read", async () => {
    world.tables.poke(world.leaf, world.tables.peek(world.leaf) | 0x80n); // AP[2]
    const end = world.write(GPU, MAPPED, 0x55);
    await world.settle();
    expect(world.faults()[0]!.pageRequest).toMatchObject({ address: BigInt(MAPPED), read: false, write: true });
    await world.backend.respondToFault(GPU, world.cookie(), "failure");
    expect(await end).toBe("abort");
  });
});

describe("more requests than the PRI queue has room for", () => {
  test("are answered by the SMMU and not told; the devices ask again, and none is forgotten (§8.1)", async () => {
    const reads = Array.from({ length: 10 }, () => world.read(GPU)); // the queue has four entries
    await world.settle();
    const answered = new Set<number>();
    world.mapHole();
    for (let round = 0; round < 20 && answered.size < world.faults().length; round += 1) {
      for (const { pending } of world.faults()) {
        if (pending === undefined || answered.has(pending.cookie)) continue;
        answered.add(pending.cookie);
        await world.backend.respondToFault(GPU, pending.cookie, "success");
      }
      await world.settle();
    }
    expect(await Promise.all(reads)).toEqual(new Array(10).fill("ok aa"));
    expect(world.story().some((line) => line.startsWith("ended"))).toBe(false);
  });
});

describe("what nobody answers fails once, behind its request, when", () => {
  const group = () => world.device(GPU).group;
  const changes: readonly (readonly [string, () => Promise<unknown>])[] = [
    ["the stage becomes bypass", () => world.backend.setPlainStage(group(), world.part, "bypass")],
    ["the stage becomes abort", () => world.backend.setPlainStage(group(), world.part, "abort")],
    ["the guest turns ATS off", () => world.bind(GPU, { eats: 0n })],
    ["the guest binds the same again", () => world.bind(GPU)],
    ["the device is detached", () => world.backend.detach(group())],
    ["the device is blocked", () => world.backend.block(group())],
    ["the device is reset", () => world.backend.reset(GPU)],
  ];

  test.each(changes)("%s", async (_, change) => {
    const { cookie, end } = await asked();
    await change();
    expect(await end).toBe("abort");
    await world.settle();
    expect(world.story()).toEqual([`event ${cookie}`, `ended ${cookie}`]);
  });

  test("the host goes down: the DMA ends, nothing is told", async () => {
    const { cookie, end } = await asked();
    await world.backend.close();
    expect(await end).toBe("abort");
    expect(world.story()).toEqual([`event ${cookie}`]);
  });
});

describe("nobody is told, and the request fails at once,", () => {
  test("where stage 2 alone translates, though ATS is on there", async () => {
    await world.backend.setPlainStage(world.device(GPU).group, world.part, "bypass");
    expect(await world.read(GPU, PAGE)).toBe("ok aa");
    expect(await world.read(GPU, 0x9_0000_0000)).toBe("abort");
    expect(world.heard).toEqual([]);
  });
});
