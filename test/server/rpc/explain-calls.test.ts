import { expect, test } from "vitest";
import type { Explanation } from "../../../src/backends/explanation.ts";
import {
  AccessKind,
  type ExplainTranslation,
  FaultClass,
  FaultStage,
  TransactionOutcome,
} from "../../../src/client/client.ts";
import { EXPLANATION, NVME } from "../../support/fake-core.ts";
import { faultsOf, invalid, RpcServer, serve } from "../../support/rpc-server.ts";

const DEVICE = "devices/0000:01:00.0";

test("hands core the access as it was asked for, 64 bits of address included", async () => {
  const server = await serve();
  await (await server.session()).explainTranslation({
    device: DEVICE,
    iova: 0xffff_ffff_ffff_ffffn,
    substreamId: 0,
    access: AccessKind.ACCESS_KIND_EXECUTE,
    privileged: true,
    streamIndex: 7,
    includeHostAddresses: true,
  });
  expect(server.core.argsOf("explanations.explain")).toEqual([
    {
      device: NVME,
      iova: 0xffff_ffff_ffff_ffffn,
      substreamID: 0,
      access: "execute",
      privileged: true,
      streamIndex: 7,
      showsHost: true,
    },
  ]);
});

test("an access that says nothing more is an unprivileged read without SubstreamID, in the guest's terms", async () => {
  const server = await serve();
  await (await server.session()).explainTranslation({ device: DEVICE });
  expect(server.core.argsOf("explanations.explain")).toEqual([
    {
      ...{ device: NVME, iova: 0n, substreamID: undefined, access: "read" },
      ...{ privileged: false, streamIndex: 0, showsHost: false },
    },
  ]);
});

test("shows steps, end and writes with absent fields absent", async () => {
  const server = await serve();
  const answer = await (await server.session()).explainTranslation({ device: DEVICE });
  expect(answer).toMatchObject({ device: DEVICE, virtualStreamId: 0xffff_ffff });
  expect(answer.steps.map(({ ipa, pa }) => [ipa, pa])).toEqual([
    [2n ** 52n - 64n, undefined],
    [undefined, 2n ** 51n],
  ]);
  expect(answer.steps[0]).toMatchObject({
    structure: "CD",
    raw: [2n ** 64n - 1n, 0n],
    fields: [
      { name: "V", value: 1n },
      { name: "TTB0", value: 2n ** 63n },
    ],
    decision: "the CD is good",
    section: "§5.4",
  });
  expect(answer.end).toMatchObject({
    outcome: TransactionOutcome.TRANSACTION_OUTCOME_STALLED,
    recorded: true,
    fault: {
      type: "F_PERMISSION",
      typeNumber: 0x13,
      stage: FaultStage.FAULT_STAGE_2,
      class: FaultClass.FAULT_CLASS_TTD,
      inputAddress: 2n ** 64n - 1n,
      ipa: 2n ** 52n - 8n,
      read: false,
      instruction: false,
      privileged: true,
    },
  });
  expect(answer.end?.fault?.fetchAddress).toBeUndefined();
  expect(answer.writes).toEqual([{ ipa: 0n, value: 2n ** 64n - 2n }]);
});

const {
  TRANSACTION_OUTCOME_ABORT,
  TRANSACTION_OUTCOME_OK,
  TRANSACTION_OUTCOME_RAZ_WI,
  TRANSACTION_OUTCOME_UNSPECIFIED,
} = TransactionOutcome;
test.each<[string, Explanation["end"], object]>([
  [
    "a translation",
    { kind: "ok", bypass: true, ipa: 5n, pa: undefined, pageBytes: 2n ** 30n },
    { outcome: TRANSACTION_OUTCOME_OK, bypass: true, ipa: 5n, pageBytes: 2n ** 30n },
  ],
  [
    "a silent termination",
    { kind: "abort", fault: undefined, recorded: false },
    { outcome: TRANSACTION_OUTCOME_ABORT, recorded: false },
  ],
  [
    "zeroes and ignored writes",
    { kind: "raz-wi", fault: undefined, recorded: true },
    { outcome: TRANSACTION_OUTCOME_RAZ_WI, recorded: true },
  ],
  [
    "what the walk does not cover",
    { kind: "not-covered", reason: "VMSAv8-32 stage 1" },
    { outcome: TRANSACTION_OUTCOME_UNSPECIFIED, notCovered: "VMSAv8-32 stage 1" },
  ],
])("ends with %s", async (_what, end, expected) => {
  const server = await RpcServer.start({}, (core) => {
    core.explanations = {
      explain: () => ({ virtualStreamID: undefined, explanation: { ...EXPLANATION, end } }),
    };
  });
  await using _stopped = server;
  const answer = await (await server.session()).explainTranslation({ device: DEVICE });
  expect(answer.end).toMatchObject(expected);
  expect([answer.end?.fault, answer.end?.pa, answer.virtualStreamId]).toEqual([undefined, undefined, undefined]);
});

test.each<[string, ExplainTranslation, string[]]>([
  ["nothing named", {}, ["device"]],
  ["an IOMMU for a device", { device: "iommus/smmu0" }, ["device"]],
  ["a SubstreamID of 21 bits", { device: DEVICE, substreamId: 2 ** 20 }, ["substream_id"]],
  ["a ninth StreamID", { device: DEVICE, streamIndex: 8 }, ["stream_index"]],
  ["an access that is not known", { device: DEVICE, access: Number("4") }, ["access"]],
  [
    "all of it at once",
    { device: "x", substreamId: 2 ** 32 - 1, streamIndex: 9, access: Number("-1") },
    ["device", "stream_index", "substream_id", "access"],
  ],
])("refuses %s", async (_what, request, paths) => {
  const server = await serve();
  expect(await faultsOf((await server.session()).explainTranslation(request))).toEqual(invalid(...paths));
  expect(server.core.argsOf("explanations.explain")).toEqual([]);
});
