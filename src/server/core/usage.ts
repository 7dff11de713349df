// What an identity has, over all its sessions: what quotas are held against. Counted when asked, from the records.
// Memory mapped twice counts twice.

import { assertNever } from "../../spec/assert.ts";
import { identityOf } from "./caller.ts";
import type { FaultRouter } from "./fault-router.ts";
import { mappedBytesOf } from "./mapping-table.ts";
import type { Quota } from "./policy.ts";
import type { Registry } from "./registry.ts";
import type { Sessions } from "./sessions.ts";

export interface UsageDeps {
  readonly registry: Registry;
  readonly sessions: Sessions;
  readonly faults: FaultRouter;
}

export function usageOf({ faults, registry, sessions }: UsageDeps, identity: string, quota: Quota): number {
  const held = sessions.held().filter(({ caller }) => identityOf(caller) === identity);
  const own = new Set(held.map(({ id }) => id));
  switch (quota) {
    case "sessions":
      return own.size;
    case "devices":
      return registry.devices().filter(({ attached, host }) => {
        const owner = attached ? registry.group(host.group).owner : undefined;
        return owner !== undefined && own.has(owner);
      }).length;
    case "mapped_bytes":
      return registry
        .addressSpaces()
        .filter(({ session }) => own.has(session))
        .reduce((sum, { table }) => sum + mappedBytesOf(table), 0);
    case "fault_streams":
      return faults.streamsOf(own);
    default:
      return assertNever(quota, "quota");
  }
}
