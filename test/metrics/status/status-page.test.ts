import { once } from "node:events";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BYPASS_VSTE } from "../../../src/backends/vste.ts";
import { type MetricsHttp, serveMetrics } from "../../../src/metrics/http.ts";
import { EXPLAIN_RATE, SNAPSHOT_MS, statusPage } from "../../../src/metrics/status/status-page.ts";
import { attach, bind, type Guest, guest, NIC, NVME, type TestHost, testHost } from "../../support/host.ts";

const ASSETS = join(import.meta.dirname, "../../../src/metrics/status/assets");
const EXPLAIN = `/status/explain.json?device=${NVME}&iova=0x4000_0123`;

let host: TestHost;
let vmm: Guest;
let http: MetricsHttp | undefined;
/** Looks at everything that were taken. */
let looks: number;

beforeEach(async () => {
  looks = 0;
  host = testHost();
  vmm = await guest(host, { name: "<b>vm</b>" });
  await attach(host, vmm, NVME);
  await bind(host, vmm, NVME, BYPASS_VSTE, 1);
});

afterEach(async () => {
  await http?.stop();
  http = undefined;
});

/** Gives the address, "http://127.0.0.1:1234". */
async function serve(
  detail: "summary" | "full" | "off" = "full",
  { socket, statusHosts = [] }: { readonly socket?: string; readonly statusHosts?: readonly string[] } = {},
): Promise<string> {
  const status =
    detail === "off"
      ? undefined
      : statusPage({
          clock: host.clock,
          build: { version: "1", backend: "simulated" },
          detail,
          counters: () => {
            looks += 1;
            return host.backend.counters();
          },
          census: () => host.core.census(),
          ownerOf: (device) => host.core.devices.get(device).owner,
          faults: host.core.faults,
          explain: (asked) => host.core.explanations.explain(undefined, asked).explanation,
        });
  http = await serveMetrics({
    socket,
    tcp: socket === undefined ? { host: "127.0.0.1", port: 0 } : undefined,
    contentType: "text/plain",
    scrape: async () => "up 1\n",
    isReady: async () => true,
    status,
    statusHosts,
    onFailure: (error) => expect(error).toBeUndefined(),
  });
  return (http.addresses[0] ?? "").replace(/\/metrics$/, "");
}

/** fetch() sets Host itself. */
async function answerUnder(
  base: string,
  path: string,
  name: string,
): Promise<{ status: number | undefined; body: string }> {
  const call = request(`${base}${path}`, { headers: { host: name } }).end();
  const [response]: IncomingMessage[] = await once(call, "response");
  return { status: response?.statusCode, body: response === undefined ? "" : await text(response) };
}

test.each(["/", "/status"])("%s is the page", async (path) => {
  const response = await fetch(`${await serve()}${path}`);
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
  expect(await response.text()).toContain("<title>iommu-broker status</title>");
});

test("every file of the page is served, by what the page and its scripts name, and nothing is in a page itself", async () => {
  const base = await serve();
  const html = readFileSync(join(ASSETS, "index.html"), "utf8");
  const named = [...html.matchAll(/(?:href|src)="(status\/[^"]+)"/g)].map(([, path]) => `/${path}`);
  for (const file of globSync("*.{js,css}", { cwd: ASSETS })) {
    const response = await fetch(`${base}/status/${file}`);
    expect(response.status, file).toBe(200);
    expect(response.headers.get("content-type"), file).toMatch(/^text\/(?:javascript|css); charset=utf-8$/);
    expect(await response.text(), file).toBe(readFileSync(join(ASSETS, file), "utf8"));
  }
  for (const path of named) expect((await fetch(base + path)).status, path).toBe(200);
  expect(named).toHaveLength(2);
  expect(html).not.toMatch(/<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=/);
});

test("the page's scripts make no markup of what they are given", () => {
  const scripts = globSync("*.js", { cwd: ASSETS }).map((file) => readFileSync(join(ASSETS, file), "utf8"));
  expect(scripts).toHaveLength(4);
  expect(scripts.join("\n")).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\b/);
});

test.each(["/status", "/status/page.js", "/status/data.json", EXPLAIN])(
  "%s has the headers that keep it in",
  async (path) => {
    const { headers } = await fetch(`${await serve()}${path}`);
    const policy = headers.get("content-security-policy") ?? "";
    expect(policy).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; /);
    expect(policy).not.toContain("unsafe");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("referrer-policy")).toBe("no-referrer");
    expect(headers.get("cross-origin-resource-policy")).toBe("same-origin");
  },
);

