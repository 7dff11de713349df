import { describe, expect, test } from "vitest";
import { BrokerError, invalidField } from "../../../src/backends/errors.ts";
import { type BindGuestStage, BrokerCallError, Stage1Mode } from "../../../src/client/client.ts";
import { NVME, VIRTUAL_IOMMU_ID } from "../../support/fake-core.ts";
import { faultsOf, invalid, refusal, serve } from "../../support/rpc-server.ts";

const DEVICE = "devices/0000:01:00.0";
const VIOMMU = `virtualIommus/${VIRTUAL_IOMMU_ID}`;
const TRANSLATE = { mode: Stage1Mode.STAGE1_MODE_TRANSLATE, s1ContextPtr: 0x1_2345_6780n };

describe("AttachDevice", () => {
  test.each([
    [Stage1Mode.STAGE1_MODE_UNSPECIFIED, "abort"],
    [Stage1Mode.STAGE1_MODE_ABORT, "abort"],
    [Stage1Mode.STAGE1_MODE_BYPASS, "bypass"],
  ])("with initial mode %i attaches in %s", async (initialMode, initial) => {
    const server = await serve();
    const session = await server.session();
    const device = await session.attachDevice({ device: DEVICE, virtualIommu: VIOMMU, initialMode });
    expect(device.name).toBe(DEVICE);
    expect(server.core.argsOf("stages.attach")).toEqual([
      {
        device: NVME,
        virtualIommu: VIRTUAL_IOMMU_ID,
        initial,
        expectedGeneration: undefined,
        waitMs: 0,
        preempt: false,
      },
    ]);
  });

  test.each([0n, 2n ** 53n + 1n, 2n ** 64n - 1n])("expects generation %s exactly", async (expectedGeneration) => {
    const server = await serve();
    await (await server.session()).attachDevice({ device: DEVICE, virtualIommu: VIOMMU, expectedGeneration });
    expect(server.core.argsOf("stages.attach")).toMatchObject([{ expectedGeneration }]);
  });

  test.each([
    ["nothing named", {}, ["device", "virtual_iommu"]],
    ["TRANSLATE before any bind", { device: DEVICE, virtualIommu: VIOMMU, initialMode: 1 }, ["initial_mode"]],
    ["a mode that is not known", { device: DEVICE, virtualIommu: VIOMMU, initialMode: 4 }, ["initial_mode"]],
    ["an address space for a virtual IOMMU", { device: DEVICE, virtualIommu: "addressSpaces/x" }, ["virtual_iommu"]],
  ])("refuses %s", async (_what, request, paths) => {
    const server = await serve();
    expect(await faultsOf((await server.session()).attachDevice(request))).toEqual(invalid(...paths));
  });
});

describe.each(["detachDevice", "unbindGuestStage"] as const)("%s", (call) => {
  const verb = call === "detachDevice" ? "stages.detach" : "stages.unbind";

  test("names the device and the generation it must have", async () => {
    const server = await serve();
    const session = await server.session();
    expect((await session[call]({ device: DEVICE, expectedGeneration: 9n })).name).toBe(DEVICE);
    expect(server.core.argsOf(verb)).toEqual([{ device: NVME, expectedGeneration: 9n }]);
    await session[call]({ device: DEVICE });
    expect(server.core.argsOf(verb)).toEqual([{ device: NVME, expectedGeneration: undefined }]);
  });

  test("refuses a malformed device name", async () => {
    const server = await serve();
    expect(await faultsOf((await server.session())[call]({ device: "x" }))).toEqual(invalid("device"));
  });
});

