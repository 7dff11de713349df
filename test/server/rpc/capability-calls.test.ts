import * as grpc from "@grpc/grpc-js";
import { describe, expect, onTestFinished, test } from "vitest";
import { deviceID } from "../../../src/backends/ids.ts";
import { Channel } from "../../../src/client/channel.ts";
import {
  BackendKind,
  FaultClass,
  FaultStage,
  FindingVerdict,
  IommuArchitecture,
  ReservedRegionKind,
  StageState,
  TableShape,
} from "../../../src/client/client.ts";
import { BROKER } from "../../../src/server/rpc/services.ts";
import { DEVICE, REGISTERS } from "../../support/fake-core.ts";
import { rawCall } from "../../support/raw-call.ts";
import { faultsOf, invalid, RpcServer, refusal, serve } from "../../support/rpc-server.ts";

describe("GetCapabilities", () => {
  test("answers for an IOMMU with every fact, and the limits of this server, without a session", async () => {
    const server = await serve();
    const { backend, iommus, device, limits } = await server.client().getCapabilities({ iommu: "iommus/smmu0" });
    expect(server.core.asked.at(-1)?.args.slice(1)).toEqual(["smmu0", undefined]);
    expect(backend).toBe(BackendKind.BACKEND_KIND_SIMULATED);
    expect(device).toBeUndefined();
    expect(iommus).toEqual([
      {
        name: "iommus/smmu0",
        registers: REGISTERS,
        fields: [{ register: "IDR0", field: "S1P", msb: 1, lsb: 1, value: 1, meaning: "stage 1 supported" }],
        virtualRegisters: { ...REGISTERS, idr0: 2 },
        reduced: [{ register: "IDR0", field: "HTTU", hostValue: 2, virtualValue: 0, reason: "no hardware update" }],
        asidBits: 16,
        substreamIdBits: 20,
        streamIdBits: 32,
        iovaBits: 48,
        ipaBits: 44,
        outputBits: 48,
        granuleBytes: [4096, 65536],
        stage2PageBytes: [4096n, 2n ** 21n, 2n ** 30n],
        nesting: true,
        nestingReason: "",
        tableShapes: [
          { shape: TableShape.TABLE_SHAPE_SMMUV3_STE, supported: true, reason: "", unverified: "" },
          {
            shape: TableShape.TABLE_SHAPE_SINGLE_PAGE_TABLE,
            supported: false,
            reason: "an SMMUv3 needs context descriptors",
            unverified: "",
          },
        ],
        faultActions: [1, 2, 3, 4, 5, 6], // in the order of the enum
        toldFaults: [
          { type: "C_BAD_CD", stage: FaultStage.FAULT_STAGE_UNSPECIFIED, class: FaultClass.FAULT_CLASS_UNSPECIFIED },
          { type: "F_TRANSLATION", stage: FaultStage.FAULT_STAGE_2, class: FaultClass.FAULT_CLASS_TTD },
        ],
        wish: [],
        wishFits: false,
        architecture: IommuArchitecture.IOMMU_ARCHITECTURE_ARM_SMMUV3,
        unknownReason: "",
        rawRegisters: [],
      },
    ]);
    expect(limits).toEqual({
      sessions: 4,
      addressSpacesPerSession: 5,
      virtualIommusPerSession: 6,
      devicesPerSession: 7,
      mappingsPerAddressSpace: 8,
      mappingsPerCall: 16,
      commandsPerCall: 9,
      bindsPerCall: 10,
      faultStreamsPerSession: 11,
      invalidationBatchesOutstanding: 4,
      invalidationStreamsPerSession: 2,
      faultRingEvents: 12,
      messageBytes: 4194304,
      sourcesPerCall: 3,
      leaseTtlMinMs: 1000,
      leaseTtlMaxMs: 60_000,
      sessionGraceMaxMs: 60_000,
      leaseTtlDefaultMs: 3000,
      simulatorAccessesPerCall: 4096,
      simulatorBytesPerCall: 1_048_576,
      faultEventsPerSecond: 0,
      faultResponseMs: 10_000,
      faultDiagnosesPerSecond: 100,
      faultBatchEvents: 13,
    });
  });

  test("tells what was found when the host was examined", async () => {
    const finding = {
      check: "group_viable",
      subject: "group 7",
      what: "a is driven by b",
      why: "shared",
      remedy: "c",
    } as const;
    const server = await RpcServer.start({}, (core) => {
      core.findings = [
        { ...finding, verdict: "ok" },
        { ...finding, verdict: "warning" },
        { ...finding, verdict: "problem" },
      ];
    });
    const { findings } = await server.client().getCapabilities({});
    expect(findings).toEqual([
      { ...finding, verdict: FindingVerdict.FINDING_VERDICT_OK },
      { ...finding, verdict: FindingVerdict.FINDING_VERDICT_WARNING },
      { ...finding, verdict: FindingVerdict.FINDING_VERDICT_PROBLEM },
    ]);
  });

  test("has no limits of the Simulator service where there is none", async () => {
    const server = await RpcServer.start({}, (core) => {
      core.simulator = undefined;
    });
    onTestFinished(() => server[Symbol.asyncDispose]());
    const { limits } = await server.client().getCapabilities();
    expect(limits).toMatchObject({ simulatorAccessesPerCall: 0, simulatorBytesPerCall: 0 });
  });

  test("answers for a device with its IOMMU when only the device is named", async () => {
    const server = await serve();
    const { device } = await server.client().getCapabilities({ device: "devices/0000:01:00.0" });
    expect(server.core.asked.at(-1)?.args.slice(1)).toEqual(["smmu0", undefined]);
    const msi = { ipa: 0x800_0000n, bytes: 2n ** 20n, kind: ReservedRegionKind.RESERVED_REGION_KIND_MSI };
    expect(device).toEqual({
      name: "devices/0000:01:00.0",
      iommu: "iommus/smmu0",
      streamIds: [0x100],
      pasidBits: 16,
      ats: true,
      apertureFirst: 0n,
      apertureLast: 2n ** 48n - 1n,
      reservedRegions: [msi],
      msiWindow: msi,
      translate: true,
      translateReason: "",
      stall: true,
      pageRequests: true,
    });
  });

  test("asks for all IOMMUs when none is named, and passes a wish on bit for bit", async () => {
    const server = await serve();
    const wish = { ...REGISTERS, idr5: 0xffff_ffff };
    const { iommus } = await server.client().getCapabilities({ wish });
    expect(server.core.asked.at(-1)?.args.slice(1)).toEqual([undefined, wish]);
    expect(iommus[0]?.wishFits).toBe(false);
    expect(iommus[0]?.wish).toEqual([
      { register: "IDR1", field: "SSIDSIZE", hostValue: 16, wishedValue: 20, ok: false, reason: "too wide" },
    ]);
  });

  test("names both malformed names at once", async () => {
    const server = await serve();
    const bad = { iommu: "smmu0", device: "devices/" };
    expect(await faultsOf(server.client().getCapabilities(bad))).toEqual(invalid("iommu", "device"));
  });
});

