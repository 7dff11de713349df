// Accesses explained and faults diagnosed from guest memory alone. Tables by hand: 4 KiB granule, 39 bits, IOVA 0 → the
// file's 0x10_0000, IOVA 0x1000 → IPA 0x8000_0000, which is not mapped (DDI 0487 D8.3; IHI 0070G.b §5.4).

import { describe, expect, test } from "vitest";
import { ABORT_VSTE, BYPASS_VSTE } from "../../../src/backends/vste.ts";
import { fakeSmmu } from "../../support/fake-iommufd-machine.ts";
import { BASE, CONTEXT, type NativeWorld, nativeWorld, PassedFile, TRANSLATE } from "../../support/native-world.ts";

const LEAF = 0x443n | (1n << 11n); // page, AP[1], AF, nG
const T0SZ_25 = 25n | (1n << 30n) | (1n << 31n) | (5n << 32n) | (1n << 41n) | (3n << 45n) | (1n << 48n);

function guestTables({ file }: NativeWorld): void {
  const at = (offset: number): bigint => BigInt(BASE + offset);
  file.poke(0x2_0000, at(0x3_0000) | 3n);
  file.poke(0x3_0000, at(0x4_0000) | 3n);
  file.poke(0x4_0000, at(0x10_0000) | LEAF);
  file.poke(0x4_0008, 0x8000_0000n | LEAF);
  file.poke(0x4_0010, at(0x10_0000) | LEAF | 0x80n); // AP[2]: read-only
  file.poke(0x4_0018, 0x800_0000n | LEAF); // the MSI window
  file.poke(0x1_0000, T0SZ_25);
  file.poke(0x1_0008, at(0x2_0000));
}

async function bound() {
  const world = await nativeWorld();
  const { part, space } = await world.part();
  await world.backend.attach(world.group(1), part, "bypass");
  await world.bind(1, part, 0x123);
  guestTables(world);
  return { world, part, space };
}

function ask(world: NativeWorld, iova: bigint, access: "read" | "write" = "read") {
  const device = world.device(1).id;
  const common = { streamIndex: 0, substreamID: undefined, privileged: false, showsHost: false } as const;
  return world.backend.explain({ ...common, device, iova, access });
}

describe("an access", () => {
  test("through both stages, with the guest's structures by IPA and no address of the host's", async () => {
    const { world } = await bound();
    const { end, steps } = ask(world, 0x10n);
    expect(end).toMatchObject({ kind: "ok", bypass: false, ipa: BigInt(BASE + 0x10_0010), pa: undefined });
    expect(steps.find(({ structure }) => structure === "CD")).toMatchObject({ ipa: BigInt(CONTEXT), pa: undefined });
    expect(steps.filter(({ pa }) => pa !== undefined)).toEqual([]);
    expect(steps.find(({ structure }) => structure === "STE")?.fields).toMatchObject({ Config: 7n, S1CIR: 1n });
  });

  test("to memory that stage 2 does not have ends there", async () => {
    const { world } = await bound();
    const { end } = ask(world, 0x1000n);
    const fault = { type: "F_TRANSLATION", stage: 2, class: "IN", ipa: 0x8000_0000n };
    expect(end).toMatchObject({ kind: "abort", fault, recorded: true });
  });

  test("a write where a mapping is read-only is stage 2's F_PERMISSION, and the read is not", async () => {
    const { world, space } = await bound();
    const file = new PassedFile("/memory/b", 4096);
    await world.backend.map(space, [world.mapping({ ipa: 0x8000_0000, bytes: 4096, file, writable: false })]);
    expect(ask(world, 0x1000n).end).toMatchObject({ kind: "ok" });
    expect(ask(world, 0x1000n, "write").end).toMatchObject({ fault: { type: "F_PERMISSION", stage: 2 } });
  });

  test("the MSI window may be written and not read", async () => {
    const { world } = await bound();
    expect(ask(world, 0x3000n, "write").end).toMatchObject({ kind: "ok", ipa: 0x800_0000n });
    expect(ask(world, 0x3000n).end).toMatchObject({ fault: { type: "F_PERMISSION", stage: 2 } });
  });

  test("what has been cut off the guest's memory file is a bus error", async () => {
    const { world } = await bound();
    world.file.truncate(0x2_0000); // the CD is there, its table is not
    expect(ask(world, 0n).end).toMatchObject({ fault: { type: "F_WALK_EABT", stage: 1 } });
  });

  test("follows the stage that is installed", async () => {
    const { world, part } = await bound();
    await world.backend.setPlainStage(world.group(1), part, "bypass");
    expect(ask(world, BigInt(BASE)).end).toMatchObject({ kind: "ok", ipa: BigInt(BASE) });
    await world.backend.setPlainStage(world.group(1), part, "abort");
    expect(ask(world, BigInt(BASE)).end).toEqual({ kind: "abort", fault: undefined, recorded: false });
    await world.backend.detach(world.group(1));
    expect(ask(world, 0n).end).toMatchObject({ kind: "not-covered" });
  });

  test("of an IOMMU that is no SMMU is not explained", async () => {
    const hwInfo = new Uint8Array(16);
    const world = await nativeWorld({ iommu: fakeSmmu({ kind: "amd", hwInfo, nesting: false }) });
    const { part } = await world.part();
    await world.backend.attach(world.group(1), part, "bypass");
    expect(ask(world, 0n).end).toMatchObject({ kind: "not-covered" });
  });
});

