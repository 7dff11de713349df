// GET /metrics for a scraper, /livez and /readyz for a prober, over HTTP on a loopback port or a Unix socket, or where the operator opens it.
// Bounded: few connections, small headers, short deadlines, and one scrape at a time, whose text everybody gets who asked
// meanwhile, as Prometheus text or as OpenMetrics.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { listenTcp, type TcpAddress } from "../os/tcp-listener.ts";
import { listenUnix } from "../os/unix-listener.ts";
import { OPENMETRICS_TYPE, openMetricsOf, prefersOpenMetrics } from "./openmetrics.ts";

export interface MetricsHttpOptions {
  readonly socket: string | undefined;
  /** The descriptor of that socket, where the process was started with it. */
  readonly inherited?: number | undefined;
  readonly tcp: TcpAddress | undefined;
  /** It may be another address than loopback: the operator has said so. */
  readonly isTcpOpen?: boolean;
  readonly contentType: string;
  scrape(): Promise<string>;
  isReady(): Promise<boolean>;
  /** A scrape failed: it was answered 500. */
  onFailure(error: unknown): void;
}

export interface MetricsHttp {
  /** "http://127.0.0.1:9401/metrics", "unix:/run/…" */
  readonly addresses: readonly string[];
  stop(): Promise<void>;
}

const CONNECTIONS_MAX = 32;
const REQUEST_TIMEOUT_MS = 10_000;
const HEADER_BYTES_MAX = 8192;

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly allow?: string;
}

export async function serveMetrics(options: MetricsHttpOptions): Promise<MetricsHttp> {
  const answer = answerer(options);
  const servers: Server[] = [];
  const stops: (() => void)[] = [];
  const addresses: string[] = [];
  const open = (): Server => {
    const server = createServer(
      { maxHeaderSize: HEADER_BYTES_MAX, requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS },
      (request, response) => void answer(request).then((found) => send(request, response, found)),
    );
    server.maxConnections = CONNECTIONS_MAX;
    servers.push(server);
    return server;
  };
  const stop = async (): Promise<void> => {
    for (const each of stops.splice(0)) each();
    for (const server of servers) server.closeAllConnections();
  };
  try {
    if (options.socket !== undefined) {
      const unix = await listenUnix(open(), options.socket, options.inherited);
      stops.push(() => unix.stop());
      addresses.push(`unix:${options.socket}`);
    }
    if (options.tcp !== undefined) {
      const server = open();
      addresses.push(
        `http://${await listenTcp(server, options.tcp, options.isTcpOpen ? "network" : "loopback")}/metrics`,
      );
      stops.push(() => server.close());
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { addresses, stop };
}

function answerer(options: MetricsHttpOptions): (request: IncomingMessage) => Promise<Answer> {
  let scraping: Promise<string> | undefined;
  const scrape = (): Promise<string> => {
    scraping ??= options.scrape().finally(() => {
      scraping = undefined;
    });
    return scraping;
  };
  const routes: Readonly<Record<string, (request: IncomingMessage) => Promise<Answer>>> = {
    "/metrics": async ({ headers }) => {
      const text = await scrape();
      if (!prefersOpenMetrics(headers.accept)) return { status: 200, type: options.contentType, body: text };
      return { status: 200, type: OPENMETRICS_TYPE, body: openMetricsOf(text) };
    },
    "/livez": async () => plain(200, "ok"),
    "/readyz": async () => ((await options.isReady()) ? plain(200, "ok") : plain(503, "not ready")),
  };
  return async (request) => {
    const [path = ""] = (request.url ?? "").split("?");
    const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
    if (route === undefined) return plain(404, "there is /metrics, /livez and /readyz");
    if (request.method !== "GET" && request.method !== "HEAD") {
      return { ...plain(405, "only GET and HEAD"), allow: "GET, HEAD" };
    }
    try {
      return await route(request);
    } catch (error) {
      options.onFailure(error);
      return plain(500, "failed; the log says why");
    }
  };
}

function plain(status: number, text: string): Answer {
  return { status, type: "text/plain; charset=utf-8", body: `${text}\n` };
}

function send(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
  request.resume(); // a body is not read, only let through
  response.writeHead(answer.status, {
    "content-type": answer.type,
    vary: "accept",
    "content-length": Buffer.byteLength(answer.body),
    ...(answer.allow === undefined ? {} : { allow: answer.allow }),
  });
  response.end(request.method === "HEAD" ? undefined : answer.body);
}