test("the data is JSON in which a name is what it is", async () => {
  const response = await fetch(`${await serve()}/status/data.json`);
  expect(response.headers.get("content-type")).toBe("application/json");
  const { devices }: { devices: { id: string; owner: string | null }[] } = JSON.parse(await response.text());
  expect(devices[0]).toMatchObject({ id: NVME, owner: "<b>vm</b>" });
});

test("a storm of readers costs one look a second", async () => {
  const base = await serve();
  const storm = () => Promise.all(Array.from({ length: 24 }, () => fetch(`${base}/status/data.json`)));
  await storm();
  expect(looks).toBe(1);
  host.clock.advance(SNAPSHOT_MS - 1);
  await storm();
  expect(looks).toBe(1);
  host.clock.advance(1);
  await storm();
  expect(looks).toBe(2);
});

test("an address is explained in the guest's terms", async () => {
  const response = await fetch(`${await serve()}${EXPLAIN}`);
  const text = await response.text();
  expect(response.status).toBe(200);
  expect(JSON.parse(text)).toMatchObject({
    steps: [{ structure: "STE" }, { decision: "stage 1 is bypassed" }, { structure: "stage 2, for IN" }],
    end: { kind: "ok", address: "0x40000123" },
  });
  expect(text).not.toContain('"pa"');
});

test.each([
  [400, "device=0000:01:00.0&iova=here", "iova: write the address as 0x7fff_dead_b000 or as decimal"],
  [404, "device=ghost&iova=0", "ghost"],
  [409, `device=${NIC}&iova=0`, "has no owner"],
])("%i for %s, with what is wrong", async (status, query, why) => {
  const response = await fetch(`${await serve()}/status/explain.json?${query}`);
  expect(response.status).toBe(status);
  expect(await response.text()).toContain(why);
});

test("walks are rationed, and whoever comes too early is told when to come again", async () => {
  const base = await serve();
  for (let asked = 0; asked < EXPLAIN_RATE.burst; asked++) expect((await fetch(base + EXPLAIN)).status).toBe(200);
  const refused = await fetch(base + EXPLAIN);
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "1"]);
  host.clock.advance(1000 / EXPLAIN_RATE.perSecond);
  expect((await fetch(base + EXPLAIN)).status).toBe(200);
});

test("a summary explains nothing to whoever reaches the port, and shows no address", async () => {
  const base = await serve("summary");
  expect((await fetch(base + EXPLAIN)).status).toBe(403);
  expect(await (await fetch(`${base}/status/data.json`)).text()).not.toContain('"address"');
});

test("another site's page gets no data, by whatever name it has itself resolved to loopback", async () => {
  const base = await serve();
  for (const path of ["/", "/status", "/status/data.json", EXPLAIN]) {
    const { body, status } = await answerUnder(base, path, "rebound.example:80");
    expect(status, path).toBe(421);
    expect(body, path).toMatch(/^Host "rebound\.example:80": .* metrics\.status_hosts only\n$/);
  }
  expect(looks).toBe(0);
  for (const site of ["cross-site", "same-site"]) {
    const response = await fetch(`${base}/status/data.json`, { headers: { "sec-fetch-site": site } });
    expect(response.status, site).toBe(403);
  }
});

test("a name of metrics.status_hosts is answered, whatever its port and case, and no name beneath it", async () => {
  const base = await serve("summary", { statusHosts: ["status.example"] });
  for (const [name, status] of [
    ["status.example", 200],
    ["Status.Example:9443", 200],
    ["a.status.example", 421],
    ["status.example.evil", 421],
  ] as const) {
    expect((await answerUnder(base, "/status/data.json", name)).status, name).toBe(status);
  }
});

test.each(["/metrics", "/livez", "/readyz"])(
  "%s answers under any name: a scraper or prober has its own for a host",
  async (path) => {
    const base = await serve();
    for (const name of [
      "10.1.2.3:9401",
      "broker.monitoring.svc:9401",
      "10-1-2-3.ns.pod.cluster.local",
      "[fd00::1]:9401",
    ]) {
      expect((await answerUnder(base, path, name)).status, name).toBe(200);
    }
  },
);

test("on the Unix socket the page is there under any name: a proxy may call it what it likes", async () => {
  const directory = mkdtempSync(join(tmpdir(), "status-"));
  try {
    const socket = join(directory, "metrics.sock");
    await serve("summary", { socket });
    const call = request({ socketPath: socket, path: "/status", headers: { host: "broker.example" } }).end();
    const [response] = await once(call, "response");
    response.resume();
    expect(response.statusCode).toBe(200);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("switched off there is nothing of it", async () => {
  const base = await serve("off");
  for (const path of ["/", "/status", "/status/data.json", EXPLAIN])
    expect((await fetch(base + path)).status).toBe(404);
});
