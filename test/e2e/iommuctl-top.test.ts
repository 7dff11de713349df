// iommuctl top against a real daemon under load: figures, and a terminal that is taken and given back.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { type BrokerProcess, startBroker } from "../../examples/support/broker-process.ts";
import { AccessKind, type BrokerClient, type BrokerSession, connect } from "../../src/client/client.ts";
import { mapping, sparseFile } from "../support/e2e-world.ts";
import { IOMMUCTL, iommuctl, iommuctlHere, soberEnvironment } from "../support/iommuctl-process.ts";
import { onTerminal } from "../support/terminal-run.ts";

const DEVICE = "devices/0000:01:00.0";
const ENTER = "\u001b[?1049h";
const LEAVE = "\u001b[?1049l";
const SHOW_CURSOR = "\u001b[?25h";

let broker: BrokerProcess;
let client: BrokerClient;
let session: BrokerSession;
let environment: Record<string, string>;

beforeAll(async () => {
  broker = await startBroker();
  client = connect(broker.target);
  session = await client.openSession({ displayName: "vm 1" });
  const { name: addressSpace } = await session.createAddressSpace();
  const path = sparseFile(broker, "ram", 8 * 2 ** 20);
  await session.mapMemory({ addressSpace, sources: [{ path }], mappings: [mapping()] });
  const { name: virtualIommu } = await session.createVirtualIommu({ addressSpace, iommus: ["iommus/smmu0"] });
  await session.attachDevice({ device: DEVICE, virtualIommu, initialMode: 2 }); // STAGE1_MODE_BYPASS: IPAs
  environment = {
    IOMMUBROKER_SOCKET: broker.socket,
    IOMMUBROKER_METRICS: `unix:${join(broker.directory, "run", "metrics.sock")}`,
  };
});

afterAll(async () => {
  client.close();
  expect(await broker.stop()).toBe(0);
});

/** Four reads that translate and one that faults, again and again while something goes on. Gives how many there were. */
async function loadDuring<T>(what: Promise<T>): Promise<{ result: T; rounds: number }> {
  let isOver = false;
  const over = what.finally(() => {
    isOver = true;
  });
  const access = (iova: bigint) => ({ iova, access: AccessKind.ACCESS_KIND_READ });
  const reads = [0n, 8n, 16n, 24n].map((offset) => access(0x4000_0000n + offset));
  let rounds = 0;
  while (!isOver) {
    await session.simulator.translate(DEVICE, [...reads, access(0x9000_0000n)]);
    rounds += 1;
  }
  return { result: await over, rounds };
}