describe("a fault of the kernel's queue", () => {
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  async function diagnosed(world: NativeWorld, words: readonly bigint[]) {
    world.raise(1, words);
    await turn();
    return world.backend.diagnose(world.records().at(-1)!);
  }

  test("is found again in the guest's tables, with the descriptor that made it", async () => {
    const { world } = await bound();
    const write = [0x0000_0123_0000_0013n, 0x0000_0200_0000_0000n, 0x2000n, 0n];
    expect(await diagnosed(world, write)).toMatchObject({
      verdict: "reproduced",
      cause: { structure: "stage 1 descriptor", level: 3, address: BigInt(BASE + 0x4_0010) },
    });
  });

  test("is gone once the guest has mended its tables", async () => {
    const { world } = await bound();
    const read = [0x0000_0123_0000_0010n, 0x0000_0208_0000_0000n, 0x4000n, 0n];
    expect(await diagnosed(world, read)).toMatchObject({
      verdict: "reproduced",
      cause: { rule: "DESCRIPTOR_INVALID" },
    });
    world.file.poke(0x4_0020, BigInt(BASE + 0x10_0000) | LEAF);
    expect(world.backend.diagnose(world.records().at(-1)!)).toMatchObject({ verdict: "no-longer-reproducible" });
  });

  test("of a context descriptor names the field", async () => {
    const { world } = await bound();
    world.file.poke(0x1_0000, 0n);
    const bad = [0x0000_0123_0000_000an, 0n, 0n, 0n];
    expect(await diagnosed(world, bad)).toMatchObject({ verdict: "reproduced", cause: { structure: "CD" } });
  });

  test("of a device that was detached since is not walked", async () => {
    const { world } = await bound();
    world.raise(1, [0x0000_0123_0000_000an, 0n, 0n, 0n]);
    await world.backend.detach(world.group(1));
    expect(world.backend.diagnose(world.records().at(-1)!)).toMatchObject({ verdict: "no-longer-reproducible" });
  });
});

describe("a preview", () => {
  test("says what the hardware will say to the configuration, and shows no host STE", async () => {
    const world = await nativeWorld();
    const { part } = await world.part();
    await world.backend.attach(world.group(1), part, "bypass");
    const { id } = world.device(1);
    const preview = world.backend.previewStage(id, part, TRANSLATE); // the memory is zeroes
    expect(preview).toMatchObject({ hostSTE: [], wouldFault: [{ eventType: "C_BAD_CD" }] });
    guestTables(world);
    expect(world.backend.previewStage(id, part, TRANSLATE).wouldFault).toEqual([]);
    for (const vste of [ABORT_VSTE, BYPASS_VSTE]) {
      expect(world.backend.previewStage(id, part, vste)).toEqual({ hostSTE: [], wouldFault: [] });
    }
  });

  test("a table that faults for the address alone is no fault of the configuration", async () => {
    const { world, part } = await bound();
    world.file.poke(0x2_0000, 0n);
    expect(world.backend.previewStage(world.device(1).id, part, TRANSLATE).wouldFault).toEqual([]);
  });
});
