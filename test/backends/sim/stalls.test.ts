// Stalled transactions of a simulated device, from the record to the one end each of them has.
// Source: IHI 0070G.b §3.12.2, §4.6.1 (CMD_RESUME), §4.6.2 (CMD_STALL_TERM), §7.2.1 (records that wait for room).

import { beforeEach, describe, expect, test } from "vitest";
import { DSP, HOLE, MAPPED, NAMES, PAGE, STALL_MAX, UART, WaitingWorld } from "../../support/waiting-world.ts";

let world: WaitingWorld;
beforeEach(async () => {
  world = await WaitingWorld.make();
  await world.bind(DSP);
});

/** A read of the hole that has come to its stall, and whose event is told. */
async function stalled(): Promise<{ readonly end: Promise<string>; readonly cookie: number }> {
  const end = world.read(DSP);
  await world.settle();
  return { end, cookie: world.cookie() };
}

describe("a DMA that stalls", () => {
  test("is told with its tag, and goes on where RETRY finds the page", async () => {
    const { cookie, end } = await stalled();
    const [fault] = world.faults();
    expect(fault).toMatchObject({ device: DSP, type: "F_TRANSLATION", stage: 1, hostOnly: false });
    expect(fault!.inputAddress).toBe(BigInt(HOLE));
    const words = new DataView(fault!.record.buffer);
    // Stall is bit 95, STAG [79:64], StreamID [63:32] (§7.3)
    expect(words.getUint32(8, true) >>> 31).toBe(1);
    expect(fault!.pending).toEqual({ kind: "stall", cookie, stag: words.getUint16(8, true) });
    expect(words.getUint32(4, true)).toBe(NAMES.dsp);
    world.mapHole();
    await world.backend.respondToFault(DSP, cookie, "retry");
    expect(await end).toBe("ok aa");
    await world.settle();
    expect(world.story()).toEqual([`event ${cookie}`]);
  });

  test("writes what it came to write after the retry, and not before", async () => {
    const end = world.write(DSP, HOLE, 0x55);
    await world.settle();
    expect(await world.read(DSP, MAPPED)).toBe("ok aa");
    world.mapHole();
    await world.backend.respondToFault(DSP, world.cookie(), "retry");
    expect(await end).toBe("ok");
    expect(await world.read(DSP, MAPPED)).toBe("ok 55");
  });

  test("is told anew, under another cookie, where RETRY finds no page", async () => {
    const { cookie, end } = await stalled();
    await world.backend.respondToFault(DSP, cookie, "retry");
    await world.settle();
    const second = world.cookie();
    expect(second).not.toBe(cookie);
    expect(world.story()).toEqual([`event ${cookie}`, `event ${second}`]);
    await world.backend.respondToFault(DSP, second, "abort");
    expect(await end).toBe("abort");
  });

  test("ends with an abort, or reads zero and goes on to its end", async () => {
    const first = await stalled();
    await world.backend.respondToFault(DSP, first.cookie, "abort");
    expect(await first.end).toBe("abort");
    const second = await stalled();
    await world.backend.respondToFault(DSP, second.cookie, "terminate");
    expect(await second.end).toBe("raz-wi");
  });

  test("is answered once, by its own device, and only as a stall is", async () => {
    const { cookie, end } = await stalled();
    const respond = world.backend.respondToFault.bind(world.backend);
    await expect(respond(UART, cookie, "abort")).rejects.toMatchObject({ code: "fault_not_pending" });
    await expect(respond(DSP, cookie + 1, "abort")).rejects.toMatchObject({ code: "fault_not_pending" });
    await expect(respond(DSP, cookie, "success")).rejects.toMatchObject({ code: "argument_invalid" });
    await respond(DSP, cookie, "abort");
    await expect(respond(DSP, cookie, "abort")).rejects.toMatchObject({ code: "fault_not_pending" });
    expect(await end).toBe("abort");
  });

  test("keeps nobody else waiting: other devices and its own other pages go on", async () => {
    await world.backend.setPlainStage(world.device(UART).group, world.part, "bypass");
    const { cookie, end } = await stalled();
    expect(await world.read(UART, PAGE)).toBe("ok aa");
    expect(await world.read(DSP, MAPPED)).toBe("ok aa");
    await world.backend.respondToFault(DSP, cookie, "abort");
    await end;
  });

  test("over two pages waits at each of them", async () => {
    const end = world.read(DSP, HOLE - 8, 16);
    await world.settle();
    await world.backend.respondToFault(DSP, world.cookie(), "retry");
    await world.settle();
    expect(world.faults().map(({ inputAddress }) => inputAddress)).toEqual([BigInt(HOLE - 8), BigInt(HOLE - 8)]);
    world.tables.poke(world.leaf + 3 * 8, world.tables.peek(world.leaf)); // the page below the hole
    await world.backend.respondToFault(DSP, world.cookie(), "retry");
    await world.settle();
    expect(world.faults().at(-1)!.inputAddress).toBe(BigInt(HOLE));
    await world.backend.respondToFault(DSP, world.cookie(), "abort");
    expect(await end).toBe("abort");
  });
});

