// The status page in a real Chromium, over a broker under load: what a reader sees, and what he is spared.
// Where Debian's package chromium is absent this is skipped; IOMMU_BROKER_REQUIRE_INTEROP=1 makes that a failure.
// IOMMU_BROKER_SCREENSHOTS names a directory for pictures to look at.

import { join } from "node:path";
import { setInterval as ticks } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, expect, type TestContext, test } from "vitest";
import { type BrokerProcess, startBroker } from "../../examples/support/broker-process.ts";
import { type BrokerClient, connect } from "../../src/client/client.ts";
import { Chromium, hasChromium } from "../support/chromium.ts";
import { BROKEN, EACH_STEP, loadStep, PLAIN, startLoadedGuest } from "../support/loaded-guest.ts";
import { freePort } from "../support/prometheus.ts";

const STEP_MS = 200;
/** As hostile as a client may call itself. */
const OWNER = `<img src=x onerror="document.title='owned'">`;
const DARK_GROUND = "rgb(18, 22, 27)";
const LIGHT_GROUND = "rgb(255, 255, 255)";

let broker: BrokerProcess;
let client: BrokerClient;
let browser: Chromium | undefined;
let page: string;
let loading: Promise<void>;
const over = new AbortController();

beforeAll(async () => {
  if (!hasChromium()) return;
  const tcp = `127.0.0.1:${await freePort()}`;
  broker = await startBroker({ metrics: { tcp, status_page: "full" } });
  client = connect(broker.target);
  const session = await startLoadedGuest(broker, client, OWNER);
  loading = (async () => {
    for await (const _ of ticks(STEP_MS, undefined, { signal: over.signal })) await loadStep(session);
  })().catch(() => {}); // ends with the test, or with the broker
  page = `http://${tcp}/status`;
  browser = await Chromium.start();
  await browser.show(1280, "light");
  await browser.open(page);
}, 120_000);

afterAll(async () => {
  if (!hasChromium()) return;
  over.abort();
  await loading;
  await browser?.stop();
  client.close();
  await broker.stop();
});

beforeEach((context: TestContext) => {
  if (browser !== undefined) return;
  expect(process.env.IOMMU_BROKER_REQUIRE_INTEROP, "install chromium").not.toBe("1");
  context.skip("needs Debian's chromium");
});

async function look(name: string): Promise<void> {
  const directory = process.env.IOMMU_BROKER_SCREENSHOTS;
  if (directory !== undefined) await browser!.screenshot(join(directory, `${name}.png`));
}

/** The words of a device's row, a cell each. */
function cells(device: string): Promise<string[] | null> {
  const row = `document.querySelector('#device-rows tr[data-key="${device}"]')`;
  return browser!.evaluate(`${row} && [...${row}.cells].map((cell) => cell.textContent)`);
}

function text(selector: string): Promise<string> {
  return browser!.evaluate(`document.querySelector(${JSON.stringify(selector)})?.textContent ?? ""`);
}

test("it has a row for each device, with its owner, its state and its generation", async () => {
  await expect.poll(() => browser!.evaluate("document.querySelectorAll('#device-rows tr').length")).toBe(8);
  expect(await cells(PLAIN)).toMatchObject({ 0: PLAIN, 1: "nest-parent", 2: OWNER, 7: "smmu0" });
  expect(await cells(BROKEN)).toMatchObject({ 1: "guest-nested" });
  expect(await cells("0001:01:00.0")).toEqual(["0001:01:00.0", "default-domain", "–", "–", "–", "–", "0", "smmu1"]);
});

test("what others call themselves is text, never markup", async () => {
  expect(await cells(PLAIN)).toContain(OWNER);
  expect(await browser!.evaluate("document.images.length")).toBe(0);
  expect(await browser!.evaluate("document.title")).toBe("iommu-broker status");
});

test("its rates come to be those of the load", async () => {
  const stepsPerSecond = 1000 / STEP_MS;
  const rate = async (column: number): Promise<number> => Number((await cells(PLAIN))?.[column]);
  const translations = (EACH_STEP.ok + EACH_STEP.wild) * stepsPerSecond;
  // A step takes its time besides, and a busy machine more of it: what is asked is the size, Prometheus' test has the rest.
  await expect.poll(() => rate(3), { timeout: 20_000 }).toBeGreaterThan(translations / 2);
  expect(await rate(3)).toBeLessThan(translations * 1.5);
  await expect.poll(() => rate(4)).toBeGreaterThan((EACH_STEP.wild * stepsPerSecond) / 2);
  expect(await text("#total-tlb")).toMatch(/^\d+(?:\.\d)?%$/);
});

