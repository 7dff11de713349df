// examples/ask-capabilities.ts: a client that loads the schema at run time gets exact 64-bit values.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type BrokerProcess, startBroker } from "../../examples/support/broker-process.ts";

const run = promisify(execFile);
const SCRIPT = "examples/ask-capabilities.ts";

let broker: BrokerProcess;
beforeAll(async () => {
  broker = await startBroker();
});
afterAll(async () => {
  expect(await broker.stop()).toBe(0);
});

test("a client without generated code asks for capabilities", async () => {
  const { stdout } = await run(process.execPath, [SCRIPT, broker.target, "devices/0000:01:00.0"]);
  const answer: unknown = JSON.parse(stdout);
  expect(answer).toMatchObject({
    backend: "BACKEND_KIND_SIMULATED",
    iommus: [{ name: "iommus/smmu0", nesting: true }],
    // 2^48 - 1: beyond 32 bits, and not rounded through a double
    device: { pasidBits: 20, apertureLast: "281474976710655", msiWindow: { ipa: "134217728" } },
  });
});

test("it says what the broker refused", async () => {
  const refused = run(process.execPath, [SCRIPT, broker.target, "devices/none"]);
  await expect(refused).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining("NOT_FOUND") });
});