describe("BindGuestStage", () => {
  // V=1, Config=0b101, S1Fmt=1, S1ContextPtr=0x1_2345_6780 rounded to 64 bytes, S1CDMax=8 (IHI 0070G.b §5.2)
  const RAW = { doubleword0: 0x4000_0001_2345_679bn, doubleword1: 0x0000_0000_0000_0002n };

  test("takes raw doublewords bit for bit", async () => {
    const server = await serve();
    const session = await server.session();
    const answer = await session.bindGuestStage({ device: DEVICE, virtualStreamId: 0xffff_ffff, raw: RAW });
    expect(server.core.argsOf("stages.bind")).toEqual([
      {
        device: NVME,
        virtualStreamID: 0xffff_ffff,
        vste: { dword0: RAW.doubleword0, dword1: RAW.doubleword1, disposition: "translate" },
        validateOnly: false,
        expectedGeneration: undefined,
      },
    ]);
    expect([answer.mode, answer.hostSte, answer.wouldFault]).toEqual([Stage1Mode.STAGE1_MODE_TRANSLATE, [], []]);
  });

  test("takes fields and builds the same STE of them", async () => {
    const server = await serve();
    const fields = { ...TRANSLATE, s1Fmt: 1, s1CdMax: 8, s1Dss: 2 };
    await (await server.session()).bindGuestStage({ device: DEVICE, fields });
    expect(server.core.argsOf("stages.bind")).toMatchObject([
      { virtualStreamID: undefined, vste: { dword0: RAW.doubleword0, dword1: RAW.doubleword1 } },
    ]);
  });

  test("puts each field of doubleword 1 where the STE has it", async () => {
    const server = await serve();
    // S1CIR [67:66]=1, S1COR [69:68]=2, S1CSH [71:70]=3, S1STALLD 91, EATS [93:92]=1 (§5.2)
    const fields = { ...TRANSLATE, s1Cir: 1, s1Cor: 2, s1Csh: 3, s1Stalld: true, eats: 1 };
    await (await server.session()).bindGuestStage({ device: DEVICE, fields });
    const dword1 = (1n << 2n) | (2n << 4n) | (3n << 6n) | (1n << 27n) | (1n << 28n);
    expect(server.core.argsOf("stages.bind")).toMatchObject([{ vste: { dword1 } }]);
  });

  test.each([
    ["bypass", Stage1Mode.STAGE1_MODE_BYPASS, 0b1001n],
    ["abort", Stage1Mode.STAGE1_MODE_ABORT, 0b0001n],
  ] as const)("takes %s as fields", async (disposition, mode, dword0) => {
    const server = await serve();
    const answer = await (await server.session()).bindGuestStage({ device: DEVICE, fields: { mode } });
    expect(server.core.argsOf("stages.bind")).toMatchObject([{ vste: { dword0, dword1: 0n, disposition } }]);
    expect(answer.mode).toBe(mode);
  });

  test("tells with validate_only what would be installed and what it would fault with", async () => {
    const server = await serve();
    const answer = await (await server.session()).bindGuestStage({ device: DEVICE, raw: RAW, validateOnly: true });
    expect(server.core.argsOf("stages.bind")).toMatchObject([{ validateOnly: true }]);
    expect(answer.hostSte).toEqual([1n, 2n ** 64n - 1n]);
    expect(answer.wouldFault).toEqual([{ eventType: "C_BAD_STE", reason: "S1CDMax" }]);
  });

  test.each<[string, BindGuestStage, string[]]>([
    ["no config", { device: DEVICE }, ["config"]],
    ["nothing at all", {}, ["device", "config"]],
    ["no mode", { device: DEVICE, fields: {} }, ["fields.mode"]],
    ["a mode that is not known", { device: DEVICE, fields: { mode: Number("7") } }, ["fields.mode"]],
    [
      "table fields with BYPASS",
      { device: DEVICE, fields: { mode: 2, s1ContextPtr: 64n, s1CdMax: 1, s1Stalld: true } },
      ["fields.s1_context_ptr", "fields.s1_cd_max", "fields.s1_stalld"],
    ],
    [
      "table fields with ABORT",
      { device: DEVICE, fields: { mode: 3, s1Fmt: 1, s1Dss: 1, s1Cir: 1, s1Cor: 1, s1Csh: 1, eats: 1 } },
      ["fields.s1_fmt", "fields.s1_dss", "fields.s1_cir", "fields.s1_cor", "fields.s1_csh", "fields.eats"],
    ],
  ])("refuses %s", async (_what, request, paths) => {
    const server = await serve();
    expect(await faultsOf((await server.session()).bindGuestStage(request))).toEqual(invalid(...paths));
    expect(server.core.argsOf("stages.bind")).toEqual([]);
  });

  test.each<[string, BindGuestStage, string[]]>([
    ["a context pointer off its boundary", { fields: { ...TRANSLATE, s1ContextPtr: 32n } }, ["fields.s1_context_ptr"]],
    ["a context pointer of 53 bits", { fields: { ...TRANSLATE, s1ContextPtr: 2n ** 52n } }, ["fields.s1_context_ptr"]],
    ["S1Fmt out of range", { fields: { ...TRANSLATE, s1Fmt: 4 } }, ["fields.s1_fmt"]],
    ["S1CDMax out of range", { fields: { ...TRANSLATE, s1CdMax: 32 } }, ["fields.s1_cd_max"]],
    ["S1DSS out of range", { fields: { ...TRANSLATE, s1Dss: 2 ** 32 - 1 } }, ["fields.s1_dss"]],
    ["S1CIR out of range", { fields: { ...TRANSLATE, s1Cir: 4 } }, ["fields.s1_cir"]],
    ["S1COR out of range", { fields: { ...TRANSLATE, s1Cor: 4 } }, ["fields.s1_cor"]],
    ["S1CSH out of range", { fields: { ...TRANSLATE, s1Csh: 4 } }, ["fields.s1_csh"]],
    ["EATS 2", { fields: { ...TRANSLATE, eats: 2 } }, ["fields.eats"]],
    ["EATS 4", { fields: { ...TRANSLATE, eats: 4 } }, ["fields.eats"]],
    ["raw Config for stage 2", { raw: { doubleword0: 0b1101n } }, ["raw.doubleword0"]],
    ["raw S1ContextPtr[52]", { raw: { doubleword0: 0b1011n | (1n << 52n) } }, ["raw.doubleword0"]],
    ["raw S2VMID", { raw: { doubleword0: 0b1011n, doubleword1: 1n << 30n } }, ["raw.doubleword1"]],
    ["raw EATS 3", { raw: { doubleword0: 0b1011n, doubleword1: 3n << 28n } }, ["raw.doubleword1"]],
    ["raw bit 127", { raw: { doubleword0: 0b1011n, doubleword1: 1n << 63n } }, ["raw.doubleword1"]],
  ])("refuses %s as VSTE_INVALID", async (_what, config, paths) => {
    const server = await serve();
    const session = await server.session();
    const seen = await faultsOf(session.bindGuestStage({ device: DEVICE, ...config }));
    expect(seen).toEqual({ code: "INVALID_ARGUMENT", reason: "VSTE_INVALID", paths });
  });

  test("names a bad device beside a bad STE", async () => {
    const server = await serve();
    const call = (await server.session()).bindGuestStage({ device: "x", raw: { doubleword0: 0b1101n } });
    expect(await faultsOf(call)).toEqual(invalid("device", "raw.doubleword0"));
  });

  test("takes a single page table as it comes: core knows the IOMMU that it is for", async () => {
    const server = await serve();
    const session = await server.session();
    const pageTable = { root: 2n ** 64n - 1n, addressBits: 57, sre: true, wpe: true };
    const answer = await session.bindGuestStage({ device: DEVICE, pageTable });
    expect(server.core.argsOf("stages.bind")).toEqual([
      {
        device: NVME,
        virtualStreamID: undefined,
        pageTable: { ...pageTable, eafe: false },
        validateOnly: false,
        expectedGeneration: undefined,
      },
    ]);
    expect(answer.mode).toBe(Stage1Mode.STAGE1_MODE_TRANSLATE);
  });

  test("a refused page table is UNIMPLEMENTED with the reason", async () => {
    const server = await serve();
    server.core.stages.bind = async () => {
      const facts = { table_shape: "TABLE_SHAPE_SINGLE_PAGE_TABLE" };
      throw new BrokerError("backend_unsupported", "bind an STE", facts);
    };
    const error = await refusal((await server.session()).bindGuestStage({ device: DEVICE, pageTable: {} }));
    expect([error.codeName, error.reason]).toEqual(["UNIMPLEMENTED", "BACKEND_UNSUPPORTED"]);
    expect(error.metadata.table_shape).toBe("TABLE_SHAPE_SINGLE_PAGE_TABLE");
  });
});

