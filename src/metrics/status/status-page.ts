// The status page: its files, the snapshot that all readers share, and one address explained.
// Read-only, and cheap however often it is asked: the files are in memory, a snapshot is made once a second at most, walks
// are rationed. Scripts come from here alone (Content-Security-Policy), and another site's page is refused the data.
// Source: Content Security Policy Level 3; Fetch Metadata Request Headers (Sec-Fetch-Site).

import { readFileSync } from "node:fs";
import type { IncomingHttpHeaders } from "node:http";
import { BrokerError } from "../../backends/errors.ts";
import type { ExplainRequest, Explanation } from "../../backends/explanation.ts";
import { TokenBuckets } from "../../server/core/token-buckets.ts";
import type { Answer } from "../http-answer.ts";
import { explainRequestOf, explanationJson } from "./explain-query.ts";
import { type SnapshotSources, snapshots } from "./snapshot.ts";

export interface StatusSources extends SnapshotSources {
  /** For an observer. @throws BrokerError for a device that is not there, or nobody's */
  explain(request: ExplainRequest): Explanation;
}

export interface StatusPage {
  /** Undefined: it is nothing of the page. */
  answer(asked: { readonly url: URL; readonly headers: IncomingHttpHeaders }): Answer | undefined;
  /** Whether a path is the page's, without looking at anything. */
  has(path: string): boolean;
}

export const SNAPSHOT_MS = 1000;
/** Walks for the page, of all its readers together. */
export const EXPLAIN_RATE = { perSecond: 5, burst: 10 } as const;

const SCRIPT = "text/javascript; charset=utf-8";
const FILES: readonly (readonly [path: string, file: string, type: string])[] = [
  ["/", "index.html", "text/html; charset=utf-8"],
  ["/status", "index.html", "text/html; charset=utf-8"],
  ["/status/page.css", "page.css", "text/css; charset=utf-8"],
  ["/status/page.js", "page.js", SCRIPT],
  ["/status/tables.js", "tables.js", SCRIPT],
  ["/status/rates.js", "rates.js", SCRIPT],
  ["/status/explain.js", "explain.js", SCRIPT],
];

const HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
};

const STATUS_OF: Readonly<Record<string, number>> = { argument_invalid: 400, device_unknown: 404, not_owner: 409 };

export function statusPage(sources: StatusSources): StatusPage {
  const files = new Map(FILES.map(([path, file, type]) => [path, fileAnswer(file, type)]));
  const data = sharedSnapshot(sources);
  const explain = explainer(sources);
  const isData = (path: string): boolean => path === "/status/data.json" || path === "/status/explain.json";
  return {
    has: (path) => files.has(path) || isData(path),
    answer: ({ headers, url }) => {
      const file = files.get(url.pathname);
      if (file !== undefined) return file;
      if (!isData(url.pathname)) return undefined;
      const site = headers["sec-fetch-site"];
      if (site !== undefined && site !== "same-origin" && site !== "none") {
        return refused(403, "only the status page itself may ask for this");
      }
      return url.pathname === "/status/data.json" ? data() : explain(url.searchParams);
    },
  };
}

function fileAnswer(file: string, type: string): Answer {
  const body = readFileSync(new URL(`./assets/${file}`, import.meta.url), "utf8");
  return { status: 200, type, body, headers: { ...HEADERS, "cache-control": "no-cache" } };
}

function sharedSnapshot(sources: StatusSources): () => Answer {
  const take = snapshots(sources);
  let last: { readonly answer: Answer; readonly untilMs: number } | undefined;
  return () => {
    const nowMs = sources.clock.monotonicMs();
    if (last === undefined || nowMs >= last.untilMs) last = { answer: json(200, take()), untilMs: nowMs + SNAPSHOT_MS };
    return last.answer;
  };
}

function explainer({ clock, detail, explain }: StatusSources): (query: URLSearchParams) => Answer {
  const rate = new TokenBuckets(clock);
  return (query) => {
    if (detail !== "full") return refused(403, "addresses are explained with metrics.status_page: full");
    const waitMs = rate.take("explain", EXPLAIN_RATE);
    if (waitMs > 0)
      return refused(429, "too many at once; try again", { "retry-after": String(Math.ceil(waitMs / 1000)) });
    try {
      return json(200, explanationJson(explain(explainRequestOf(query))));
    } catch (error) {
      const status = error instanceof BrokerError ? STATUS_OF[error.code] : undefined;
      if (!(error instanceof BrokerError) || status === undefined) throw error;
      return refused(status, error.message);
    }
  };
}

function json(status: number, value: object, headers: Readonly<Record<string, string>> = {}): Answer {
  return {
    status,
    type: "application/json",
    body: JSON.stringify(value),
    headers: { ...HEADERS, "cache-control": "no-store", ...headers },
  };
}

function refused(status: number, error: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return json(status, { error }, headers);
}
