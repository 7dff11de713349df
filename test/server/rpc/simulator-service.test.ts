import { describe, expect, test } from "vitest";
import { AccessKind, type AddDevice, type DmaAccess, TransactionOutcome } from "../../../src/client/client.ts";
import { ADDRESS_SPACE_ID, NVME } from "../../support/fake-core.ts";
import { faultsOf, invalid, RpcServer, refusal, serve } from "../../support/rpc-server.ts";

const DEVICE = "devices/0000:01:00.0";
const SPACE = `addressSpaces/${ADDRESS_SPACE_ID}`;

async function simulator() {
  const server = await serve();
  return { server, sim: (await server.session()).simulator };
}

describe("AddDevice", () => {
  const NEW = { deviceId: "new", iommu: "iommus/smmu0", iommuGroup: 2 ** 31 - 1, streamIds: [1, 2 ** 32 - 1] };
  const CORE_NEW = { id: "new", iommu: "smmu0", group: 2 ** 31 - 1, streamIDs: [1, 2 ** 32 - 1], ats: false };

  test("hands core the device and gives its name", async () => {
    const { server, sim } = await simulator();
    expect(await sim.addDevice({ ...NEW, pasidBits: 20, stall: true })).toBe("devices/new");
    expect(server.core.argsOf("simulator.addDevice")).toEqual([{ ...CORE_NEW, pasidBits: 20, stall: true }]);
    await sim.addDevice(NEW);
    expect(server.core.argsOf("simulator.addDevice")).toEqual([{ ...CORE_NEW, pasidBits: 0, stall: false }]);
  });

  test.each<[string, AddDevice, string[]]>([
    ["an empty id", { ...NEW, deviceId: "" }, ["device_id"]],
    ["a name for an id", { ...NEW, deviceId: "devices/new" }, ["device_id"]],
    ["a malformed IOMMU", { ...NEW, iommu: "smmu0" }, ["iommu"]],
    ["a group of 32 bits", { ...NEW, iommuGroup: 2 ** 31 }, ["iommu_group"]],
    ["no StreamIDs", { ...NEW, streamIds: [] }, ["stream_ids"]],
    ["nine StreamIDs", { ...NEW, streamIds: [1, 2, 3, 4, 5, 6, 7, 8, 9] }, ["stream_ids"]],
    ["a StreamID twice", { ...NEW, streamIds: [1, 2, 1] }, ["stream_ids[2]"]],
    ["21 PASID bits", { ...NEW, pasidBits: 21 }, ["pasid_bits"]],
    ["nothing", {}, ["device_id", "iommu", "stream_ids"]],
  ])("refuses %s", async (_what, request, paths) => {
    const { sim } = await simulator();
    expect(await faultsOf(sim.addDevice(request))).toEqual(invalid(...paths));
  });
});

test("RemoveDevice names the device to core", async () => {
  const { server, sim } = await simulator();
  await sim.removeDevice(DEVICE);
  expect(server.core.argsOf("simulator.removeDevice")).toEqual([NVME]);
  expect(await faultsOf(sim.removeDevice("x"))).toEqual(invalid("device"));
});

