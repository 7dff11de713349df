import { expect, test } from "vitest";
import { BrokerError } from "../../../src/backends/errors.ts";
import { NVME } from "../../support/fake-core.ts";
import { faultsOf, invalid, refusal, serve } from "../../support/rpc-server.ts";

const DEVICE = "devices/0000:01:00.0";
/** What the fake core gives. */
const TICKET = { ticket: "0123456789abcdef0123456789abcdef", expiresMs: 10_000 };

test.each([
  ["getDeviceDescriptor", "stages.getDescriptor", {}],
  ["vend", "stages.vend", { node: "unbound" }],
] as const)(
  "%s names the device and its generation, and answers a ticket with the device",
  async (call, verb, also) => {
    const server = await serve();
    const session = await server.session();
    const answer = await session[call]({ device: DEVICE, expectedGeneration: 9n });
    expect([answer.ticket, answer.device.name]).toEqual([TICKET, DEVICE]);
    expect(server.core.argsOf(verb)).toEqual([{ device: NVME, expectedGeneration: 9n, ...also }]);
    expect(await faultsOf(session[call]({}))).toEqual(invalid("device"));
  },
);

test("a device that is vended bound comes with its number on the iommufd", async () => {
  const server = await serve();
  expect((await (await server.session()).vend({ device: DEVICE, bound: true })).iommufdDevice).toBe(1);
  expect(server.core.argsOf("stages.vend")).toMatchObject([{ node: "bound" }]);
});

test.each([
  ["device_releasing", "DEVICE_RELEASING"],
  ["vended", "VENDED"],
] as const)("%s is FAILED_PRECONDITION with its own reason", async (code, reason) => {
  const server = await serve();
  server.core.stages.vend = async () => {
    throw new BrokerError(code, "no", { device: NVME });
  };
  const error = await refusal((await server.session()).vend({ device: DEVICE }));
  expect([error.codeName, error.reason, error.metadata]).toEqual(["FAILED_PRECONDITION", reason, { device: NVME }]);
});
