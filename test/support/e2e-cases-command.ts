// Bad input: invalidation commands, raw and typed. Every case is the second command of its batch: the good first one
// must not have run, and the index must be told.

import type { InvalidationCommand } from "../../src/client/client.ts";
import { BROKER } from "../../src/server/rpc/services.ts";
import {
  type BadCase,
  bad,
  type Expected,
  exhausted,
  invalid,
  MALFORMED_VIRTUAL_IOMMUS,
  precondition,
  shown,
  UNKNOWN_VIRTUAL_IOMMU,
  unknown,
} from "./e2e-case.ts";
import type { World } from "./e2e-world.ts";

/** A case of either RPC: their requests have the same fields. */
interface CommandCase {
  readonly fields: string;
  readonly wrong: string;
  readonly request: (world: World) => { readonly virtualIommu: string; readonly commands?: InvalidationCommand[] };
  readonly expected: Expected;
}

function badCommand(field: string, wrong: string, command: InvalidationCommand, path: string): CommandCase {
  return {
    fields: field === "" ? "commands" : `commands commands.${field}`,
    wrong,
    request: ({ own }) => ({ virtualIommu: own.virtualIommu, commands: [{ tlbiNhAll: {} }, command] }),
    expected: invalid(path),
  };
}

/** Opcodes: IHI 0070G.b §4.1.3. Fields: §4.3 and §4.4. */
function raw(...words: readonly [number, number, number, number]): InvalidationCommand {
  return { raw: new Uint8Array(Uint32Array.from(words).buffer) };
}

const NOT_FOR_GUESTS: Readonly<Record<string, number>> = {
  nothing: 0x00,
  PREFETCH_CONFIG: 0x01,
  CFGI_STE: 0x03,
  CFGI_STE_RANGE: 0x04,
  CFGI_VMS_PIDM: 0x07,
  TLBI_EL3_ALL: 0x18,
  TLBI_EL2_ALL: 0x20,
  TLBI_S12_VMALL: 0x28,
  TLBI_S2_IPA: 0x2a,
  PRI_RESP: 0x41,
  RESUME: 0x44,
  STALL_TERM: 0x45,
  SYNC: 0x46,
  "a reserved one": 0x80,
  "the last one": 0xff,
};

const RAW_CASES: readonly CommandCase[] = [
  ...[0, 1, 15, 17, 64, 1_000_000].map((length) =>
    badCommand("raw", `${length} bytes`, { raw: new Uint8Array(length) }, "commands[1].raw"),
  ),
  ...Object.entries(NOT_FOR_GUESTS).map(([name, opcode]) =>
    badCommand("raw", `opcode of ${name}`, raw(opcode, 0, 0, 0), "commands[1]"),
  ),
  badCommand("raw", "ATC_INV without ATS", raw(0x40, 1, 0, 0), "commands[1]"),
  badCommand("raw", "TLBI_NH_ALL with a reserved bit", raw(0x10 | (1 << 8), 0, 0, 0), "commands[1]"),
  badCommand("raw", "TLBI_NH_ALL with an ASID", raw(0x10, 1 << 16, 0, 0), "commands[1]"),
  badCommand("raw", "TLBI_NH_ALL with a VMID", raw(0x10, 1, 0, 0), "commands[1]"),
  badCommand("raw", "TLBI_NH_ASID with another guest's VMID", raw(0x11, (1 << 16) | 2, 0, 0), "commands[1]"),
  badCommand("raw", "TLBI_NH_VA with SSec", raw(0x12 | (1 << 10), 0, 0, 0), "commands[1]"),
  badCommand("raw", "TLBI_NH_VA with NUM and no TG", raw(0x12 | (1 << 12), 0, 0x1000, 0), "commands[1]"),
  badCommand("raw", "TLBI_NH_VAA with an ASID", raw(0x13, 1 << 16, 0, 0), "commands[1]"),
  badCommand("raw", "TLBI_NSNH_ALL with a VMID", raw(0x30, 1, 0, 0), "commands[1]"),
  badCommand("raw", "CFGI_CD of an unknown StreamID", raw(0x05, 99, 0, 0), "commands[1]"),
  badCommand("raw", "CFGI_CD of the host's StreamID", raw(0x05, 0x100, 0, 0), "commands[1]"),
  badCommand("raw", "CFGI_CD_ALL of an unknown StreamID", raw(0x06, 0xffff_ffff, 0, 0), "commands[1]"),
  badCommand("raw", "CFGI_CD_ALL with a SubstreamID", raw(0x06 | (1 << 12), 1, 0, 0), "commands[1]"),
];

const BAD_ADDRESSES = [
  ["asid", "0x10000", { asid: 0x1_0000 }],
  ["asid", "2^32 - 1", { asid: 2 ** 32 - 1 }],
  ["address", "unaligned", { address: 0x1001n }],
  ["address", "2^64 - 1", { address: 2n ** 64n - 1n }],
  ["tg", "4", { tg: 4 }],
  ["num", "32", { tg: 1, num: 32 }],
  ["scale", "32", { tg: 1, scale: 32 }],
  ["ttl", "4", { tg: 1, ttl: 4 }],
] as const;
const BAD_RANGES = [
  ["num", "without tg", { num: 1 }],
  ["scale", "without tg", { scale: 1 }],
  ["ttl", "without tg", { ttl: 1 }],
  ["tg", "of one granule at any level", { tg: 1 }],
] as const;

const BAD_ATC_INVS = [
  ["substream_id", "2^20", { substreamId: 2 ** 20 }],
  ["global", "without substream_id", { global: true }],
  ["address", "unaligned", { address: 0x1001n }],
  ["size", "53", { size: 53 }],
] as const;

