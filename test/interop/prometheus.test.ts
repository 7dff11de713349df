// A real Prometheus scrapes a broker under load. What it answers is compared with what the load generator did; every
// recording rule, every alert and every expression of the dashboards is evaluated, and those that show something have data.
// Where Debian's package prometheus is absent this is skipped; IOMMU_BROKER_REQUIRE_INTEROP=1 makes that a failure.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setInterval as ticks } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, type TestContext, test, vi } from "vitest";
import { parse } from "yaml";
import { type BrokerProcess, startBroker } from "../../examples/support/broker-process.ts";
import { type BrokerClient, type BrokerSession, connect } from "../../src/client/client.ts";
import { dashboardExpressions, dashboardVariables } from "../support/dashboards.ts";
import { BROKEN, bindBroken, EACH_STEP, loadStep, PLAIN, startLoadedGuest } from "../support/loaded-guest.ts";
import { freePort, hasPrometheus, Prometheus } from "../support/prometheus.ts";

const RULES = join(import.meta.dirname, "../../deploy/prometheus");
const STEP_MS = 200;
const STEPS = 75;
const WINDOW_S = 10;
/** Counters are seen at scrapes, half a second apart or, on a busy machine, more; 15 % is 1.5 s of the window. */
const TOLERANCE = 0.15;

let broker: BrokerProcess;
let client: BrokerClient;
let prometheus: Prometheus | undefined;
/** What had been asked of the devices when, in seconds since 1970. */
const done: { readonly at: number; readonly steps: number }[] = [];

beforeAll(async () => {
  if (!hasPrometheus()) return;
  const port = await freePort();
  broker = await startBroker({ metrics: { tcp: `127.0.0.1:${port}` } });
  client = connect(broker.target);
  prometheus = await Prometheus.start({
    global: { scrape_interval: "500ms", evaluation_interval: "1s" },
    rule_files: [join(RULES, "recording.yaml"), join(RULES, "alerts.yaml")],
    scrape_configs: [{ job_name: "iommu-broker", static_configs: [{ targets: [`127.0.0.1:${port}`] }] }],
  });
  const session = await startLoadedGuest(broker, client, "load");
  const isSeen = async () => (await prometheus?.query(`iommu_translations_total{device="${BROKEN}"}`))?.length === 3;
  await vi.waitUntil(isSeen, { timeout: 20_000 });
  await load(session);
}, 120_000);

afterAll(async () => {
  if (!hasPrometheus()) return;
  await prometheus?.stop();
  client.close();
  expect(await broker.stop()).toBe(0);
});

beforeEach((context: TestContext) => {
  if (prometheus !== undefined) return;
  expect(process.env.IOMMU_BROKER_REQUIRE_INTEROP, "install prometheus").not.toBe("1");
  context.skip("needs Debian's prometheus");
});

/** The same accesses in every step; a bind, so that commands and the journal move; a call that is refused. */
async function load(session: BrokerSession): Promise<void> {
  done.push({ at: Date.now() / 1000, steps: 0 });
  for await (const _ of ticks(STEP_MS)) {
    await loadStep(session);
    done.push({ at: Date.now() / 1000, steps: done.length });
    if (done.length > STEPS) return;
    await session.unbindGuestStage({ device: `devices/${BROKEN}` });
    await bindBroken(session);
    await expect(client.getDevice("devices/none")).rejects.toThrow();
  }
}

/** Steps in a second over the window that ends then, by what the load generator noted. */
function stepRate(end: number): number {
  const stepsAt = (at: number): number => done.findLast((each) => each.at <= at)?.steps ?? 0;
  return (stepsAt(end) - stepsAt(end - WINDOW_S)) / WINDOW_S;
}

function endOfLoad(): number {
  return done.at(-1)?.at ?? 0;
}

