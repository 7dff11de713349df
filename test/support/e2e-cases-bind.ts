// Bad input: binds. Each is sent by itself, and as the second request of a batch.

import { type BindGuestStage, Stage1Mode } from "../../src/client/client.ts";
import {
  badVSTE,
  type Expected,
  exists,
  FENCED,
  invalid,
  MALFORMED_DEVICES,
  precondition,
  STALE_GENERATIONS,
  shown,
  UNKNOWN_DEVICE,
  UNSUPPORTED,
  unknown,
} from "./e2e-case.ts";
import { FRESH, GROUPED, IDLE, NAMED, NESTED, OTHERS, RAM_IPA, SIBLING, TWIN, type World } from "./e2e-world.ts";

const { STAGE1_MODE_ABORT, STAGE1_MODE_BYPASS, STAGE1_MODE_TRANSLATE } = Stage1Mode;

/** A bad bind: once by itself, once in a batch. */
export interface BadBind {
  readonly fields: string;
  readonly wrong: string;
  readonly request: (world: World) => BindGuestStage;
  /** Paths as BindGuestStage has them. */
  readonly expected: Expected;
}

function bind(fields: string, wrong: string, changes: BindGuestStage, expected: Expected): BadBind {
  const good: BindGuestStage = { device: FRESH, virtualStreamId: 7 };
  return { fields, wrong, request: () => ({ ...good, ...changes }), expected };
}

const TABLE = { mode: STAGE1_MODE_TRANSLATE, s1ContextPtr: RAM_IPA };
const VALID_TRANSLATE = 1n | (0b101n << 1n) | RAM_IPA;
/** Bits of doublewords 0 and 1 that a guest may set (arm_smmu_validate_vste of Linux): [msb, lsb]. */
const GUEST_BITS = [
  [51, 0],
  [63, 59],
  [71, 64],
  [93, 91],
] as const;
const FORBIDDEN_BITS = Array.from({ length: 128 }, (_, bit) => bit).filter(
  (bit) => !GUEST_BITS.some(([msb, lsb]) => bit <= msb && bit >= lsb),
);

function raw(dword0: bigint, dword1 = 0n): BindGuestStage {
  return { raw: { doubleword0: dword0, doubleword1: dword1 } };
}

const RAW_BINDS: readonly BadBind[] = [
  ...FORBIDDEN_BITS.map((bit) =>
    bit < 64
      ? bind(
          "raw raw.doubleword0",
          `bit ${bit}`,
          raw(VALID_TRANSLATE | (1n << BigInt(bit))),
          badVSTE("raw.doubleword0"),
        )
      : bind(
          "raw raw.doubleword1",
          `bit ${bit}`,
          raw(VALID_TRANSLATE, 1n << BigInt(bit - 64)),
          badVSTE("raw.doubleword1"),
        ),
  ),
  ...[0b110n, 0b111n].map((config) =>
    bind("raw.doubleword0", `Config 0b${config.toString(2)}`, raw(1n | (config << 1n)), badVSTE("raw.doubleword0")),
  ),
  ...[2n, 3n].map((eats) =>
    bind("raw.doubleword1", `EATS ${eats}`, raw(VALID_TRANSLATE, eats << 28n), badVSTE("raw.doubleword1")),
  ),
  bind(
    "raw.doubleword0 raw.doubleword1",
    "a bad bit in each",
    raw(VALID_TRANSLATE | (1n << 57n), 1n << 19n),
    badVSTE("raw.doubleword0", "raw.doubleword1"),
  ),
];

/** One past each field, and with the modes that have no table. */
const TABLE_FIELDS = {
  s1_context_ptr: { s1ContextPtr: RAM_IPA },
  s1_fmt: { s1Fmt: 1 },
  s1_cd_max: { s1CdMax: 1 },
  s1_dss: { s1Dss: 1 },
  s1_cir: { s1Cir: 1 },
  s1_cor: { s1Cor: 1 },
  s1_csh: { s1Csh: 1 },
  s1_stalld: { s1Stalld: true },
  eats: { eats: 1 },
};

