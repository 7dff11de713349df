import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { type MetricsHttp, type MetricsHttpOptions, serveMetrics } from "../../src/metrics/http.ts";

let directory: string;
let http: MetricsHttp | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "metrics-"));
});

afterEach(async () => {
  await http?.stop();
  http = undefined;
  rmSync(directory, { recursive: true });
});

/** Serves on a free port; gives the address without the path. */
async function serve(over: Partial<MetricsHttpOptions> = {}): Promise<string> {
  http = await serveMetrics({
    socket: undefined,
    tcp: { host: "127.0.0.1", port: 0 },
    contentType: "text/plain; version=0.0.4; charset=utf-8",
    scrape: async () => "up 1\n",
    isReady: async () => true,
    onFailure: () => {},
    ...over,
  });
  return (http.addresses[0] ?? "").replace(/\/metrics$/, "");
}

test("/metrics gives the text with its content type, whatever the query", async () => {
  const base = await serve();
  const response = await fetch(`${base}/metrics?name[]=up`);
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  expect(await response.text()).toBe("up 1\n");
});

test("/metrics gives OpenMetrics to whom asks for it, and says that the answer depends on what is asked", async () => {
  const base = await serve({ scrape: async () => "# TYPE a_total counter\na_total 1\n" });
  const response = await fetch(`${base}/metrics`, {
    headers: { accept: "application/openmetrics-text;version=1.0.0" },
  });
  expect(response.headers.get("content-type")).toBe("application/openmetrics-text; version=1.0.0; charset=utf-8");
  expect(response.headers.get("vary")).toBe("accept");
  expect(await response.text()).toBe("# TYPE a counter\na_total 1\n# EOF\n");
});

test("/livez is 200 while the process answers; /readyz follows readiness", async () => {
  let ready = true;
  const base = await serve({ isReady: async () => ready });
  expect((await fetch(`${base}/readyz`)).status).toBe(200);
  ready = false;
  expect((await fetch(`${base}/readyz`)).status).toBe(503);
  expect((await fetch(`${base}/livez`)).status).toBe(200);
});

test.each(["/", "/metrics/", "/debug", "/constructor", "/__proto__"])("%s is 404", async (path) => {
  expect((await fetch(`${await serve()}${path}`)).status).toBe(404);
});

test.each(["POST", "PUT", "DELETE", "OPTIONS"])("%s is 405 and says what is allowed", async (method) => {
  const response = await fetch(`${await serve()}/metrics`, { method });
  expect(response.status).toBe(405);
  expect(response.headers.get("allow")).toBe("GET, HEAD");
});

test("HEAD gives the length and no body", async () => {
  const response = await fetch(`${await serve()}/metrics`, { method: "HEAD" });
  expect(response.status).toBe(200);
  expect(response.headers.get("content-length")).toBe("5");
  expect(await response.text()).toBe("");
});

test("scrapes at the same time are one scrape", async () => {
  let scrapes = 0;
  const text = Promise.withResolvers<string>();
  const base = await serve({
    scrape: () => {
      scrapes += 1;
      return text.promise;
    },
  });
  const asked = Array.from({ length: 8 }, async () => (await fetch(`${base}/metrics`)).text());
  await expect.poll(() => scrapes).toBe(1);
  text.resolve("up 1\n");
  expect(new Set(await Promise.all(asked))).toEqual(new Set(["up 1\n"]));
  expect(scrapes).toBeLessThan(8);
});

test("a scrape that fails is 500, reported, and the next one is tried anew", async () => {
  const failures: unknown[] = [];
  let broken = true;
  const base = await serve({
    scrape: async () => {
      if (broken) throw new Error("no counters");
      return "up 1\n";
    },
    onFailure: (error) => failures.push(error),
  });
  expect((await fetch(`${base}/metrics`)).status).toBe(500);
  expect(failures).toHaveLength(1);
  broken = false;
  expect((await fetch(`${base}/metrics`)).status).toBe(200);
});

test("a prober is answered while connections that pipeline thousands of scrapes come and come again", async () => {
  let scrapes = 0;
  const base = await serve({
    scrape: async () => {
      scrapes += 1;
      return "padding 1\n".repeat(50_000);
    },
  });
  const port = Number(new URL(base).port);
  const piece = "GET /metrics HTTP/1.1\r\nHost: broker\r\n\r\n".repeat(3000);
  let isOver = false;
  let cutOff = 0;
  const flood = async (): Promise<void> => {
    while (!isOver) {
      const socket = connect(port, "127.0.0.1").on("error", () => undefined);
      socket.resume().write(piece);
      await new Promise((resolve) => socket.once("close", resolve));
      cutOff += 1;
    }
  };
  const floods = Array.from({ length: 8 }, flood);
  await expect.poll(() => cutOff).toBeGreaterThan(8);
  const [scrapesBefore, secondsBefore] = [scrapes, performance.now() / 1000];
  for (let probe = 0; probe < 20; probe++) expect((await fetch(`${base}/livez`)).status, `probe ${probe}`).toBe(200);
  const windows = Math.ceil(performance.now() / 1000 - secondsBefore) + 1;
  expect(scrapes - scrapesBefore).toBeLessThanOrEqual(5 * windows);
  isOver = true;
  await Promise.all(floods);
}, 30_000);

test("headers beyond 8 KiB are refused", async () => {
  const base = await serve();
  expect((await fetch(`${base}/livez`, { headers: { padding: "x".repeat(9000) } })).status).toBe(431);
});

test("a prober is answered at once where connections say nothing, and these are closed in seconds", async () => {
  const base = await serve();
  const port = Number(new URL(base).port);
  const silent = Array.from({ length: 32 }, () => connect(port, "127.0.0.1").on("error", () => undefined));
  onTestFinished(() => silent.forEach((socket) => void socket.destroy()));
  await Promise.all(silent.map((socket) => once(socket, "connect")));
  expect((await fetch(`${base}/livez`)).status).toBe(200);
  const began = performance.now();
  await Promise.all(silent.map((socket) => (socket.closed ? undefined : once(socket.resume(), "close"))));
  expect(performance.now() - began).toBeLessThan(9000);
}, 30_000);

test("on a Unix socket it has mode 0660, serves, and is gone after stop", async () => {
  const socket = join(directory, "metrics.sock");
  await serve({ socket, tcp: undefined });
  expect(http?.addresses).toEqual([`unix:${socket}`]);
  expect((statSync(socket).mode & 0o777).toString(8)).toBe("660");
  const asked = request({ socketPath: socket, path: "/livez" }).end();
  const [response] = await once(asked, "response");
  response.resume();
  expect(response.statusCode).toBe(200);
  await http?.stop();
  expect(existsSync(socket)).toBe(false);
});

test("switched off it listens nowhere", async () => {
  await serve({ tcp: undefined });
  expect(http?.addresses).toEqual([]);
});

test("a port in use is refused, and the Unix socket opened before it is taken down again", async () => {
  const port = Number(new URL(await serve()).port);
  const socket = join(directory, "metrics.sock");
  const first = http;
  await expect(serve({ socket, tcp: { host: "127.0.0.1", port } })).rejects.toMatchObject({ code: "in_use" });
  expect(existsSync(socket)).toBe(false);
  await first?.stop();
});

test("beyond loopback it is served only where the operator has opened it", async () => {
  const tcp = { host: "0.0.0.0", port: 0 };
  await expect(serve({ tcp })).rejects.toMatchObject({ code: "argument_invalid" });
  const base = await serve({ tcp, isTcpOpen: true });
  expect((await fetch(`${base}/livez`)).status).toBe(200);
});
