// CreateAddressSpace, DeleteAddressSpace, MapMemory, PresentMemory, UnmapMemory.

import { limitReached } from "../../backends/errors.ts";
import type { Calls } from "./calls.ts";
import {
  addressSpaceMessage,
  parseMapMemory,
  parsePinning,
  parsePresentMemory,
  parseUnmapMemory,
} from "./convert-address-space.ts";
import type { RpcDeps } from "./deps.ts";
import { longOfNumber } from "./int64.ts";
import { parseAddressSpace } from "./names.ts";
import { BROKER } from "./services.ts";

export function addressSpaceCalls(calls: Calls, { core, limits }: RpcDeps) {
  const { addressSpaces } = core;
  const refuseAbove = (count: number, limit: string, maximum: number): void => {
    if (count > maximum) throw limitReached(limit, maximum, "use several calls");
  };
  return {
    createAddressSpace: calls.mutating(BROKER.createAddressSpace, async (request, session, { gate }) => ({
      addressSpace: addressSpaceMessage(await addressSpaces.create(session, parsePinning(request.pinning), gate)),
    })),
    deleteAddressSpace: calls.mutating(BROKER.deleteAddressSpace, async (request, session, { gate }) => {
      await addressSpaces.remove(session, parseAddressSpace(request.addressSpace, "address_space"), gate);
      return {};
    }),
    mapMemory: calls.mutating(BROKER.mapMemory, async (request, session, { caller, gate }) => {
      refuseAbove(request.sources.length, "sources_per_call_max", limits.sourcesPerCallMax);
      refuseAbove(request.mappings.length, "mappings_per_call_max", limits.mappingsPerCallMax);
      const parsed = { ...parseMapMemory(request), caller };
      return { addressSpace: addressSpaceMessage(await addressSpaces.map(session, parsed, gate)) };
    }),
    presentMemory: calls.mutating(BROKER.presentMemory, async (request, session, { caller, gate }) => {
      const parsed = { ...parsePresentMemory(request), caller };
      return { addressSpace: addressSpaceMessage(await addressSpaces.present(session, parsed, gate)) };
    }),
    unmapMemory: calls.mutating(BROKER.unmapMemory, async (request, session, { gate }) => {
      refuseAbove(request.ranges.length, "mappings_per_call_max", limits.mappingsPerCallMax);
      const { view, unmappedBytes } = await addressSpaces.unmap(session, parseUnmapMemory(request), gate);
      return { addressSpace: addressSpaceMessage(view), unmappedBytes: longOfNumber(unmappedBytes) };
    }),
  };
}