describe("a translation that stalls", () => {
  test("says so at once, and waits in the SMMU until it is answered all the same", async () => {
    expect(await world.translate(DSP)).toBe("stalled");
    await world.settle();
    await world.backend.respondToFault(DSP, world.cookie(), "abort");
    await expect(world.backend.respondToFault(DSP, world.cookie(), "abort")).rejects.toThrow(/does not wait/);
  });

  test("takes its place: no more than IDR5.STALL_MAX stall, the next one aborts (§5.5)", async () => {
    for (let count = 0; count < STALL_MAX; count += 1) expect(await world.translate(DSP)).toBe("stalled");
    expect(await world.translate(DSP)).toBe("abort");
    await world.settle();
    expect(world.faults().map(({ pending }) => pending?.kind)).toEqual([
      ...new Array(STALL_MAX).fill("stall"),
      undefined,
    ]);
    await world.backend.respondToFault(DSP, world.faults()[3]!.pending!.cookie, "abort");
    expect(await world.translate(DSP)).toBe("stalled");
  });
});

describe("what nobody answers ends once, behind its event, when", () => {
  const changes: readonly (readonly [string, () => Promise<unknown>])[] = [
    ["the stage becomes bypass", () => world.backend.setPlainStage(world.device(DSP).group, world.part, "bypass")],
    ["the stage becomes abort", () => world.backend.setPlainStage(world.device(DSP).group, world.part, "abort")],
    ["another STE is bound", () => world.bind(DSP, { stalld: 1n })],
    ["one is bound that may stall too", () => world.bind(DSP)],
    ["the device is detached", () => world.backend.detach(world.device(DSP).group)],
    ["the device is blocked", () => world.backend.block(world.device(DSP).group)],
    ["the device is reset", () => world.backend.reset(DSP)],
  ];

  test.each(changes)("%s", async (_, change) => {
    const { cookie, end } = await stalled();
    await change();
    expect(await end).toBe("abort");
    await world.settle();
    expect(world.story()).toEqual([`event ${cookie}`, `ended ${cookie}`]);
    await expect(world.backend.respondToFault(DSP, cookie, "retry")).rejects.toMatchObject({
      code: "fault_not_pending",
    });
  });

  test.each(changes)("%s before its record was taken off the queue", async (_, change) => {
    expect(await world.translate(DSP)).toBe("stalled");
    expect(world.story()).toEqual([]);
    await change();
    const cookie = world.cookie();
    expect(world.faults()[0]).toMatchObject({ virtualStreamID: NAMES.dsp, type: "F_TRANSLATION" });
    expect(world.story()).toEqual([`event ${cookie}`, `ended ${cookie}`]);
  });

  test("the host goes down: the DMA ends, nothing is told", async () => {
    const { end, cookie } = await stalled();
    await world.backend.close();
    expect(await end).toBe("abort");
    expect(world.story()).toEqual([`event ${cookie}`]);
  });

  test("a change that fails ends nothing", async () => {
    const { end, cookie } = await stalled();
    const other = await world.backend.createPart(world.space, world.part.iommu);
    await expect(world.backend.setPlainStage(world.device(DSP).group, other, "abort")).rejects.toThrow();
    expect(world.story()).toEqual([`event ${cookie}`]);
    await world.backend.respondToFault(DSP, cookie, "abort");
    expect(await end).toBe("abort");
  });
});

describe("a device that must not stall", () => {
  test("has C_BAD_CD for CD.S=1, whatever its guest's S1STALLD says (§5.5)", async () => {
    await world.bind(UART);
    expect(await world.read(UART)).toBe("abort");
    await world.settle();
    expect(world.faults().map(({ type, pending }) => [type, pending])).toEqual([["C_BAD_CD", undefined]]);
  });

  test("nor does one whose guest set S1STALLD itself", async () => {
    await world.bind(DSP, { stalld: 1n });
    expect(await world.read(DSP)).toBe("abort");
    await world.settle();
    expect(world.faults().map(({ type }) => type)).toEqual(["C_BAD_CD"]);
  });
});