describe("BatchBindGuestStage", () => {
  test("goes on over refused requests and answers each in its place", async () => {
    const server = await serve();
    const { bind } = server.core.stages;
    server.core.stages.bind = async (session, request) => {
      if (request.virtualStreamID === 2) throw new BrokerError("not_owner", "another's", { device: request.device });
      return await bind(session, request);
    };
    const bound = { device: DEVICE, fields: { mode: Stage1Mode.STAGE1_MODE_BYPASS } };
    const results = await (await server.session()).batchBindGuestStage([
      { ...bound, virtualStreamId: 1 },
      { ...bound, virtualStreamId: 2 },
      { device: "x", fields: TRANSLATE },
      { ...bound, virtualStreamId: 4 },
    ]);
    expect(server.core.asked.filter(({ verb }) => verb === "stages.bind")).toHaveLength(2);
    const seen = results.map((result) =>
      "error" in result ? [result.error.reason, result.error.fields[0]?.path] : result.response.mode,
    );
    expect(seen).toEqual([2, ["NOT_OWNER", undefined], ["ARGUMENT_INVALID", "requests[2].device"], 2]);
    expect(results[1]).toMatchObject({ error: { metadata: { device: NVME } } });
    expect("error" in results[1]! && results[1].error).toBeInstanceOf(BrokerCallError);
  });

  test("whose call ends before the first bind changes nothing; after it, all are carried out", async () => {
    const server = await serve();
    const { bind } = server.core.stages;
    const session = await server.session();
    const requests = [1, 2, 3].map((virtualStreamId) => ({
      device: DEVICE,
      virtualStreamId,
      fields: { mode: Stage1Mode.STAGE1_MODE_BYPASS },
    }));
    for (const [endsAt, installed] of [
      [0, 0],
      [1, 3],
    ] as const) {
      const bound: unknown[] = [];
      const waiting = Promise.withResolvers<void>();
      const goOn = Promise.withResolvers<void>();
      let begun = 0;
      server.core.stages.bind = async (id, request, gate) => {
        if (begun++ === endsAt) {
          waiting.resolve();
          await goOn.promise;
        }
        gate?.requireOpen();
        bound.push(request.virtualStreamID);
        return await bind(id, request);
      };
      const cancelling = new AbortController();
      const call = refusal(session.batchBindGuestStage(requests, { signal: cancelling.signal }));
      await waiting.promise;
      cancelling.abort();
      expect((await call).codeName).toBe("CANCELLED");
      await session.getDevice(DEVICE); // comes after the cancellation, on the same connection
      goOn.resolve();
      await expect.poll(() => server.handle.inFlight()).toBe(0);
      expect(bound, `ended at bind ${endsAt}`).toHaveLength(installed);
    }
  });

  test("puts the fields that core refuses below the request's own path", async () => {
    const server = await serve();
    server.core.stages.bind = async () => {
      throw invalidField("virtual_stream_id", "is taken");
    };
    const results = await (await server.session()).batchBindGuestStage([{ device: DEVICE, fields: TRANSLATE }]);
    expect(results).toMatchObject([{ error: { fields: [{ path: "requests[0].virtual_stream_id" }] } }]);
  });

  test("reports a bug in one of them as such, with its id", async () => {
    const server = await serve();
    server.core.stages.bind = async () => {
      throw new TypeError("bug");
    };
    const results = await (await server.session()).batchBindGuestStage([{ device: DEVICE, fields: TRANSLATE }]);
    expect(results).toMatchObject([{ error: { reason: "INTERNAL_BUG", metadata: { id: server.bugs[0]?.id } } }]);
  });

  test("is replayed by its request_id", async () => {
    const server = await serve();
    const session = await server.session();
    const requests = [{ device: DEVICE, fields: TRANSLATE }];
    await session.batchBindGuestStage(requests, { requestId: "b" });
    await session.batchBindGuestStage(requests, { requestId: "b" });
    expect(server.core.asked.filter(({ verb }) => verb === "stages.bind")).toHaveLength(1);
  });

  test.each([
    ["an empty batch", [], ["requests"]],
    [
      "request_ids of its requests",
      [{ requestId: "a" }, {}, { requestId: "b" }],
      ["requests[0].request_id", "requests[2].request_id"],
    ],
  ])("refuses %s as a whole", async (_what, requests, paths) => {
    const server = await serve();
    expect(await faultsOf((await server.session()).batchBindGuestStage(requests))).toEqual(invalid(...paths));
  });

  test("above bindsPerCallMax is refused as a whole", async () => {
    const server = await serve();
    const error = await refusal((await server.session()).batchBindGuestStage(Array(11).fill({ device: DEVICE })));
    expect([error.codeName, error.metadata.limit]).toEqual(["RESOURCE_EXHAUSTED", "binds_per_call_max"]);
  });
});
