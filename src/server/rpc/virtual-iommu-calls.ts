// CreateVirtualIommu, DeleteVirtualIommu, SetVirtualIommuMode, InvalidateCache.

import type { Calls } from "./calls.ts";
import { parseCommands } from "./convert-commands.ts";
import {
  modeResultMessage,
  parseCreateVirtualIommu,
  parseSetMode,
  virtualIommuMessage,
} from "./convert-virtual-iommu.ts";
import type { RpcDeps } from "./deps.ts";
import { failureMessage } from "./failure.ts";
import { allOf } from "./field.ts";
import { parseVirtualIommu } from "./names.ts";
import { BROKER } from "./services.ts";

export function virtualIommuCalls(calls: Calls, { core, limits, hooks }: RpcDeps) {
  const { virtualIommus } = core;
  return {
    createVirtualIommu: calls.mutating(BROKER.createVirtualIommu, async (request, session, { gate }) => ({
      virtualIommu: virtualIommuMessage(await virtualIommus.create(session, parseCreateVirtualIommu(request), gate)),
    })),
    deleteVirtualIommu: calls.mutating(BROKER.deleteVirtualIommu, async (request, session, { gate }) => {
      await virtualIommus.remove(session, parseVirtualIommu(request.virtualIommu, "virtual_iommu"), gate);
      return {};
    }),
    setVirtualIommuMode: calls.mutating(BROKER.setVirtualIommuMode, async (request, session, { gate }) => {
      const { virtualIommu, mode } = parseSetMode(request);
      const results = await virtualIommus.setMode(session, virtualIommu, mode, gate);
      return {
        results: results.map((result) =>
          modeResultMessage(result, result.error === undefined ? undefined : failureMessage(result.error, hooks)),
        ),
      };
    }),
    invalidateCache: calls.withSession(BROKER.invalidateCache, async (request, session, { gate }) => {
      const { virtualIommu, commands } = allOf({
        virtualIommu: () => parseVirtualIommu(request.virtualIommu, "virtual_iommu"),
        commands: () => parseCommands(request.commands, limits.commandsPerCallMax),
      });
      return { executed: await virtualIommus.invalidate(session, virtualIommu, commands, gate) };
    }),
  };
}
