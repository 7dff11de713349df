// Bad input: the Simulator service.

import type { AddDevice, DmaAccess, TranslateAccess } from "../../src/client/client.ts";
import { SIMULATOR } from "../../src/server/rpc/services.ts";
import {
  type BadCase,
  bad,
  type Expected,
  exhausted,
  exists,
  invalid,
  MALFORMED_ADDRESS_SPACES,
  MALFORMED_DEVICES,
  precondition,
  shown,
  UNKNOWN_ADDRESS_SPACE,
  UNKNOWN_DEVICE,
  unknown,
} from "./e2e-case.ts";
import { IDLE, NESTED, OTHERS, RAM_BYTES, RAM_IPA, SIBLING } from "./e2e-world.ts";

const { addDevice, dma, listMsis, readMemory, readStructures, removeDevice, translate, writeMemory } = SIMULATOR;
const TOP = 2n ** 64n;

function badDevice(fields: string, wrong: string, changes: AddDevice, expected: Expected): BadCase {
  const good = { deviceId: "new", iommu: "iommus/smmu0", iommuGroup: 70, streamIds: [0x700, 0x701] };
  return bad(addDevice, fields, wrong, () => ({ ...good, ...changes }), expected);
}

const ADD_CASES: readonly BadCase[] = [
  ...["", ".x", "a b", "a/b", "x\u0000", "\u00e9", "x".repeat(64), "y".repeat(1_000_000)].map((deviceId) =>
    badDevice("device_id", `malformed ${shown(deviceId)}`, { deviceId }, invalid("device_id")),
  ),
  badDevice("device_id", "taken", { deviceId: "0000:01:00.0" }, exists("ALREADY_EXISTS", "device_id")),
  ...["", "smmu0", "iommus/", "devices/smmu0"].map((iommu) =>
    badDevice("iommu", `malformed ${shown(iommu)}`, { iommu }, invalid("iommu")),
  ),
  badDevice("iommu", "unknown", { iommu: "iommus/smmu9" }, unknown("IOMMU")),
  ...[2 ** 31, 2 ** 32 - 1].map((iommuGroup) =>
    badDevice("iommu_group", `${iommuGroup}`, { iommuGroup }, invalid("iommu_group")),
  ),
  badDevice("iommu_group", "behind another IOMMU", { iommuGroup: 5 }, invalid("iommu_group")),
  badDevice("iommu_group", "one with an owner", { iommuGroup: 2 }, precondition("IN_USE")),
  badDevice("stream_ids", "none", { streamIds: [] }, invalid("stream_ids")),
  badDevice("stream_ids", "nine", { streamIds: [1, 2, 3, 4, 5, 6, 7, 8, 9] }, invalid("stream_ids")),
  badDevice("stream_ids", "one twice", { streamIds: [0x700, 0x701, 0x700] }, invalid("stream_ids[2]")),
  badDevice("stream_ids", "too wide for the SMMU", { streamIds: [0x700, 0x1_0000] }, invalid("stream_ids[1]")),
  badDevice("stream_ids", "2^32 - 1", { streamIds: [2 ** 32 - 1] }, invalid("stream_ids[0]")),
  badDevice("stream_ids", "taken", { streamIds: [0x700, 0x100] }, exists("ALREADY_EXISTS", "stream_ids[1]")),
  badDevice("pasid_bits", "21", { pasidBits: 21 }, invalid("pasid_bits")),
  badDevice("pasid_bits", "2^32 - 1", { pasidBits: 2 ** 32 - 1 }, invalid("pasid_bits")),
  badDevice("stall", "true where nothing can", { stall: true }, invalid("stall")),
  badDevice(
    "device_id iommu iommu_group stream_ids pasid_bits",
    "all wrong at once",
    { deviceId: "", iommu: "", iommuGroup: 2 ** 31, streamIds: [], pasidBits: 99 },
    invalid("device_id", "iommu", "iommu_group", "stream_ids", "pasid_bits"),
  ),
];

