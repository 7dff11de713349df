// GET /metrics for a scraper, /livez and /readyz for a prober, over HTTP on a loopback port or a Unix socket, or where the
// operator opens it; on a loopback port and the socket the status page for people.
// Bounded: few connections with one request each, small headers, short deadlines, and few scrapes in a second, whose text
// everybody gets who asks, as Prometheus text or as OpenMetrics.

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { listenTcp, type TcpAddress } from "../os/tcp-listener.ts";
import { listenUnix } from "../os/unix-listener.ts";
import { limitConnections } from "./connection-limit.ts";
import { type Answer, plain } from "./http-answer.ts";
import { oneRequestAtATime } from "./one-request.ts";
import { OPENMETRICS_TYPE, prefersOpenMetrics } from "./openmetrics.ts";
import { type ScrapeText, sharedScrape } from "./shared-scrape.ts";
import { isHostOfPage, isLoopbackAddress, misdirected } from "./status/host-names.ts";
import type { StatusPage } from "./status/status-page.ts";

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
  /** Undefined: there is none. */
  readonly status?: StatusPage | undefined;
  /** Names under which that answers over TCP besides those of loopback, in lower case. */
  readonly statusHosts?: readonly string[];
  /** An answer could not be made: it was 500. */
  onFailure(error: unknown): void;
}

export interface MetricsHttp {
  /** "http://127.0.0.1:9401/metrics", "unix:/run/…" */
  readonly addresses: readonly string[];
  stop(): Promise<void>;
}

/** Not imported: a module that imports node:http makes Node load fetch and WebSocket with it, 30 ms and 17 MB at the start. */
const { createServer } = process.getBuiltinModule("node:http");

const CONNECTIONS_MAX = 32;
const REQUEST_TIMEOUT_MS = 10_000;
/** From the connection to the end of its headers. */
const HEADERS_TIMEOUT_MS = 3000;
/** How often Node looks for connections that are late. */
const CHECK_MS = 1000;
const HEADER_BYTES_MAX = 8192;

type Answerer = (request: IncomingMessage) => Promise<Answer>;
/** Undefined: it is not of the page, or there is none for who asks. */
type PageAnswerer = (request: IncomingMessage, url: URL) => Answer | undefined;

export async function serveMetrics(options: MetricsHttpOptions): Promise<MetricsHttp> {
  const { status } = options;
  const scrape = sharedScrape(options.scrape, () => performance.now());
  const servers: Server[] = [];
  const stops: (() => void)[] = [];
  const addresses: string[] = [];
  const open = (page: PageAnswerer): Server => {
    const answer = answerer(options, scrape, page);
    const server = createServer(
      {
        maxHeaderSize: HEADER_BYTES_MAX,
        requestTimeout: REQUEST_TIMEOUT_MS,
        headersTimeout: HEADERS_TIMEOUT_MS,
        connectionsCheckingInterval: CHECK_MS,
      },
      oneRequestAtATime((request, response) => void answer(request).then((found) => send(request, response, found))),
    );
    limitConnections(server, CONNECTIONS_MAX);
    servers.push(server);
    return server;
  };
  const stop = async (): Promise<void> => {
    for (const each of stops.splice(0)) each();
    for (const server of servers) server.closeAllConnections();
  };
  try {
    if (options.socket !== undefined) {
      const unix = await listenUnix(
        open(({ headers }, url) => status?.answer({ url, headers })),
        options.socket,
        options.inherited,
      );
      stops.push(() => unix.stop());
      addresses.push(`unix:${options.socket}`);
    }
    if (options.tcp !== undefined) {
      const server = open((request, url) => status && overTcp(status, options.statusHosts ?? [], request, url));
      const reach = options.isTcpOpen ? "network" : "loopback";
      addresses.push(`http://${await listenTcp(server, options.tcp, reach)}/metrics`);
      stops.push(() => server.close());
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { addresses, stop };
}

/**
 * Over TCP the page is for connections to a loopback address, whatever else is listened on: from elsewhere there is none. Any
 * site's page can make a browser of this host connect, so the name that is asked for counts too.
 */
function overTcp(
  status: StatusPage,
  hosts: readonly string[],
  { headers, socket }: IncomingMessage,
  url: URL,
): Answer | undefined {
  if (!isLoopbackAddress(socket.localAddress) || !status.has(url.pathname)) return undefined;
  return isHostOfPage(headers.host, hosts) ? status.answer({ url, headers }) : misdirected(headers.host);
}

function answerer(
  { contentType, isReady, onFailure, status }: MetricsHttpOptions,
  scrape: () => Promise<ScrapeText>,
  page: PageAnswerer,
): Answerer {
  const routes: Readonly<Record<string, Answerer>> = {
    "/metrics": async ({ headers }) => {
      const made = await scrape();
      const vary = { vary: "accept" };
      if (!prefersOpenMetrics(headers.accept))
        return { status: 200, type: contentType, body: made.text, headers: vary };
      return { status: 200, type: OPENMETRICS_TYPE, body: made.openMetrics(), headers: vary };
    },
    "/livez": async () => plain(200, "ok"),
    "/readyz": async () => ((await isReady()) ? plain(200, "ok") : plain(503, "not ready")),
  };
  const nowhere = `there is /metrics, /livez and /readyz${status === undefined ? "" : ", and /status for people"}`;
  const answer: Answerer = async (request) => {
    const url = urlOf(request);
    if (url === undefined) return plain(400, "not a path");
    const route = Object.hasOwn(routes, url.pathname) ? routes[url.pathname] : undefined;
    return (await route?.(request)) ?? page(request, url) ?? plain(404, nowhere);
  };
  return async (request) => {
    if (request.method !== "GET" && request.method !== "HEAD") {
      return plain(405, "only GET and HEAD", { allow: "GET, HEAD" });
    }
    try {
      return await answer(request);
    } catch (error) {
      onFailure(error);
      return plain(500, "failed; the log says why");
    }
  };
}

/** What a request asks for; its own name for this host is not looked at. */
function urlOf({ url = "" }: IncomingMessage): URL | undefined {
  return (url.startsWith("/") ? URL.parse(`http://broker.invalid${url}`) : undefined) ?? undefined;
}

function send(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
  request.resume(); // a body is not read, only let through
  response.writeHead(answer.status, {
    "content-type": answer.type,
    "x-content-type-options": "nosniff",
    "content-length": Buffer.byteLength(answer.body),
    ...answer.headers,
  });
  response.end(request.method === "HEAD" ? undefined : answer.body);
}
