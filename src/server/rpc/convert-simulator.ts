// The Simulator service's messages. Counts and lengths that a call may have are checked by simulator-service.ts.

import { invalidField } from "../../backends/errors.ts";
import { deviceID, groupID, type StreamID, streamID } from "../../backends/ids.ts";
import type { HostDevice } from "../../backends/inventory.ts";
import type {
  DmaOutcome,
  MsiLog,
  RawStructures,
  SimulatedAccess,
  SimulatedDma,
  TransactionEnd,
} from "../../backends/simulator-control.ts";
import { iommubroker } from "./codec.ts";
import { allOf, at, eachOf, enumeration, integer } from "./field.ts";
import { bigintOf, longOf, longOfNumber } from "./int64.ts";
import { parseIommu } from "./names.ts";

const v1 = iommubroker.v1;

export const OUTCOMES = {
  ok: v1.TransactionOutcome.TRANSACTION_OUTCOME_OK,
  abort: v1.TransactionOutcome.TRANSACTION_OUTCOME_ABORT,
  "raz-wi": v1.TransactionOutcome.TRANSACTION_OUTCOME_RAZ_WI,
  "bus-error": v1.TransactionOutcome.TRANSACTION_OUTCOME_BUS_ERROR,
  stalled: v1.TransactionOutcome.TRANSACTION_OUTCOME_STALLED,
} as const satisfies Record<TransactionEnd, iommubroker.v1.TransactionOutcome>;
const ACCESS_KINDS = new Map<number, "read" | "write" | "execute">([
  [v1.AccessKind.ACCESS_KIND_UNSPECIFIED, "read"],
  [v1.AccessKind.ACCESS_KIND_READ, "read"],
  [v1.AccessKind.ACCESS_KIND_WRITE, "write"],
  [v1.AccessKind.ACCESS_KIND_EXECUTE, "execute"],
]);

const TWO_64 = 2n ** 64n;
const STREAM_IDS_MAX = 8;
const SUBSTREAM_ID = { min: 0, max: 2 ** 20 - 1 };
const PASID_BITS = { min: 0, max: 20 };
const STREAM_INDEX = { min: 0, max: STREAM_IDS_MAX - 1 };

export type TranslateAccess = SimulatedAccess & { readonly access: "read" | "write" | "execute" };

export function parseHostDevice(request: iommubroker.v1.AddDeviceRequest): HostDevice {
  const parsed = allOf({
    id: () => at("device_id", () => deviceID(request.deviceId)),
    iommu: () => parseIommu(request.iommu, "iommu"),
    group: () => at("iommu_group", () => groupID(request.iommuGroup)),
    streamIDs: () => parseStreamIDs(request.streamIds),
    pasidBits: () => integer(request.pasidBits, "pasid_bits", PASID_BITS),
  });
  return { ...parsed, ats: false, stall: request.stall };
}

export function parseDma(access: iommubroker.v1.DmaAccess, path: string): SimulatedDma {
  const common = parseAccess(access, path);
  if (access.write) {
    refuseBeyond64Bits(common.iova, access.write.length, path);
    return { ...common, kind: "write", data: access.write };
  }
  if (access.readBytes === null || access.readBytes === undefined) {
    throw invalidField(`${path}.data`, "must be one of read_bytes, write");
  }
  refuseBeyond64Bits(common.iova, access.readBytes, path);
  return { ...common, kind: "read", bytes: access.readBytes };
}

/** Thousands in a call: what is right is taken without the machinery that names what is wrong. */
export function parseTranslateAll(accesses: readonly iommubroker.v1.TranslateAccess[]): readonly TranslateAccess[] {
  const parsed: TranslateAccess[] = [];
  for (const { access, iova, privileged, streamIndex, substreamId } of accesses) {
    const kind = ACCESS_KINDS.get(access);
    const substreamID = substreamId ?? undefined;
    const isRight = (substreamID ?? 0) <= SUBSTREAM_ID.max && streamIndex <= STREAM_INDEX.max;
    if (kind === undefined || !isRight) return eachOf(accesses, "accesses", parseTranslate);
    parsed.push({ iova: bigintOf(iova), substreamID, privileged, streamIndex, access: kind });
  }
  return parsed;
}

function parseTranslate(access: iommubroker.v1.TranslateAccess, path: string): TranslateAccess {
  const { common, kind } = allOf({
    common: () => parseAccess(access, path),
    kind: () => enumeration(access.access, `${path}.access`, ACCESS_KINDS, "READ, WRITE or EXECUTE"),
  });
  return { ...common, access: kind };
}

/** stream_index and substream_id of ReadStructures. */
export function parseStream(request: iommubroker.v1.ReadStructuresRequest): {
  streamIndex: number;
  substreamID: number;
} {
  return allOf({
    streamIndex: () => integer(request.streamIndex, "stream_index", STREAM_INDEX),
    substreamID: () => integer(request.substreamId, "substream_id", SUBSTREAM_ID),
  });
}

export function dmaMessage(outcome: DmaOutcome): iommubroker.v1.IDmaResult {
  return { outcome: OUTCOMES[outcome.end], bytesDone: outcome.bytesDone, data: outcome.data };
}

export function structuresMessage(structures: RawStructures): iommubroker.v1.IReadStructuresResponse {
  return {
    streamId: structures.streamID,
    ste: structures.ste.map(longOf),
    cd: structures.cd.map(longOf),
    registers: structures.registers.map(({ name, offset, value }) => ({ name, offset, value: longOf(value) })),
    windows: structures.windows.map(({ path, pa, bytes }) => ({
      path,
      pa: longOfNumber(pa),
      bytes: longOfNumber(bytes),
    })),
  };
}

export function msisMessage({ doorbell, msis, total }: MsiLog): iommubroker.v1.IListMsisResponse {
  return {
    total: longOfNumber(total),
    msis: msis.map(({ data, ipa, sequence, streamID: streamId }) => ({
      sequence: longOfNumber(sequence),
      streamId,
      data,
      ipa: longOfNumber(ipa),
    })),
    doorbell: {
      ipa: longOfNumber(doorbell.ipa),
      pa: longOfNumber(doorbell.pa),
      bytes: longOfNumber(doorbell.bytes),
    },
  };
}

function parseAccess(access: iommubroker.v1.DmaAccess | iommubroker.v1.TranslateAccess, path: string): SimulatedAccess {
  const { substreamId } = access;
  return allOf({
    iova: () => bigintOf(access.iova),
    substreamID: () =>
      substreamId === null || substreamId === undefined
        ? undefined
        : integer(substreamId, `${path}.substream_id`, SUBSTREAM_ID),
    privileged: () => access.privileged,
    streamIndex: () => integer(access.streamIndex, `${path}.stream_index`, STREAM_INDEX),
  });
}

function refuseBeyond64Bits(iova: bigint, bytes: number, path: string): void {
  if (iova + BigInt(bytes) <= TWO_64) return;
  throw invalidField(`${path}.iova`, `${bytes} bytes from 0x${iova.toString(16)} end beyond 2^64`);
}

function parseStreamIDs(ids: readonly number[]): readonly StreamID[] {
  if (ids.length < 1 || ids.length > STREAM_IDS_MAX) {
    throw invalidField("stream_ids", `must be 1 to ${STREAM_IDS_MAX}, there are ${ids.length}`);
  }
  const twice = ids.findIndex((id, index) => ids.indexOf(id) !== index);
  if (twice >= 0) throw invalidField(`stream_ids[${twice}]`, `${ids[twice]} is named twice`);
  return ids.map(streamID);
}