describe("Dma", () => {
  test("hands core reads and writes in order and shows how each ended", async () => {
    const { server, sim } = await simulator();
    const results = await sim.dma(DEVICE, [
      { iova: 2n ** 64n - 3n, readBytes: 3, substreamId: 0, privileged: true, streamIndex: 7 },
      { iova: 0n, write: Uint8Array.of(9, 8) },
    ]);
    expect(server.core.argsOf("simulator.dma")).toEqual([
      NVME,
      [
        { iova: 2n ** 64n - 3n, kind: "read", bytes: 3, substreamID: 0, privileged: true, streamIndex: 7 },
        { iova: 0n, kind: "write", data: Buffer.of(9, 8), substreamID: undefined, privileged: false, streamIndex: 0 },
      ],
    ]);
    expect(results).toEqual([
      { outcome: TransactionOutcome.TRANSACTION_OUTCOME_OK, bytesDone: 3, data: Buffer.of(1, 2, 3) },
      { outcome: TransactionOutcome.TRANSACTION_OUTCOME_STALLED, bytesDone: 0, data: Buffer.of() },
    ]);
  });

  test("takes an empty write for a write", async () => {
    const { server, sim } = await simulator();
    await sim.dma(DEVICE, [{ iova: 0n, write: new Uint8Array() }]);
    expect(server.core.argsOf("simulator.dma")).toMatchObject([NVME, [{ kind: "write" }]]);
  });

  test("refuses accesses that are neither, or do not fit, each by path", async () => {
    const { sim } = await simulator();
    const accesses = [{ iova: 0n }, { readBytes: 1, substreamId: 2 ** 20 }, { readBytes: 1, streamIndex: 8 }];
    expect(await faultsOf(sim.dma("x", accesses))).toEqual(
      invalid("device", "accesses[0].data", "accesses[1].substream_id", "accesses[2].stream_index"),
    );
  });

  const MiB = 2 ** 20;
  test.each<[string, string, DmaAccess[]]>([
    ["4097 accesses", "accesses_per_call_max", Array(4097).fill({ readBytes: 1 })],
    ["reads of more than 1 MiB", "data_bytes_per_call_max", [{ readBytes: MiB }, { readBytes: 1 }]],
    ["reads and writes of more", "data_bytes_per_call_max", [{ readBytes: MiB }, { write: Uint8Array.of(1) }]],
    ["a read of 4 GiB", "data_bytes_per_call_max", [{ readBytes: 2 ** 32 - 1 }]],
  ])("refuses %s as RESOURCE_EXHAUSTED", async (_what, limit, accesses) => {
    const { sim } = await simulator();
    const error = await refusal(sim.dma(DEVICE, accesses));
    expect([error.codeName, error.metadata.limit]).toEqual(["RESOURCE_EXHAUSTED", limit]);
  });

  test("takes 4096 accesses and 1 MiB", async () => {
    const { sim } = await simulator();
    expect(await sim.dma(DEVICE, Array(4096).fill({ readBytes: MiB / 4096 }))).toHaveLength(2);
  });
});

describe("Translate", () => {
  test.each([
    [AccessKind.ACCESS_KIND_UNSPECIFIED, "read"],
    [AccessKind.ACCESS_KIND_READ, "read"],
    [AccessKind.ACCESS_KIND_WRITE, "write"],
    [AccessKind.ACCESS_KIND_EXECUTE, "execute"],
  ])("with access %i asks core for a %s", async (access, expected) => {
    const { server, sim } = await simulator();
    await sim.translate(DEVICE, [{ iova: 4096n, access }]);
    expect(server.core.argsOf("simulator.translate")).toEqual([
      NVME,
      [{ iova: 4096n, access: expected, substreamID: undefined, privileged: false, streamIndex: 0 }],
    ]);
  });

  test("shows addresses exactly, an IPA of 0 as present, the memory type, and a fault with all it has", async () => {
    const { sim } = await simulator();
    expect(await sim.translate(DEVICE, [{ iova: 0n }])).toEqual([
      {
        outcome: TransactionOutcome.TRANSACTION_OUTCOME_OK,
        pa: 2n ** 52n - 4096n,
        pageBytes: 4096n,
        ipa: 0n,
        bypass: false,
        faultType: "",
        faultStage: 0,
        faultClass: "",
        recorded: false,
        memoryType: "Normal-iWB-oNC",
        shareability: "ISH",
      },
      {
        outcome: TransactionOutcome.TRANSACTION_OUTCOME_ABORT,
        pa: 0n,
        pageBytes: 0n,
        bypass: false,
        faultType: "F_WALK_EABT",
        faultStage: 2,
        faultClass: "TTD",
        faultIpa: 0x1000n,
        faultFetchAddress: 0x2000n,
        recorded: true,
        memoryType: "",
        shareability: "",
      },
    ]);
  });

  test("refuses an access kind that is not known", async () => {
    const { sim } = await simulator();
    const accesses = [{ access: Number("4") }, { substreamId: 2 ** 32 - 1 }];
    expect(await faultsOf(sim.translate(DEVICE, accesses))).toEqual(
      invalid("accesses[0].access", "accesses[1].substream_id"),
    );
  });

  test("refuses what does not fit behind what does, each by path", async () => {
    const { server, sim } = await simulator();
    const accesses = [{ iova: 1n }, { substreamId: 2 ** 20 }, {}, { streamIndex: 8 }];
    expect(await faultsOf(sim.translate("x", accesses))).toEqual(
      invalid("device", "accesses[1].substream_id", "accesses[3].stream_index"),
    );
    expect(server.core.asked.filter(({ verb }) => verb === "simulator.translate")).toEqual([]);
  });

  test("hands core the largest values there are", async () => {
    const { server, sim } = await simulator();
    const largest = { iova: 2n ** 64n - 1n, substreamId: 2 ** 20 - 1, privileged: true, streamIndex: 7 };
    await sim.translate(DEVICE, [{}, largest]);
    expect(server.core.argsOf("simulator.translate")).toEqual([
      NVME,
      [
        { iova: 0n, access: "read", substreamID: undefined, privileged: false, streamIndex: 0 },
        { iova: 2n ** 64n - 1n, access: "read", substreamID: 2 ** 20 - 1, privileged: true, streamIndex: 7 },
      ],
    ]);
  });

  test("refuses 4097 accesses", async () => {
    const { sim } = await simulator();
    expect((await refusal(sim.translate(DEVICE, Array(4097).fill({})))).metadata.limit).toBe("accesses_per_call_max");
  });
});

