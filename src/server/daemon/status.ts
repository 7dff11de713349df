// The status page's sources: what core and the backend tell an observer.

import { type StatusPage, type StatusSources, statusPage } from "../../metrics/status/status-page.ts";
import { systemClock } from "../clock.ts";
import type { Config } from "../config.ts";
import type { Core } from "../core/core.ts";

/** Undefined: switched off. */
export function statusOf(
  { metrics }: Config,
  core: Core,
  backend: { readonly kind: string; counters(): ReturnType<StatusSources["counters"]> },
  version: string,
): StatusPage | undefined {
  if (metrics.statusPage === "off") return undefined;
  return statusPage({
    clock: systemClock,
    build: { version, backend: backend.kind },
    detail: metrics.statusPage,
    counters: () => backend.counters(),
    census: () => core.census(),
    ownerOf: (device) => core.devices.get(device).owner,
    faults: core.faults,
    explain: (request) => core.explanations.explain(undefined, request).explanation,
  });
}
