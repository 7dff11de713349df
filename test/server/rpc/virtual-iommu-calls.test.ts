import { describe, expect, test } from "vitest";
import { Stage1Mode } from "../../../src/client/client.ts";
import { ADDRESS_SPACE_ID, REGISTERS, SMMU, VIRTUAL_IOMMU_ID } from "../../support/fake-core.ts";
import { faultsOf, invalid, refusal, serve } from "../../support/rpc-server.ts";

const NAME = `virtualIommus/${VIRTUAL_IOMMU_ID}`;
const SPACE = `addressSpaces/${ADDRESS_SPACE_ID}`;

describe("CreateVirtualIommu", () => {
  test("asks for the registers bit for bit and shows the frozen ones", async () => {
    const server = await serve();
    const registers = { ...REGISTERS, idr0: 0xffff_ffff };
    const request = { addressSpace: SPACE, iommus: ["iommus/smmu0", "iommus/smmu1"], registers };
    const answer = await (await server.session()).createVirtualIommu(request);
    expect(server.core.argsOf("virtualIommus.create")).toEqual([
      { addressSpace: ADDRESS_SPACE_ID, iommus: [SMMU, "smmu1"], registers },
    ]);
    expect(answer).toEqual({
      name: NAME,
      addressSpace: SPACE,
      registers: REGISTERS,
      iommus: ["iommus/smmu0"],
      devices: ["devices/0000:01:00.0"],
    });
  });

  test("leaves the registers to core when none are wished", async () => {
    const server = await serve();
    await (await server.session()).createVirtualIommu({ addressSpace: SPACE, iommus: ["iommus/smmu0"] });
    expect(server.core.argsOf("virtualIommus.create")).toMatchObject([{ registers: undefined }]);
  });

  test.each([
    ["nothing named", {}, ["address_space", "iommus"]],
    ["a malformed IOMMU", { addressSpace: SPACE, iommus: ["iommus/a", "smmu0"] }, ["iommus[1]"]],
    ["an IOMMU named twice", { addressSpace: SPACE, iommus: ["iommus/a", "iommus/b", "iommus/a"] }, ["iommus[2]"]],
    ["65 IOMMUs", { addressSpace: SPACE, iommus: Array.from({ length: 65 }, (_, n) => `iommus/${n}`) }, ["iommus"]],
  ])("refuses %s", async (_what, request, paths) => {
    const server = await serve();
    expect(await faultsOf((await server.session()).createVirtualIommu(request))).toEqual(invalid(...paths));
  });
});

test("DeleteVirtualIommu names it to core by its id", async () => {
  const server = await serve();
  const session = await server.session();
  await session.deleteVirtualIommu(NAME);
  expect(server.core.argsOf("virtualIommus.remove")).toEqual([VIRTUAL_IOMMU_ID]);
  expect(await faultsOf(session.deleteVirtualIommu(SPACE))).toEqual(invalid("virtual_iommu"));
});

describe("SetVirtualIommuMode", () => {
  test.each([
    [Stage1Mode.STAGE1_MODE_BYPASS, "bypass"],
    [Stage1Mode.STAGE1_MODE_ABORT, "abort"],
  ])("with mode %i asks for %s and answers for each device", async (mode, expected) => {
    const server = await serve();
    const results = await (await server.session()).setVirtualIommuMode({ virtualIommu: NAME, mode });
    expect(server.core.argsOf("virtualIommus.setMode")).toEqual([VIRTUAL_IOMMU_ID, expected]);
    expect(results).toMatchObject([
      { device: "devices/0000:01:00.0", generation: 10n, error: undefined },
      { device: "devices/0000:02:00.0", generation: 3n, error: { reason: "BACKEND_UNSUPPORTED" } },
    ]);
  });

  test.each([0, 1, 4])("refuses the mode %i", async (mode) => {
    const server = await serve();
    const call = (await server.session()).setVirtualIommuMode({ virtualIommu: NAME, mode });
    expect(await faultsOf(call)).toEqual(invalid("mode"));
  });
});

describe("InvalidateCache", () => {
  test("hands core raw and typed commands in order, and says how many were executed", async () => {
    const server = await serve();
    const raw = Buffer.alloc(16);
    raw.writeBigUInt64LE(2n ** 64n - 1n, 0);
    raw.writeBigUInt64LE(2n ** 53n + 1n, 8);
    const executed = await (await server.session()).invalidateCache(NAME, [{ raw }, { tlbiNhAll: {} }]);
    expect(executed).toBe(2);
    expect(server.core.argsOf("virtualIommus.invalidate")).toEqual([
      VIRTUAL_IOMMU_ID,
      [
        { dword0: 2n ** 64n - 1n, dword1: 2n ** 53n + 1n },
        { dword0: 0x10n, dword1: 0n },
      ],
    ]);
  });

  test("refuses the whole batch for its bad commands and names each", async () => {
    const server = await serve();
    const commands = [{ tlbiNhAll: {} }, {}, { raw: new Uint8Array(15) }, { tlbiNhAsid: { asid: 0x1_0000 } }];
    expect(await faultsOf((await server.session()).invalidateCache(NAME, commands))).toEqual(
      invalid("commands[1]", "commands[2].raw", "commands[3].tlbi_nh_asid.asid"),
    );
    expect(server.core.argsOf("virtualIommus.invalidate")).toEqual([]);
  });

  test("refuses an empty batch", async () => {
    const server = await serve();
    expect(await faultsOf((await server.session()).invalidateCache("", []))).toEqual(
      invalid("virtual_iommu", "commands"),
    );
  });

  test("above commandsPerCallMax is RESOURCE_EXHAUSTED", async () => {
    const server = await serve();
    const call = (await server.session()).invalidateCache(NAME, Array(10).fill({ tlbiNhAll: {} }));
    const error = await refusal(call);
    expect([error.codeName, error.metadata.limit]).toEqual(["RESOURCE_EXHAUSTED", "commands_per_call_max"]);
  });
});