function jsonLines(
  out: string,
): { counted: boolean; iommus: Record<string, number>[]; devices: Record<string, unknown>[] }[] {
  return out
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

test("JSON has a line for each round, with the rates of what was done meanwhile", async () => {
  const argv = ["top", "--json", "--count", "3", "--interval", "400ms"];
  const { result, rounds } = await loadDuring(iommuctl(argv, environment));
  expect([result.code, result.err]).toEqual([0, ""]);
  const lines = jsonLines(result.out);
  expect(lines).toHaveLength(3);
  let counted = 0;
  for (const { devices, iommus } of lines) {
    const [busiest] = devices;
    expect(busiest).toMatchObject({
      device: { name: DEVICE, ownerDisplayName: "vm 1", state: "STAGE_STATE_NEST_PARENT" },
    });
    const translations = Number(busiest?.translationsPerSecond);
    const faults = Number(busiest?.faultsPerSecond);
    counted += translations * 0.4;
    expect(translations).toBeGreaterThan(0);
    expect(faults / translations).toBeCloseTo(1 / 5, 1); // one access of each five faults
    const [smmu0] = iommus;
    expect(smmu0).toMatchObject({ iommu: "smmu0" });
    expect(smmu0?.transactionsPerSecond).toBeGreaterThan(0);
    expect(smmu0?.tlbHitRatio).toBeGreaterThan(0);
    expect(smmu0?.tlbHitRatio).toBeLessThan(1); // the one that faults is never a hit
  }
  expect(counted).toBeLessThanOrEqual(5 * rounds); // an interval is 400 ms or a little more
});

test("without a terminal it prints one round, as columns", async () => {
  const { code, err, out } = await iommuctl(["top", "--interval", "100ms"], environment);
  expect([code, err]).toEqual([0, ""]);
  expect(out).toMatch(/^IOMMU +TRANS\/S +TLB HITS\nsmmu0 /);
  expect(out).toMatch(/^0000:01:00\.0 +nest-parent +vm 1 +0 +0$/m);
  expect(out).not.toContain("\u001b");
});

const TOP = [process.execPath, IOMMUCTL, "top", "--interval", "100ms"];

test.each([
  ["q", "q"],
  ["Ctrl-C", "\u0003"],
  ["SIGTERM", "SIGTERM"],
])("on a terminal it draws until %s, and gives the terminal back", async (_what, keys) => {
  const { code, isSane, output } = await onTerminal(TOP, [["FAULTS/S", keys]], { env: soberEnvironment(environment) });
  expect({ code, isSane }).toEqual({ code: 0, isSane: true });
  expect(output.startsWith(ENTER)).toBe(true);
  expect(output.endsWith(`${SHOW_CURSOR}${LEAVE}`)).toBe(true);
  expect(output).toMatch(/0000:01:00\.0 +nest-parent +vm 1 /);
});

test("a window that becomes small is drawn anew, without state and owner, and without colours where NO_COLOR is set", async () => {
  const env = soberEnvironment({ ...environment, NO_COLOR: "1" });
  const script = [
    ["FAULTS/S", "resize 10 44"],
    [" more", "q"],
  ] as const;
  const { code, isSane, output } = await onTerminal(TOP, script, { env });
  expect({ code, isSane }).toEqual({ code: 0, isSane: true });
  const last = output.slice(output.lastIndexOf("\u001b[H"), output.lastIndexOf(SHOW_CURSOR));
  const lines = last.split("\r\n");
  expect(lines.length).toBeLessThanOrEqual(10);
  expect(last).not.toContain("OWNER");
  expect(output).not.toContain("\u001b[1m");
});

test("a broker that goes away while it draws is waited for, and said to be away", async () => {
  const doomed = await startBroker();
  const env = soberEnvironment({
    IOMMUBROKER_SOCKET: doomed.socket,
    IOMMUBROKER_METRICS: `unix:${join(doomed.directory, "run", "metrics.sock")}`,
  });
  const running = onTerminal(TOP, [["no answer from the broker since", "q"]], { env });
  const asked = /^grpc_server_handled_total\{.*grpc_method="ListDevices",grpc_code="OK"\} (\d+)$/m;
  await expect
    .poll(async () => Number(asked.exec(await doomed.metrics())?.[1] ?? 0), { timeout: 20_000 })
    .toBeGreaterThan(1);
  await doomed.stop();
  const { code, isSane, output } = await running;
  expect({ code, isSane }).toEqual({ code: 0, isSane: true });
  expect(output.endsWith(`${SHOW_CURSOR}${LEAVE}`)).toBe(true);
}, 60_000);

test("a host that does not count says so instead of zero", async () => {
  const server = createServer((_request, response) => {
    response.end("iommu_translation_counters_available 0\n");
  }).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await new Promise((listening) => server.once("listening", listening));
  const { port } = server.address() as AddressInfo;
  const argv = ["top", "--metrics", `http://127.0.0.1:${port}/metrics`, "--interval", "100ms"];
  const { code, out } = await iommuctlHere(argv, environment);
  expect(code).toBe(0);
  expect(out).toContain("counts no translations");
  expect(out).toMatch(/^0000:01:00\.0 .* - +0$/m);
});

test.each([
  ["nobody at the port", "http://127.0.0.1:1/metrics", 4, /no metrics: .*ECONNREFUSED[\s\S]*--metrics names another/],
  ["no socket", "unix:/nonexistent/metrics.sock", 4, /at \/nonexistent\/metrics\.sock: no metrics: .*ENOENT/],
  ["no place at all", "ftp://x", 64, /neither http:\/\/HOST:PORT\/metrics nor unix:PATH/],
])("%s is told with what to do", async (_what, metrics, code, message) => {
  const run = await iommuctlHere(["top", "--metrics", metrics], environment);
  expect([run.code, run.out]).toEqual([code, ""]);
  expect(run.err).toMatch(message);
});