describe("ReadMemory and WriteMemory", () => {
  test("carry the bytes and the IPA in full", async () => {
    const { server, sim } = await simulator();
    expect(await sim.readMemory(SPACE, 2n ** 63n + 1n, 2)).toEqual(Buffer.of(0xab, 0xab));
    expect(server.core.argsOf("simulator.readMemory")).toEqual([ADDRESS_SPACE_ID, 2n ** 63n + 1n, 2]);
    await sim.writeMemory(SPACE, 2n ** 63n + 1n, Uint8Array.of(1, 2));
    expect(server.core.argsOf("simulator.writeMemory")).toEqual([ADDRESS_SPACE_ID, 2n ** 63n + 1n, Buffer.of(1, 2)]);
  });

  test("refuse more than 1 MiB, and a malformed address space", async () => {
    const { sim } = await simulator();
    const over = 2 ** 20 + 1;
    for (const call of [sim.readMemory(SPACE, 0n, over), sim.writeMemory(SPACE, 0n, new Uint8Array(over))]) {
      expect((await refusal(call)).metadata.limit).toBe("data_bytes_per_call_max");
    }
    for (const call of [sim.readMemory("x", 0n, 1), sim.writeMemory("x", 0n, new Uint8Array(1))]) {
      expect(await faultsOf(call)).toEqual(invalid("address_space"));
    }
  });
});

describe("ReadStructures", () => {
  test("shows doublewords and registers exactly", async () => {
    const { server, sim } = await simulator();
    expect(await sim.readStructures({ device: DEVICE, streamIndex: 1, substreamId: 5 })).toEqual({
      streamId: 0xffff_ffff,
      ste: [2n ** 64n - 1n, 0n, 0n, 0n, 0n, 0n, 0n, 2n ** 53n + 1n],
      cd: [],
      registers: [{ name: "STRTAB_BASE", offset: 0x80, value: 2n ** 62n + 1n }],
      windows: [{ path: "/ram", pa: 2n ** 40n, bytes: 4096n }],
    });
    expect(server.core.argsOf("simulator.structures")).toEqual([NVME, 1, 5]);
  });

  test("names every malformed field", async () => {
    const { sim } = await simulator();
    const call = sim.readStructures({ device: "", streamIndex: 8, substreamId: 2 ** 20 });
    expect(await faultsOf(call)).toEqual(invalid("device", "stream_index", "substream_id"));
  });
});

describe("ListMsis", () => {
  test("shows data of 32 bits and addresses exactly", async () => {
    const { server, sim } = await simulator();
    expect(await sim.listMsis(DEVICE)).toEqual({
      total: 2n ** 53n - 1n,
      msis: [{ sequence: 2n ** 53n - 1n, streamId: 0xffff_ffff, data: 0xffff_fffe, ipa: 0x0801_0040n }],
      doorbell: { ipa: 0x0800_0000n, pa: 2n ** 52n - 2n ** 20n, bytes: 2n ** 20n },
    });
    expect(server.core.argsOf("simulator.msis")).toEqual([NVME]);
  });

  test("refuses a malformed device", async () => {
    const { sim } = await simulator();
    expect(await faultsOf(sim.listMsis("nvme"))).toEqual(invalid("device"));
  });
});

test("is not there when core cannot simulate", async () => {
  await using server = await RpcServer.start({}, (core) => {
    core.simulator = undefined;
  });
  const { simulator: sim } = await server.session();
  expect((await refusal(sim.removeDevice(DEVICE))).codeName).toBe("UNIMPLEMENTED");
});

test("is only for sessions", async () => {
  const server = await serve();
  const session = await server.session();
  server.core.expire(session.token);
  expect((await refusal(session.simulator.removeDevice(DEVICE))).reason).toBe("LEASE_EXPIRED");
});