const FIELD_BINDS: readonly BadBind[] = [
  ...[0, 4, -1].map((mode) =>
    bind("fields fields.mode", `${mode}`, { fields: { ...TABLE, mode } }, invalid("fields.mode")),
  ),
  ...[RAM_IPA + 1n, RAM_IPA + 32n, 2n ** 52n, 2n ** 64n - 64n].map((s1ContextPtr) =>
    bind(
      "fields.s1_context_ptr",
      `0x${s1ContextPtr.toString(16)}`,
      { fields: { ...TABLE, s1ContextPtr } },
      badVSTE("fields.s1_context_ptr"),
    ),
  ),
  bind("fields.s1_fmt", "4", { fields: { ...TABLE, s1Fmt: 4 } }, badVSTE("fields.s1_fmt")),
  bind("fields.s1_cd_max", "32", { fields: { ...TABLE, s1CdMax: 32 } }, badVSTE("fields.s1_cd_max")),
  bind("fields.s1_dss", "4", { fields: { ...TABLE, s1Dss: 4 } }, badVSTE("fields.s1_dss")),
  bind("fields.s1_cir", "4", { fields: { ...TABLE, s1Cir: 4 } }, badVSTE("fields.s1_cir")),
  bind("fields.s1_cor", "4", { fields: { ...TABLE, s1Cor: 4 } }, badVSTE("fields.s1_cor")),
  bind("fields.s1_csh", "2^32 - 1", { fields: { ...TABLE, s1Csh: 2 ** 32 - 1 } }, badVSTE("fields.s1_csh")),
  ...[2, 3, 4].map((eats) => bind("fields.eats", `${eats}`, { fields: { ...TABLE, eats } }, badVSTE("fields.eats"))),
  bind(
    "fields.s1_fmt fields.s1_dss fields.s1_context_ptr",
    "three wrong at once",
    { fields: { ...TABLE, s1Fmt: 4, s1Dss: 9, s1ContextPtr: 1n } },
    badVSTE("fields.s1_fmt", "fields.s1_dss", "fields.s1_context_ptr"),
  ),
  ...[STAGE1_MODE_BYPASS, STAGE1_MODE_ABORT].flatMap((mode) =>
    Object.entries(TABLE_FIELDS).map(([field, set]) =>
      bind(`fields.${field}`, `set with mode ${mode}`, { fields: { mode, ...set } }, invalid(`fields.${field}`)),
    ),
  ),
];

export const BAD_BINDS: readonly BadBind[] = [
  ...MALFORMED_DEVICES.map((device) =>
    bind("device", `malformed ${shown(device)}`, { device, fields: TABLE }, invalid("device")),
  ),
  bind("device", "unknown", { device: UNKNOWN_DEVICE, fields: TABLE }, unknown("DEVICE")),
  bind("device", "someone else's", { device: OTHERS, fields: TABLE }, precondition("DEVICE_OWNED")),
  bind("device", "not attached", { device: IDLE, fields: TABLE }, precondition("TRANSITION_ILLEGAL")),
  bind(
    "device",
    "not attached, its group is",
    { device: SIBLING, fields: { mode: STAGE1_MODE_BYPASS } },
    precondition("TRANSITION_ILLEGAL"),
  ),
  bind("device", "one of three, TRANSLATE", { device: GROUPED, fields: TABLE }, precondition("GROUP_NOT_SINGLETON")),
  bind("device", "with two StreamIDs, TRANSLATE", { device: TWIN, fields: TABLE }, UNSUPPORTED),
  {
    ...bind("virtual_stream_id", "missing", {}, invalid("virtual_stream_id")),
    request: () => ({ device: FRESH, fields: TABLE }),
  },
  bind("virtual_stream_id", "too wide", { virtualStreamId: 0x1_0000, fields: TABLE }, invalid("virtual_stream_id")),
  bind("virtual_stream_id", "2^32 - 1", { virtualStreamId: 2 ** 32 - 1, fields: TABLE }, invalid("virtual_stream_id")),
  bind(
    "virtual_stream_id",
    "too wide, with BYPASS",
    { virtualStreamId: 0x1_0000, fields: { mode: STAGE1_MODE_BYPASS } },
    invalid("virtual_stream_id"),
  ),
  bind(
    "virtual_stream_id",
    "taken by a nested device",
    { virtualStreamId: 1, fields: TABLE },
    exists("ALREADY_EXISTS", "virtual_stream_id"),
  ),
  bind(
    "virtual_stream_id",
    "taken by a device in bypass",
    { virtualStreamId: 2, fields: { mode: STAGE1_MODE_ABORT } },
    exists("ALREADY_EXISTS", "virtual_stream_id"),
  ),
  bind(
    "virtual_stream_id",
    "changed while nested",
    { device: NESTED, virtualStreamId: 3, fields: TABLE },
    precondition("TRANSITION_ILLEGAL"),
  ),
  bind(
    "virtual_stream_id",
    "changed while nested, with BYPASS",
    { device: NESTED, virtualStreamId: 3, fields: { mode: STAGE1_MODE_BYPASS } },
    precondition("TRANSITION_ILLEGAL"),
  ),
  bind("", "no config", {}, invalid("config")),
  ...RAW_BINDS,
  ...FIELD_BINDS,
  bind(
    "page_table page_table.root page_table.address_bits page_table.sre page_table.eafe page_table.wpe",
    "not for an SMMUv3",
    { pageTable: { root: RAM_IPA, addressBits: 48 } },
    UNSUPPORTED,
  ),
  bind(
    "validate_only",
    "of what would be refused",
    { validateOnly: true, fields: { ...TABLE, eats: 2 } },
    badVSTE("fields.eats"),
  ),
  bind(
    "validate_only",
    "of another's device",
    { validateOnly: true, device: OTHERS, fields: TABLE },
    precondition("DEVICE_OWNED"),
  ),
  ...STALE_GENERATIONS.map((expectedGeneration) =>
    bind("expected_generation", `${expectedGeneration}`, { device: NAMED, expectedGeneration, fields: TABLE }, FENCED),
  ),
  bind(
    "device virtual_stream_id fields.eats",
    "malformed device and bad STE",
    { device: "x", fields: { ...TABLE, eats: 2 } },
    { code: "INVALID_ARGUMENT", reason: "ARGUMENT_INVALID", paths: ["device", "fields.eats"] },
  ),
];