const TYPED_CASES: readonly CommandCase[] = [
  badCommand("", "nothing", {}, "commands[1]"),
  badCommand("tlbi_nh_asid.asid", "0x10000", { tlbiNhAsid: { asid: 0x1_0000 } }, "commands[1].tlbi_nh_asid.asid"),
  ...BAD_ADDRESSES.map(([field, wrong, changes]) =>
    badCommand(`tlbi_nh_va.${field}`, wrong, { tlbiNhVa: changes }, `commands[1].tlbi_nh_va.${field}`),
  ),
  ...BAD_ADDRESSES.slice(2).map(([field, wrong, changes]) =>
    badCommand(`tlbi_nh_vaa.${field}`, wrong, { tlbiNhVaa: changes }, `commands[1].tlbi_nh_vaa.${field}`),
  ),
  badCommand("tlbi_nh_vaa.asid", "one", { tlbiNhVaa: { asid: 1 } }, "commands[1].tlbi_nh_vaa.asid"),
  ...BAD_RANGES.flatMap(([field, wrong, changes]) => [
    badCommand(`tlbi_nh_va.${field}`, wrong, { tlbiNhVa: changes }, "commands[1]"),
    badCommand(`tlbi_nh_vaa.${field}`, wrong, { tlbiNhVaa: changes }, "commands[1]"),
  ]),
  badCommand("cfgi_cd.virtual_stream_id", "unknown", { cfgiCd: { virtualStreamId: 99 } }, "commands[1]"),
  badCommand(
    "cfgi_cd.substream_id",
    "2^20",
    { cfgiCd: { virtualStreamId: 1, substreamId: 2 ** 20 } },
    "commands[1].cfgi_cd.substream_id",
  ),
  badCommand("cfgi_cd_all.virtual_stream_id", "unknown", { cfgiCdAll: { virtualStreamId: 99 } }, "commands[1]"),
  badCommand(
    "cfgi_cd_all.substream_id",
    "one",
    { cfgiCdAll: { virtualStreamId: 1, substreamId: 1 } },
    "commands[1].cfgi_cd_all.substream_id",
  ),
  badCommand(
    "cfgi_cd_all.leaf",
    "set",
    { cfgiCdAll: { virtualStreamId: 1, leaf: true } },
    "commands[1].cfgi_cd_all.leaf",
  ),
  badCommand(
    "atc_inv.virtual_stream_id",
    "behind an SMMU without ATS",
    { atcInv: { virtualStreamId: 1, size: 52 } },
    "commands[1]",
  ),
  ...BAD_ATC_INVS.map(([field, wrong, changes]) =>
    badCommand(`atc_inv.${field}`, wrong, { atcInv: changes }, `commands[1].atc_inv.${field}`),
  ),
];

function badTarget(wrong: string, virtualIommu: string, expected: Expected): CommandCase {
  return {
    fields: "virtual_iommu",
    wrong,
    request: () => ({ virtualIommu, commands: [{ tlbiNhAll: {} }] }),
    expected,
  };
}

const CASES: readonly CommandCase[] = [
  ...MALFORMED_VIRTUAL_IOMMUS.map((name) => badTarget(`malformed ${shown(name)}`, name, invalid("virtual_iommu"))),
  badTarget("unknown", UNKNOWN_VIRTUAL_IOMMU, unknown("VIRTUAL_IOMMU")),
  {
    fields: "virtual_iommu",
    wrong: "someone else's",
    request: ({ others }) => ({ virtualIommu: others.virtualIommu, commands: [{ tlbiNhAll: {} }] }),
    expected: precondition("NOT_OWNER"),
  },
  {
    fields: "commands",
    wrong: "none",
    request: ({ own }) => ({ virtualIommu: own.virtualIommu }),
    expected: invalid("commands"),
  },
  {
    fields: "commands",
    wrong: "more than a call may have",
    request: ({ own }) => ({ virtualIommu: own.virtualIommu, commands: Array(4).fill({ tlbiNhAll: {} }) }),
    expected: exhausted("commands_per_call_max"),
  },
  ...RAW_CASES,
  ...TYPED_CASES,
];

/** CMD_TLBI_NH_ALL, and CMD_SYNC. */
const [GOOD, SYNC] = [Buffer.from("10".padEnd(32, "0"), "hex"), Buffer.from("46".padEnd(32, "0"), "hex")];

const badBytes = (wrong: string, rawCommands: Buffer, expected: Expected): BadCase =>
  bad(
    BROKER.streamInvalidations,
    "raw_commands",
    wrong,
    ({ own }) => ({ virtualIommu: own.virtualIommu, rawCommands }),
    expected,
  );

export const COMMAND_CASES: readonly BadCase[] = [
  ...CASES.map(({ expected, fields, request, wrong }) => bad(BROKER.invalidateCache, fields, wrong, request, expected)),
  ...CASES.map(({ expected, fields, request, wrong }) =>
    bad(BROKER.streamInvalidations, fields, wrong, request, expected),
  ),
  badBytes("half a command", GOOD.subarray(8), invalid("raw_commands")),
  badBytes("a command that is not for a guest", Buffer.concat([GOOD, SYNC]), invalid("commands[1]")),
  badBytes("more than a batch may have", Buffer.concat(Array(4).fill(GOOD)), exhausted("commands_per_call_max")),
  bad(
    BROKER.streamInvalidations,
    "raw_commands",
    "beside commands",
    ({ own }) => ({ virtualIommu: own.virtualIommu, commands: [{ tlbiNhAll: {} }], rawCommands: GOOD }),
    invalid("raw_commands"),
  ),
];