describe("GetDevice", () => {
  test("shows its owner what is installed and whose it is", async () => {
    const server = await serve();
    const owner = await server.session(); // the fake core's first session is the owner of its devices
    expect(await owner.getDevice("devices/0000:01:00.0")).toEqual({
      name: "devices/0000:01:00.0",
      iommu: "iommus/smmu0",
      iommuGroup: 7,
      groupDevices: ["devices/0000:01:00.0"],
      streamIds: [0x100, 0xffff_ffff],
      state: StageState.STAGE_STATE_GUEST_NESTED,
      generation: 9n,
      attached: true,
      ownerDisplayName: "vm 1",
      owner: "sessions/00000000-0000-4000-8000-000000000001",
      virtualIommu: "virtualIommus/66666666-7777-4888-9999-aaaaaaaaaaaa",
      virtualStreamId: 8,
      installedVste: [0x1000_000bn, 2n],
      stageAuthoritative: true,
      waiters: 2,
    });
  });

  test("shows nobody else what the guest has installed, only that it has", async () => {
    const server = await serve();
    await server.session("owner");
    const other = await server.session("other");
    for (const asker of [server.client(), other]) {
      const device = await asker.getDevice("devices/0000:01:00.0");
      expect(device).toMatchObject({ ownerDisplayName: "vm 1", state: StageState.STAGE_STATE_GUEST_NESTED });
      expect(device.installedVste).toEqual([]);
      expect(device).not.toHaveProperty("virtualStreamId");
    }
  });

  test.each(["GetDevice", "ListDevices"])("%s with a token that is none is UNAUTHENTICATED", async (method) => {
    const server = await serve();
    const error = await rawCall(server, `/iommubroker.v1.IommuBroker/${method}`, new Uint8Array(), {
      "iommubroker-session-token": "never",
    });
    expect(error?.code).toBe(grpc.status.UNAUTHENTICATED);
  });

  test.each([
    ["default-domain", StageState.STAGE_STATE_DEFAULT_DOMAIN],
    ["nest-parent", StageState.STAGE_STATE_NEST_PARENT],
    ["guest-abort", StageState.STAGE_STATE_GUEST_ABORT],
  ] as const)("shows %s as its stage state", async (state, expected) => {
    const server = await serve();
    server.core.devices.get = () => ({ ...DEVICE, state });
    expect((await server.client().getDevice("devices/0000:01:00.0")).state).toBe(expected);
  });

  test("of a device that is not there is DEVICE_UNKNOWN with its name", async () => {
    const server = await serve();
    const error = await refusal(server.client().getDevice("devices/none"));
    expect([error.codeName, error.reason, error.metadata.device]).toEqual(["NOT_FOUND", "DEVICE_UNKNOWN", "none"]);
  });

  test.each([
    ["", "empty"],
    ["devices", "no slash"],
    ["devices/", "no id"],
    ["Devices/a", "a capital"],
    ["iommus/a", "another kind"],
    ["devices/a/b", "a second slash"],
    ["devices/ a", "a blank"],
    ["devices/.a", "a leading dot"],
    ["devices/a\n", "a line break"],
    ["devices/\u00e9", "a letter outside ASCII"],
    [`devices/${"x".repeat(64)}`, "64 characters"],
  ])("refuses the name %j (%s)", async (name) => {
    const server = await serve();
    expect(await faultsOf(server.client().getDevice(name))).toEqual(invalid("device"));
  });
});