/** The same wrong devices for every call that takes one of the session's. */
const DEVICE_CASES: readonly BadCase[] = [
  ...[...MALFORMED_DEVICES.map((device) => [device, `malformed ${shown(device)}`, invalid("device")] as const)],
  [UNKNOWN_DEVICE, "unknown", unknown("DEVICE")] as const,
  [OTHERS, "someone else's", precondition("DEVICE_OWNED")] as const,
  [IDLE, "nobody's", precondition("NOT_OWNER")] as const,
].flatMap(([device, wrong, expected]) => [
  bad(dma, "device", wrong, () => ({ device, accesses: [{ readBytes: 8 }] }), expected),
  bad(translate, "device", wrong, () => ({ device, accesses: [{}] }), expected),
  bad(readStructures, "device", wrong, () => ({ device }), expected),
  bad(listMsis, "device", wrong, () => ({ device }), expected),
  ...(device === IDLE ? [] : [bad(removeDevice, "device", wrong, () => ({ device }), expected)]),
]);

function badDma(fields: string, wrong: string, access: DmaAccess, expected: Expected): BadCase {
  const good = { iova: RAM_IPA, readBytes: 8 };
  return bad(dma, `accesses ${fields}`, wrong, () => ({ device: NESTED, accesses: [good, access] }), expected);
}

function badTranslate(fields: string, wrong: string, access: TranslateAccess, path: string): BadCase {
  const accesses = [{ iova: RAM_IPA }, access];
  return bad(translate, `accesses ${fields}`, wrong, () => ({ device: NESTED, accesses }), invalid(path));
}

const ACCESS_CASES: readonly BadCase[] = [
  badDma("accesses.substream_id", "2^20", { substreamId: 2 ** 20, readBytes: 8 }, invalid("accesses[1].substream_id")),
  badDma(
    "accesses.stream_index",
    "one too many",
    { streamIndex: 1, readBytes: 8 },
    invalid("accesses[1].stream_index"),
  ),
  badDma("accesses.stream_index", "8", { streamIndex: 8, readBytes: 8 }, invalid("accesses[1].stream_index")),
  badDma("accesses.read_bytes accesses.write", "neither", { iova: RAM_IPA }, invalid("accesses[1].data")),
  badDma(
    "accesses.read_bytes",
    "more than a call may have",
    { readBytes: 2 ** 20 },
    exhausted("data_bytes_per_call_max"),
  ),
  badDma("accesses.read_bytes", "2^32 - 1", { readBytes: 2 ** 32 - 1 }, exhausted("data_bytes_per_call_max")),
  badDma(
    "accesses.write",
    "more than a call may have",
    { write: new Uint8Array(2 ** 20) },
    exhausted("data_bytes_per_call_max"),
  ),
  badDma("accesses.iova", "leaving 64 bits", { iova: TOP - 4n, readBytes: 8 }, invalid("accesses[1].iova")),
  badDma(
    "accesses.iova",
    "leaving 64 bits, a write",
    { iova: TOP - 1n, write: new Uint8Array(2) },
    invalid("accesses[1].iova"),
  ),
  bad(
    dma,
    "accesses",
    "more than a call may have",
    () => ({ device: NESTED, accesses: Array.from({ length: 4097 }, () => ({ readBytes: 0 })) }),
    exhausted("accesses_per_call_max"),
  ),
  badTranslate("accesses.substream_id", "2^20", { substreamId: 2 ** 20 }, "accesses[1].substream_id"),
  badTranslate("accesses.stream_index", "one too many", { streamIndex: 1 }, "accesses[1].stream_index"),
  badTranslate("accesses.stream_index", "2^32 - 1", { streamIndex: 2 ** 32 - 1 }, "accesses[1].stream_index"),
  ...[4, -1, 2 ** 31 - 1].map((access) =>
    badTranslate("accesses.access", `${access}`, { access }, "accesses[1].access"),
  ),
  bad(
    translate,
    "accesses",
    "more than a call may have",
    () => ({ device: NESTED, accesses: Array.from({ length: 4097 }, () => ({})) }),
    exhausted("accesses_per_call_max"),
  ),
  bad(
    readStructures,
    "stream_index",
    "one too many",
    () => ({ device: NESTED, streamIndex: 1 }),
    invalid("stream_index"),
  ),
  bad(readStructures, "stream_index", "8", () => ({ device: NESTED, streamIndex: 8 }), invalid("stream_index")),
  bad(
    readStructures,
    "substream_id",
    "2^20",
    () => ({ device: NESTED, substreamId: 2 ** 20 }),
    invalid("substream_id"),
  ),
  bad(
    readStructures,
    "substream_id stream_index",
    "both out of range",
    () => ({ device: NESTED, streamIndex: 9, substreamId: 2 ** 32 - 1 }),
    invalid("stream_index", "substream_id"),
  ),
  bad(
    removeDevice,
    "device",
    "in a group of which another is attached",
    () => ({ device: SIBLING }),
    precondition("IN_USE"),
  ),
];

