// The capability answer as people read it, of both backends, as it comes over gRPC.

import { describe, expect, test } from "vitest";
import type { HostIommu } from "../../src/backends/inventory.ts";
import { capabilitiesText } from "../../src/cli/capabilities-text.ts";
import { capabilitiesJson } from "../../src/cli/json-output.ts";
import { type Capabilities, FaultClass, FaultStage } from "../../src/client/client.ts";
import { iommuCapability } from "../../src/server/core/iommu-capability.ts";
import { fakeSmmu } from "../support/fake-iommufd-machine.ts";
import { nativeWorld, type WorldOptions } from "../support/native-world.ts";
import { RpcServer } from "../support/rpc-server.ts";
import { smallHost } from "../support/simulated-host.ts";

async function answerFor(host: HostIommu): Promise<Capabilities> {
  await using server = await RpcServer.start({}, (core) => {
    core.capabilities = { ...core.capabilities, iommus: () => [iommuCapability(host, undefined)] };
  });
  return await server.client().getCapabilities({});
}

async function native(options: WorldOptions = {}): Promise<Capabilities> {
  const world = await nativeWorld(options);
  return await answerFor(world.backend.inventory.iommus()[0]!);
}

function toldLine(answer: Capabilities): string | undefined {
  const text = capabilitiesText(answer, false, { columns: 1000, hasColour: false });
  return text.split("\n").find((line) => line.includes("faults that are told"));
}

const CONFIGURATION = "C_BAD_STE, F_STREAM_DISABLED, C_BAD_SUBSTREAMID";
const ACCESS = "F_TRANSLATION, F_ADDR_SIZE, F_ACCESS, F_PERMISSION";

describe("which faults are told", () => {
  test("natively what Linux forwards, and none of stage 2", async () => {
    const answer = await native();
    expect(toldLine(answer)?.trim()).toMatch(/^faults that are told +\S/);
    expect(toldLine(answer)).toContain(` ${CONFIGURATION}, C_BAD_CD; of stage 1 ${ACCESS}; of stage 2 none`);
    expect(answer.iommus[0]?.toldFaults).toHaveLength(8);
    expect(answer.iommus[0]?.toldFaults.at(-1)).toEqual({
      type: "F_PERMISSION",
      stage: FaultStage.FAULT_STAGE_1,
      class: FaultClass.FAULT_CLASS_IN,
    });
  });

  test.each([
    ["VT-d", { iommu: fakeSmmu({ kind: "vtd", hwInfo: new Uint8Array(24), nesting: false }) }],
    ["a kernel without queues of events", { machine: { unknown: ["veventq_alloc"] } }],
  ] as const)("natively none with %s", async (_, options) => {
    const answer = await native(options);
    expect(answer.iommus[0]?.toldFaults).toEqual([]);
    expect(toldLine(answer)).toContain("none: the kernel keeps them to itself");
  });

  test("simulated those of stage 2 too, by what was accessed", async () => {
    const answer = await answerFor(smallHost().inventory.iommus()[0]!);
    expect(toldLine(answer)).toContain(`${CONFIGURATION}, F_CD_FETCH, C_BAD_CD`);
    expect(toldLine(answer)).toContain(`of stage 1 F_WALK_EABT, ${ACCESS}; of stage 2 ${ACCESS}`);
    expect(answer.iommus[0]?.toldFaults.filter(({ stage }) => stage === FaultStage.FAULT_STAGE_2)).toHaveLength(12);
  });

  test("in JSON by the names of the contract", async () => {
    expect(capabilitiesJson(await native())).toMatchObject({
      iommus: [
        {
          toldFaults: expect.arrayContaining([
            { type: "C_BAD_CD", stage: "FAULT_STAGE_UNSPECIFIED", class: "FAULT_CLASS_UNSPECIFIED" },
            { type: "F_ACCESS", stage: "FAULT_STAGE_1", class: "FAULT_CLASS_IN" },
          ]),
        },
      ],
    });
  });
});