describe("ListDevices", () => {
  test("gives every device once, in order, however small the page", async () => {
    const server = await serve();
    const ids = Array.from({ length: 7 }, (_, index) => deviceID(`d${index}`));
    server.core.devices.list = () => ids.map((id) => ({ ...DEVICE, id })).reverse();
    for (const pageSize of [1, 2, 3, 7, 100]) {
      const names = (await server.client().listDevices({ pageSize })).map(({ name }) => name);
      expect(names, `pages of ${pageSize}`).toEqual(ids.map((id) => `devices/${id}`));
    }
  });

  test("goes on where it was when devices come and go between pages", async () => {
    const server = await serve();
    const list = (...ids: string[]) => ids.map((id) => ({ ...DEVICE, id: deviceID(id) }));
    const pages = [list("a", "c", "e"), list("b", "d", "e")];
    server.core.devices.list = () => pages.shift() ?? list("b", "d", "e");
    const names = (await server.client().listDevices({ pageSize: 2 })).map(({ name }) => name);
    expect(names).toEqual(["devices/a", "devices/c", "devices/d", "devices/e"]);
  });

  test("shows what is installed only to the owner whose token it carries", async () => {
    const server = await serve();
    const { token } = await server.session();
    const channel = new Channel(server.target, {});
    onTestFinished(() => channel.close());
    const [owned, open] = await Promise.all(
      [token, undefined].map((each) => channel.unary(BROKER.listDevices, {}, each)),
    );
    expect(owned?.devices[0]).toMatchObject({ virtualStreamId: 8, installedVste: [0x1000_000bn, 2n] });
    expect(open?.devices[0]?.installedVste).toEqual([]);
    expect(open?.devices[0]).not.toHaveProperty("virtualStreamId");
  });

  test("leaves out what a device without an owner does not have", async () => {
    const server = await serve();
    const nic = (await server.client().listDevices())[1];
    expect(nic).toMatchObject({ name: "devices/0000:02:00.0", owner: "", ownerDisplayName: "", virtualIommu: "" });
    expect(nic?.installedVste).toEqual([]);
  });
});
