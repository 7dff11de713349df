// The broker's metrics, read as a scraper reads them: one GET on a loopback port or a Unix socket, bounded in time and size.

import { type RequestOptions, request } from "node:http";
import { resolve } from "node:path";
import { UsageError } from "./failure.ts";
import { Unreachable } from "./unreachable.ts";

export const METRICS_VARIABLE = "IOMMUBROKER_METRICS";
export const METRICS_DEFAULT = "http://127.0.0.1:9401/metrics";
const BYTES_MAX = 64 * 2 ** 20;

/** Where to ask, as node:http takes it. */
export interface MetricsSource {
  readonly target: string;
  readonly where: RequestOptions;
}

/** @param text  "http://127.0.0.1:9401/metrics" or "unix:/run/…" @throws UsageError when it is neither */
export function metricsSource(text: string): MetricsSource {
  const path = /^unix:(.+)$/.exec(text)?.[1];
  if (path !== undefined) {
    const socketPath = resolve(path);
    return { target: `unix:${socketPath}`, where: { socketPath, path: "/metrics" } };
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "http:") {
    const { hostname, pathname, port, search } = url;
    return { target: url.href, where: { hostname: hostname.replace(/^\[|\]$/g, ""), port, path: pathname + search } };
  }
  throw new UsageError(`--metrics ${JSON.stringify(text)} is neither http://HOST:PORT/metrics nor unix:PATH`);
}

/** The text of one scrape. @throws Unreachable when there is none */
export async function scrape({ target, where }: MetricsSource, timeoutMs: number): Promise<string> {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    return await new Promise<string>((found, failed) => {
      const call = request({ ...where, signal }, (response) => {
        if (response.statusCode !== 200) failed(new Error(`answered ${response.statusCode}`));
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
          if (text.length > BYTES_MAX) call.destroy(new Error(`longer than ${BYTES_MAX} bytes`));
        });
        response.on("end", () => found(text)).on("error", failed);
      });
      call.on("error", failed).end();
    });
  } catch (error) {
    const why = signal.aborted ? `no answer within ${timeoutMs} ms` : error instanceof Error ? error.message : "";
    const remedy = "are metrics served there (metrics.tcp, metrics.socket)? --metrics names another place";
    throw new Unreachable(target, `no metrics: ${why}`, { cause: error, remedy });
  }
}
