// Bad input: address spaces and the memory in them. Which files may be guest memory: guest-memory-files.test.ts.

import type { MapMemory, PresentMemory } from "../../src/client/client.ts";
import { BROKER } from "../../src/server/rpc/services.ts";
import {
  type BadCase,
  bad,
  DENIED,
  type Expected,
  exhausted,
  invalid,
  LONG_ID,
  MALFORMED_ADDRESS_SPACES,
  precondition,
  shown,
  UNKNOWN_ADDRESS_SPACE,
  unknown,
} from "./e2e-case.ts";
import { FILE_BYTES, mapping, RAM_BYTES, RAM_IPA, type World } from "./e2e-world.ts";

const { createAddressSpace, deleteAddressSpace, mapMemory, presentMemory, unmapMemory } = BROKER;

type Mapping = Partial<ReturnType<typeof mapping>>;
const PAGE = 4096n;
const TICKET = "0123456789abcdef".repeat(2);
const FREE_IPA = 0x8000_0000n;
const MSI_IPA = 0x0800_0000n;
/** smmu0 has OAS 48. */
const IPA_END = 2n ** 48n;
const TOP = 2n ** 64n;

function mapRequest(world: World, changes: Mapping = {}): MapMemory {
  return {
    addressSpace: world.own.addressSpace,
    sources: [{ path: world.ram }],
    mappings: [{ ...mapping(), ipa: FREE_IPA, bytes: PAGE, ...changes }],
  };
}

/** Two mappings in one call: the second one is at fault, so the good first one must not stay. */
function badMapping(field: string, wrong: string, changes: Mapping, path?: string): BadCase {
  return bad(
    mapMemory,
    `mappings mappings.${field}`,
    wrong,
    (world) => {
      const request = mapRequest(world, changes);
      return { ...request, mappings: [{ ...mapping(), ipa: 0xc000_0000n, bytes: PAGE }, ...(request.mappings ?? [])] };
    },
    invalid(path ?? `mappings[1].${field}`),
  );
}

function badSource(wrong: string, path: string, expected: Expected = invalid("sources[0].path")): BadCase {
  return bad(
    mapMemory,
    "sources sources.path",
    wrong,
    (world) => ({ ...mapRequest(world), sources: [{ path }] }),
    expected,
  );
}

function badPresent(field: string, wrong: string, changes: PresentMemory, expected: Expected): BadCase {
  return bad(
    presentMemory,
    field,
    wrong,
    ({ own }) => ({ addressSpace: own.addressSpace, label: "ram", ticket: TICKET, ...changes }),
    expected,
  );
}

function badRange(field: string, wrong: string, range: { ipa?: bigint; bytes?: bigint }, expected: Expected): BadCase {
  return bad(
    unmapMemory,
    `ranges ranges.${field}`,
    wrong,
    ({ own }) => ({ addressSpace: own.addressSpace, ranges: [{ ipa: RAM_IPA, bytes: RAM_BYTES, ...range }] }),
    expected,
  );
}

const MAPPING_CASES: readonly BadCase[] = [
  badMapping("ipa", "unaligned", { ipa: FREE_IPA + 1n }),
  badMapping("ipa", "aligned to 2 KiB", { ipa: FREE_IPA + 2048n }),
  badMapping("ipa", "of what is mapped", { ipa: RAM_IPA }),
  badMapping("ipa", "in the last page of what is mapped", { ipa: RAM_IPA + RAM_BYTES - PAGE, bytes: 2n * PAGE }),
  badMapping("ipa", "one that runs into what is mapped", { ipa: RAM_IPA - PAGE, bytes: 2n * PAGE }),
  badMapping("ipa", "of the other mapping of the call", { ipa: 0xc000_0000n }),
  badMapping("ipa", "the MSI window", { ipa: MSI_IPA }),
  badMapping("ipa", "the last page of the MSI window", { ipa: MSI_IPA + 0xf_f000n }),
  badMapping("ipa", "a range that runs into the MSI window", { ipa: MSI_IPA - PAGE, bytes: 2n * PAGE }),
  badMapping("ipa", "a range around the MSI window", { ipa: MSI_IPA - PAGE, bytes: 4n * 2n ** 20n }),
  badMapping("ipa", "beyond the IPA size", { ipa: IPA_END }),
  badMapping("ipa", "a range that ends beyond the IPA size", { ipa: IPA_END - PAGE, bytes: 2n * PAGE }),
  badMapping("ipa", "2^52", { ipa: 2n ** 52n }, "mappings[1].ipa"),
  badMapping("ipa", "the last page of 64 bits", { ipa: TOP - PAGE }),
  badMapping("ipa", "2^64 - 1", { ipa: TOP - 1n }),
  badMapping("bytes", "zero", { bytes: 0n }),
  badMapping("bytes", "missing", { bytes: 0n }),
  badMapping("bytes", "one", { bytes: 1n }),
  badMapping("bytes", "unaligned", { bytes: PAGE + 1n }),
  badMapping("bytes", "wrapping 64 bits", { bytes: TOP - PAGE }),
  badMapping("bytes", "2^64 - 1", { bytes: TOP - 1n }),
  badMapping("bytes", "2^63", { bytes: 2n ** 63n }),
  badMapping("source", "one past the sources", { source: 1 }),
  badMapping("source", "2^32 - 1", { source: 2 ** 32 - 1 }),
  badMapping("offset", "unaligned", { offset: 1n }),
  badMapping("offset", "at the end of the file", { offset: BigInt(FILE_BYTES) }),
  badMapping("offset", "a range that ends beyond the file", { offset: BigInt(FILE_BYTES) - PAGE, bytes: 2n * PAGE }),
  badMapping("offset", "2^52", { offset: 2n ** 52n }),
  badMapping("offset", "the last page of 64 bits", { offset: TOP - PAGE }),
  badMapping("readable", "neither readable nor writable", { readable: false, writable: false }),
  bad(
    mapMemory,
    "mappings.ipa mappings.bytes mappings.offset mappings.source",
    "all wrong at once",
    (world) => mapRequest(world, { ipa: 1n, bytes: 0n, offset: 1n, source: 7 }),
    invalid("mappings[0].ipa", "mappings[0].bytes", "mappings[0].offset", "mappings[0].source"),
  ),
];