test("the last faults are there with their diagnosis, and their addresses", async () => {
  await expect.poll(() => text("#fault-rows")).toContain("C_BAD_CD");
  await expect.poll(() => text("#fault-rows")).toContain("CD_NOT_VALID");
  expect(await text("#fault-rows")).toContain("F_TRANSLATION");
  expect(await text("#fault-rows")).toContain("0x40200000");
});

test("an address is explained with every step of its walk", async () => {
  await browser!.evaluate(`
    document.querySelector("#explain-device").value = "${BROKEN}";
    document.querySelector("#explain-iova").value = "0x4000_0000";
    document.querySelector("#explain-form button").click();
  `);
  await expect.poll(() => text("#explain-result .end")).toBe("Terminated: C_BAD_CD.");
  const steps = await browser!.evaluate<string[]>(
    "[...document.querySelectorAll('#explain-result strong')].map((step) => step.textContent)",
  );
  expect(steps[0]).toBe("STE");
  expect(steps.at(-1)).toBe("CD");
});

test("what is wrong with a question is said where it was asked", async () => {
  await browser!.evaluate(`
    document.querySelector("#explain-iova").value = "<b>here</b>";
    document.querySelector("#explain-form button").click();
  `);
  await expect.poll(() => text("#explain-result")).toBe("iova: write the address as 0x7fff_dead_b000 or as decimal.");
  // A browser notes every refusal. Before this one there was nothing to note.
  expect(browser!.complaints()).toEqual([expect.stringContaining("400 (Bad Request)")]);
});

test.for([
  [1280, "light", LIGHT_GROUND],
  [1280, "dark", DARK_GROUND],
  [360, "light", LIGHT_GROUND],
  [360, "dark", DARK_GROUND],
] as const)("%i pixels wide and %s, nothing sticks out", async ([width, scheme, ground]) => {
  await browser!.show(width, scheme);
  await browser!.evaluate(`
    document.querySelector("#explain-iova").value = "0x4000_0000";
    document.querySelector("#explain-form button").click();
  `);
  await expect.poll(() => browser!.evaluate("getComputedStyle(document.body).backgroundColor")).toBe(ground);
  await expect.poll(() => text("#explain-result .end")).toContain("C_BAD_CD");
  expect(await browser!.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(width);
  const sticksOut =
    "[...document.querySelectorAll('body *:not(.wide *, .hidden, .skip)')].filter((each) => each.getBoundingClientRect().right > innerWidth)";
  expect(await browser!.evaluate(`${sticksOut}.map((each) => each.outerHTML)`)).toEqual([]);
  await look(`${width}-${scheme}`);
});

test("a reader can stop the updates", async () => {
  await browser!.evaluate("document.querySelector('#pause').click()");
  await expect.poll(() => text("#connection")).toBe("Paused");
  expect(await browser!.evaluate("document.querySelector('#pause').getAttribute('aria-pressed')")).toBe("true");
  await browser!.evaluate("document.querySelector('#pause').click()");
  await expect.poll(() => text("#connection")).toBe("Live, updated every second");
});

test("nothing was complained of: no error of a script, no refusal by the policy, no file that is not there", () => {
  expect(browser!.complaints()).toEqual([]);
});

test("a script that is not the page's own does not run", async () => {
  await browser!.evaluate(
    "document.body.append(Object.assign(document.createElement('script'), { text: 'document.title = 1' }))",
  );
  await expect.poll(() => browser!.complaints().join()).toContain("Content Security Policy");
  expect(await browser!.evaluate("document.title")).toBe("iommu-broker status");
});

test("when the broker is gone the page says so, and keeps what it last knew", async () => {
  await browser!.show(1280, "light");
  over.abort();
  await loading;
  await broker.stop();
  await expect
    .poll(() => text("#connection"))
    .toMatch(/^The broker does not answer; what is shown is of \d\d:\d\d:\d\d\. /);
  expect(await cells(PLAIN)).toContain(OWNER);
  await look("gone");
});