const WHAT: readonly (readonly [string, string, number])[] = [
  ["translations that succeed", `iommu_translations_total{device="${PLAIN}",outcome="ok"}`, EACH_STEP.ok],
  ["translations that fault", `iommu_translations_total{device="${PLAIN}",outcome="fault"}`, EACH_STEP.wild],
  [
    "faults in stage 2",
    `iommu_faults_total{device="${PLAIN}",event_type="F_TRANSLATION",stage="2",class="IN"}`,
    EACH_STEP.wild,
  ],
  ["bad CDs", `iommu_faults_total{device="${BROKEN}",event_type="C_BAD_CD",stage="none"}`, EACH_STEP.broken],
];

describe("what Prometheus answers", () => {
  test.for(WHAT)("%s: the total is what was asked, to one", async ([_, series, each]) => {
    const total = async () => (await prometheus!.query(series))[0]?.value;
    await expect.poll(total).toBe(each * STEPS);
  });

  test.for(WHAT)("%s: the rate is that of the load generator", async ([what, series, each], { annotate }) => {
    const at = endOfLoad();
    const [found] = await prometheus!.query(`rate(${series}[${WINDOW_S}s])`, at);
    const expected = each * stepRate(at);
    await annotate(
      `${what}: ${expected.toFixed(2)}/s by the load generator, ${found?.value.toFixed(2)}/s by Prometheus`,
    );
    expect(expected).toBeGreaterThan(0);
    expect(Math.abs((found?.value ?? 0) / expected - 1)).toBeLessThan(TOLERANCE);
  });

  test("the scrape is OpenMetrics: a counter's family has no _total", async () => {
    const { data }: { data: Record<string, { type: string }[]> } = await prometheus!.get("/api/v1/metadata");
    expect(data.iommu_translations?.[0]?.type).toBe("counter");
    expect(data.iommu_stage_state?.[0]?.type).toBe("gauge");
  });
});

interface RuleState {
  readonly name: string;
  readonly health: string;
  readonly lastError?: string;
}

test("every rule is evaluated without an error", async () => {
  const rules = async (): Promise<readonly RuleState[]> => {
    const { data }: { data: { groups: { rules: RuleState[] }[] } } = await prometheus!.get("/api/v1/rules");
    return data.groups.flatMap((group) => group.rules);
  };
  await expect.poll(async () => (await rules()).filter(({ health }) => health === "unknown")).toEqual([]);
  expect((await rules()).filter(({ health }) => health !== "ok")).toEqual([]);
  expect((await rules()).length).toBeGreaterThan(20);
});

const recording: { readonly groups: readonly { readonly rules: readonly { readonly record: string }[] }[] } = parse(
  readFileSync(join(RULES, "recording.yaml"), "utf8"),
);

test.for(recording.groups.flatMap(({ rules }) => rules.map(({ record }) => record)))(
  "the recording rule %s has data",
  async (record) => {
    const values = (await prometheus!.query(record, endOfLoad())).map(({ value }) => value);
    expect(values).not.toEqual([]);
    expect(values.filter((value) => !Number.isFinite(value))).toEqual([]);
  },
);

test.for(dashboardExpressions(`${WINDOW_S}s`))("%s has data", async ([_, expression]) => {
  const values = (await prometheus!.query(expression, endOfLoad())).map(({ value }) => value);
  expect(values, expression).not.toEqual([]);
  expect(values.filter((value) => !Number.isFinite(value))).toEqual([]);
});

test.for(dashboardVariables())("%s has values", async ([_, { label, selector }]) => {
  const at = endOfLoad();
  const range = { start: String(at - WINDOW_S), end: String(at) };
  const query = new URLSearchParams({ "match[]": selector, ...range });
  const { data }: { data: string[] } = await prometheus!.get(`/api/v1/label/${label}/values?${query}`);
  expect(data, selector).not.toEqual([]);
  if (label === "device") expect(data).toEqual(expect.arrayContaining([PLAIN, BROKEN]));
});