export const MEMORY_CASES: readonly BadCase[] = [
  ...[3, 99, -1].map((pinning) =>
    bad(createAddressSpace, "pinning", `${pinning}`, () => ({ pinning }), invalid("pinning")),
  ),
  bad(createAddressSpace, "request_id", "too long", () => ({ requestId: LONG_ID }), invalid("request_id")),

  ...MALFORMED_ADDRESS_SPACES.map((addressSpace) =>
    bad(
      deleteAddressSpace,
      "address_space",
      `malformed ${shown(addressSpace)}`,
      () => ({ addressSpace }),
      invalid("address_space"),
    ),
  ),
  bad(
    deleteAddressSpace,
    "address_space",
    "someone else's",
    ({ others }) => ({ addressSpace: others.addressSpace }),
    precondition("NOT_OWNER"),
  ),
  bad(
    deleteAddressSpace,
    "address_space",
    "in use",
    ({ own }) => ({ addressSpace: own.addressSpace }),
    precondition("IN_USE"),
  ),
  bad(
    deleteAddressSpace,
    "request_id",
    "too long",
    () => ({ addressSpace: UNKNOWN_ADDRESS_SPACE, requestId: LONG_ID }),
    invalid("request_id"),
  ),

  ...MALFORMED_ADDRESS_SPACES.map((addressSpace) =>
    bad(
      mapMemory,
      "address_space",
      `malformed ${shown(addressSpace)}`,
      (world) => ({ ...mapRequest(world), addressSpace }),
      invalid("address_space"),
    ),
  ),
  bad(
    mapMemory,
    "address_space",
    "unknown",
    (world) => ({ ...mapRequest(world), addressSpace: UNKNOWN_ADDRESS_SPACE }),
    unknown("ADDRESS_SPACE"),
  ),
  bad(
    mapMemory,
    "address_space",
    "someone else's",
    (world) => ({ ...mapRequest(world), addressSpace: world.others.addressSpace }),
    precondition("NOT_OWNER"),
  ),
  bad(mapMemory, "sources", "missing", (world) => ({ ...mapRequest(world), sources: [] }), invalid("sources")),
  bad(
    mapMemory,
    "sources",
    "one that is nothing",
    (world) => ({ ...mapRequest(world), sources: [{}] }),
    invalid("sources[0]"),
  ),
  bad(
    mapMemory,
    "sources",
    "more than a call may have",
    (world) => ({ ...mapRequest(world), sources: Array.from({ length: 3 }, () => ({ path: world.ram })) }),
    exhausted("sources_per_call_max"),
  ),
  ...["", TICKET.slice(1), TICKET.toUpperCase(), TICKET].map((ticket) =>
    bad(
      mapMemory,
      "sources sources.ticket",
      ticket === TICKET ? "never given" : `malformed ${shown(ticket)}`,
      (world) => ({ ...mapRequest(world), sources: [{ ticket }] }),
      invalid("sources[0].ticket"),
    ),
  ),
  badSource("empty", ""),
  badSource("relative", "ram"),
  badSource("with NUL", "/tmp/\u0000"),
  badSource("of 4096 bytes", `/${"a".repeat(4095)}`),
  badSource("of 1.5 MB", `/${"a".repeat(1_500_000)}`),
  badSource("outside the roots", "/etc/passwd", DENIED("sources[0].path")),
  bad(mapMemory, "mappings", "missing", (world) => ({ ...mapRequest(world), mappings: [] }), invalid("mappings")),
  bad(
    mapMemory,
    "mappings",
    "more than a call may have",
    (world) => ({ ...mapRequest(world), mappings: pages(5) }),
    exhausted("mappings_per_call_max"),
  ),
  ...MAPPING_CASES,
  bad(
    mapMemory,
    "request_id",
    "too long",
    (world) => ({ ...mapRequest(world), requestId: LONG_ID }),
    invalid("request_id"),
  ),

  ...MALFORMED_ADDRESS_SPACES.map((addressSpace) =>
    badPresent("address_space", `malformed ${shown(addressSpace)}`, { addressSpace }, invalid("address_space")),
  ),
  badPresent("address_space", "unknown", { addressSpace: UNKNOWN_ADDRESS_SPACE }, unknown("ADDRESS_SPACE")),
  bad(
    presentMemory,
    "address_space",
    "someone else's",
    ({ others }) => ({ addressSpace: others.addressSpace, label: "ram", ticket: TICKET }),
    precondition("NOT_OWNER"),
  ),
  ...["", "guest ram", "x".repeat(65)].map((label) =>
    badPresent("label", `malformed ${shown(label)}`, { label }, invalid("label")),
  ),
  badPresent("label", "of nothing that is missing", { label: "ram" }, invalid("label")),
  badPresent("ticket", "malformed", { ticket: "x" }, invalid("ticket")),
  badPresent("request_id", "too long", { requestId: LONG_ID }, invalid("request_id")),

  ...MALFORMED_ADDRESS_SPACES.map((addressSpace) =>
    bad(
      unmapMemory,
      "address_space",
      `malformed ${shown(addressSpace)}`,
      () => ({ addressSpace, ranges: [{ ipa: RAM_IPA, bytes: RAM_BYTES }] }),
      invalid("address_space"),
    ),
  ),
  bad(
    unmapMemory,
    "address_space",
    "unknown",
    () => ({ addressSpace: UNKNOWN_ADDRESS_SPACE, ranges: [{ ipa: RAM_IPA, bytes: RAM_BYTES }] }),
    unknown("ADDRESS_SPACE"),
  ),
  bad(
    unmapMemory,
    "address_space",
    "someone else's",
    ({ others }) => ({ addressSpace: others.addressSpace, ranges: [{ ipa: RAM_IPA, bytes: RAM_BYTES }] }),
    precondition("NOT_OWNER"),
  ),
  bad(unmapMemory, "ranges", "missing", ({ own }) => ({ addressSpace: own.addressSpace }), invalid("ranges")),
  bad(
    unmapMemory,
    "ranges",
    "more than a call may have",
    ({ own }) => ({ addressSpace: own.addressSpace, ranges: pages(5) }),
    exhausted("mappings_per_call_max"),
  ),
  bad(
    unmapMemory,
    "ranges",
    "two that overlap",
    ({ own }) => ({
      addressSpace: own.addressSpace,
      ranges: [
        { ipa: RAM_IPA, bytes: RAM_BYTES },
        { ipa: RAM_IPA + RAM_BYTES - PAGE, bytes: PAGE },
      ],
    }),
    invalid("ranges[1]"),
  ),
  bad(
    unmapMemory,
    "ranges",
    "a good one, and one of nothing",
    ({ own }) => ({
      addressSpace: own.addressSpace,
      ranges: [
        { ipa: RAM_IPA, bytes: RAM_BYTES },
        { ipa: FREE_IPA, bytes: PAGE },
      ],
    }),
    { ...unknown("MAPPING"), paths: ["ranges[1]"] },
  ),
  badRange("ipa", "unaligned", { ipa: RAM_IPA + 8n }, invalid("ranges[0].ipa")),
  badRange("ipa", "cutting a mapping's end off", { ipa: RAM_IPA + PAGE }, invalid("ranges[0]")),
  badRange("ipa", "2^64 - 4096", { ipa: TOP - PAGE, bytes: PAGE }, invalid("ranges[0].ipa")),
  badRange("bytes", "zero", { bytes: 0n }, invalid("ranges[0].bytes")),
  badRange("bytes", "unaligned", { bytes: 1n }, invalid("ranges[0].bytes")),
  badRange("bytes", "cutting a mapping's beginning off", { bytes: PAGE }, invalid("ranges[0]")),
  badRange("bytes", "wrapping 64 bits", { bytes: TOP - PAGE }, invalid("ranges[0].bytes")),
  bad(
    unmapMemory,
    "request_id",
    "too long",
    ({ own }) => ({ addressSpace: own.addressSpace, ranges: pages(1), requestId: LONG_ID }),
    invalid("request_id"),
  ),
];

function pages(count: number) {
  return Array.from({ length: count }, (_, index) => ({
    ...mapping(),
    ipa: FREE_IPA + BigInt(index) * PAGE,
    bytes: PAGE,
  }));
}