const DATA = new Uint8Array(8).fill(0xff);
const MEMORY_CASES: readonly BadCase[] = [
  ...MALFORMED_ADDRESS_SPACES.flatMap((addressSpace) => [
    bad(
      readMemory,
      "address_space",
      `malformed ${shown(addressSpace)}`,
      () => ({ addressSpace, ipa: RAM_IPA, bytes: 8 }),
      invalid("address_space"),
    ),
    bad(
      writeMemory,
      "address_space",
      `malformed ${shown(addressSpace)}`,
      () => ({ addressSpace, ipa: RAM_IPA, data: DATA }),
      invalid("address_space"),
    ),
  ]),
  bad(
    readMemory,
    "address_space",
    "unknown",
    () => ({ addressSpace: UNKNOWN_ADDRESS_SPACE, ipa: RAM_IPA, bytes: 8 }),
    unknown("ADDRESS_SPACE"),
  ),
  bad(
    writeMemory,
    "address_space",
    "unknown",
    () => ({ addressSpace: UNKNOWN_ADDRESS_SPACE, ipa: RAM_IPA, data: DATA }),
    unknown("ADDRESS_SPACE"),
  ),
  bad(
    readMemory,
    "address_space",
    "someone else's",
    ({ others }) => ({ addressSpace: others.addressSpace, ipa: RAM_IPA, bytes: 8 }),
    precondition("NOT_OWNER"),
  ),
  bad(
    writeMemory,
    "address_space",
    "someone else's",
    ({ others }) => ({ addressSpace: others.addressSpace, ipa: RAM_IPA, data: DATA }),
    precondition("NOT_OWNER"),
  ),
  ...[
    0n,
    RAM_IPA - 1n,
    RAM_IPA - 4n,
    RAM_IPA + RAM_BYTES,
    RAM_IPA + RAM_BYTES - 4n,
    2n ** 52n,
    2n ** 53n + 1n,
    TOP - 1n,
  ].flatMap((ipa) => [
    bad(
      readMemory,
      "ipa",
      `not mapped: 0x${ipa.toString(16)}`,
      ({ own }) => ({ addressSpace: own.addressSpace, ipa, bytes: 8 }),
      invalid("ipa"),
    ),
    bad(
      writeMemory,
      "ipa",
      `not mapped: 0x${ipa.toString(16)}`,
      ({ own }) => ({ addressSpace: own.addressSpace, ipa, data: DATA }),
      invalid("ipa"),
    ),
  ]),
  bad(
    readMemory,
    "bytes",
    "more than a call may have",
    ({ own }) => ({ addressSpace: own.addressSpace, ipa: RAM_IPA, bytes: 2 ** 20 + 1 }),
    exhausted("data_bytes_per_call_max"),
  ),
  bad(
    readMemory,
    "bytes",
    "2^32 - 1",
    ({ own }) => ({ addressSpace: own.addressSpace, ipa: RAM_IPA, bytes: 2 ** 32 - 1 }),
    exhausted("data_bytes_per_call_max"),
  ),
  bad(
    writeMemory,
    "data",
    "more than a call may have",
    ({ own }) => ({ addressSpace: own.addressSpace, ipa: RAM_IPA, data: new Uint8Array(2 ** 20 + 1) }),
    exhausted("data_bytes_per_call_max"),
  ),
];

export const SIMULATOR_CASES: readonly BadCase[] = [...ADD_CASES, ...DEVICE_CASES, ...ACCESS_CASES, ...MEMORY_CASES];
