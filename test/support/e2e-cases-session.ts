// Bad input: capabilities, devices, sessions, faults.

import { BROKER } from "../../src/server/rpc/services.ts";
import {
  type BadCase,
  bad,
  DENIED,
  invalid,
  LONG_ID,
  MALFORMED_DEVICES,
  MALFORMED_SESSIONS,
  precondition,
  shown,
  UNKNOWN_DEVICE,
  UNKNOWN_SESSION,
  unknown,
} from "./e2e-case.ts";
import { IDLE, OTHERS, SIBLING } from "./e2e-world.ts";

const { claimSession, getCapabilities, getDevice, listDevices, openSession, watchDevices } = BROKER;
const { listFaults, respondToFault, watchFaults } = BROKER;

const BAD_IDENTITIES = [
  "",
  "uid:",
  "uid:-1",
  "uid:01",
  "uid:4294967295",
  "uid:*",
  "*",
  "a*b/*",
  "a b",
  "\u00e9",
  "n".repeat(257),
];
const NINE_IDENTITIES = Array.from({ length: 9 }, (_, uid) => `uid:${uid}`);

const MALFORMED_IOMMUS = [
  "smmu0",
  "iommus/",
  "iommus/..",
  `iommus/${"a".repeat(64)}`,
  "devices/smmu0",
  "iommus/s\u0000",
];
/** Next pages that were never handed out. */
const MALFORMED_TOKENS = [
  "x",
  "%%%",
  Buffer.from("0000:01:00.0").toString("base64url"),
  Buffer.from("after:").toString("base64url"),
  Buffer.from("after:../x").toString("base64url"),
  `${Buffer.from("after:0000:01:00.0").toString("base64url")}=`,
  "A".repeat(1_000_000),
];
const CONTROL = ["\u0000", "\u001b[31m", "\n", "\u007f", "\u0085", "\u202e", "\u2028", "\ufeff", "\ud7ff\u{e0001}"];

export const SESSION_CASES: readonly BadCase[] = [
  ...MALFORMED_IOMMUS.map((iommu) =>
    bad(getCapabilities, "iommu", `malformed ${shown(iommu)}`, () => ({ iommu }), invalid("iommu")),
  ),
  bad(getCapabilities, "iommu", "unknown", () => ({ iommu: "iommus/smmu9" }), unknown("IOMMU")),
  ...MALFORMED_DEVICES.filter((device) => device !== "").map((device) =>
    bad(getCapabilities, "device", `malformed ${shown(device)}`, () => ({ device }), invalid("device")),
  ),
  bad(getCapabilities, "device", "unknown", () => ({ device: UNKNOWN_DEVICE }), unknown("DEVICE")),
  bad(
    getCapabilities,
    "iommu device",
    "both malformed",
    () => ({ iommu: "x", device: "x" }),
    invalid("iommu", "device"),
  ),
  ...MALFORMED_TOKENS.map((pageToken) =>
    bad(listDevices, "page_token", shown(pageToken), () => ({ pageToken }), invalid("page_token")),
  ),
  ...MALFORMED_DEVICES.map((device) =>
    bad(getDevice, "device", `malformed ${shown(device)}`, () => ({ device }), invalid("device")),
  ),
  bad(getDevice, "device", "unknown", () => ({ device: UNKNOWN_DEVICE }), unknown("DEVICE")),

  bad(openSession, "display_name", "missing", () => ({}), invalid("display_name")),
  bad(openSession, "display_name", "blank", () => ({ displayName: " \t " }), invalid("display_name")),
  bad(openSession, "display_name", "too long", () => ({ displayName: "n".repeat(129) }), invalid("display_name")),
  bad(openSession, "display_name", "huge", () => ({ displayName: "n".repeat(1_500_000) }), invalid("display_name")),
  ...CONTROL.map((character) =>
    bad(
      openSession,
      "display_name",
      `with ${JSON.stringify(character)}`,
      () => ({ displayName: `vm${character}1` }),
      invalid("display_name"),
    ),
  ),
  ...[3, 99, -1, 2 ** 31 - 1].map((liveness) =>
    bad(openSession, "liveness", `${liveness}`, () => ({ displayName: "vm", liveness }), invalid("liveness")),
  ),
  ...[1, 1999, 3_600_001, 2 ** 32 - 1].map((leaseTtlMs) =>
    bad(
      openSession,
      "lease_ttl_ms",
      `${leaseTtlMs}`,
      () => ({ displayName: "vm", leaseTtlMs }),
      invalid("lease_ttl_ms"),
    ),
  ),
  bad(openSession, "request_id", "too long", () => ({ displayName: "vm", requestId: LONG_ID }), invalid("request_id")),
  bad(
    openSession,
    "display_name liveness lease_ttl_ms",
    "all wrong at once",
    () => ({ displayName: "", liveness: 9, leaseTtlMs: 1 }),
    invalid("display_name", "liveness", "lease_ttl_ms"),
  ),
  bad(
    openSession,
    "lease_ttl_ms",
    "with a process to hang on",
    () => ({ displayName: "vm", liveness: 2, leaseTtlMs: 5000 }),
    invalid("lease_ttl_ms"),
  ),
  ...[600_001, 2 ** 32 - 1].map((graceMs) =>
    bad(openSession, "grace_ms", `${graceMs}`, () => ({ displayName: "vm", graceMs }), invalid("grace_ms")),
  ),
  ...BAD_IDENTITIES.map((identity) =>
    bad(
      openSession,
      "transferable_to",
      shown(identity),
      () => ({ displayName: "vm", transferableTo: ["uid:7", identity] }),
      invalid("transferable_to[1]"),
    ),
  ),
  bad(
    openSession,
    "transferable_to",
    "one too many",
    () => ({ displayName: "vm", transferableTo: NINE_IDENTITIES }),
    invalid("transferable_to"),
  ),

  ...MALFORMED_SESSIONS.map((session) =>
    bad(claimSession, "session", `malformed ${shown(session)}`, () => ({ session }), invalid("session")),
  ),
  bad(claimSession, "session", "unknown", () => ({ session: UNKNOWN_SESSION }), unknown("SESSION")),
  bad(claimSession, "session", "not to be claimed", ({ own }) => ({ session: own.session.name }), DENIED()),
  bad(
    claimSession,
    "liveness",
    "none there is",
    () => ({ session: UNKNOWN_SESSION, liveness: 9 }),
    invalid("liveness"),
  ),
  bad(
    claimSession,
    "lease_ttl_ms",
    "too short",
    () => ({ session: UNKNOWN_SESSION, leaseTtlMs: 1 }),
    invalid("lease_ttl_ms"),
  ),
  bad(
    claimSession,
    "transferable_to",
    "one too many",
    () => ({ session: UNKNOWN_SESSION, transferableTo: NINE_IDENTITIES }),
    invalid("transferable_to"),
  ),
  bad(
    claimSession,
    "request_id",
    "too long",
    () => ({ session: UNKNOWN_SESSION, requestId: LONG_ID }),
    invalid("request_id"),
  ),

  ...["yesterday", "1-", "-1", "1-2-3", "1-2 ", `1-${"9".repeat(16)}`, "9".repeat(1_000_000)].map((resumeAfter) =>
    bad(watchDevices, "resume_after", `${shown(resumeAfter)}`, () => ({ resumeAfter }), invalid("resume_after")),
  ),
  bad(watchDevices, "iommu", "malformed", () => ({ iommu: "smmu0" }), invalid("iommu")),
  bad(watchDevices, "iommu", "unknown", () => ({ iommu: "iommus/smmu9" }), unknown("IOMMU")),
  ...[1, 99, 3_600_001, 2 ** 32 - 1].map((heartbeatMs) =>
    bad(watchDevices, "heartbeat_ms", `${heartbeatMs}`, () => ({ heartbeatMs }), invalid("heartbeat_ms")),
  ),
  ...MALFORMED_DEVICES.map((device) =>
    bad(watchFaults, "devices", `malformed ${shown(device)}`, () => ({ devices: [device] }), invalid("devices[0]")),
  ),
  bad(watchFaults, "devices", "unknown", () => ({ devices: [UNKNOWN_DEVICE] }), unknown("DEVICE")),
  bad(watchFaults, "devices", "someone else's", () => ({ devices: [OTHERS] }), precondition("NOT_OWNER")),
  bad(watchFaults, "devices", "nobody's", () => ({ devices: [IDLE] }), precondition("NOT_OWNER")),
  bad(
    watchFaults,
    "devices",
    "named fifty thousand times",
    () => ({ devices: Array.from({ length: 50_000 }, () => SIBLING) }),
    invalid("devices[1]"),
  ),
  bad(
    watchFaults,
    "resume_after resume_after.key",
    "malformed",
    () => ({ resumeAfter: { "0000:01:00.0": 1n } }),
    invalid('resume_after["0000:01:00.0"]'),
  ),
  ...[1, 99, 3_600_001, 2 ** 32 - 1].map((heartbeatMs) =>
    bad(watchFaults, "heartbeat_ms", `${heartbeatMs}`, () => ({ heartbeatMs }), invalid("heartbeat_ms")),
  ),
  ...["", "c_bad_cd", "F_TRANSLATION ", "0x10", "F\u0000", "x".repeat(1_000_000)].flatMap((type) => [
    bad(watchFaults, "types", shown(type), () => ({ types: ["C_BAD_CD", type] }), invalid("types[1]")),
    bad(listFaults, "types", shown(type), () => ({ types: ["C_BAD_CD", type] }), invalid("types[1]")),
  ]),
  bad(
    watchFaults,
    "types",
    "33 of them",
    () => ({ types: Array.from({ length: 33 }, () => "F_UUT") }),
    invalid("types"),
  ),
  bad(
    listFaults,
    "types",
    "33 of them",
    () => ({ types: Array.from({ length: 33 }, () => "F_UUT") }),
    invalid("types"),
  ),
  ...MALFORMED_DEVICES.map((device) =>
    bad(listFaults, "devices", `malformed ${shown(device)}`, () => ({ devices: [device] }), invalid("devices[0]")),
  ),
  bad(listFaults, "devices", "unknown", () => ({ devices: [UNKNOWN_DEVICE] }), unknown("DEVICE")),
  bad(listFaults, "devices", "someone else's", () => ({ devices: [OTHERS] }), precondition("NOT_OWNER")),
  bad(listFaults, "devices", "nobody's", () => ({ devices: [IDLE] }), precondition("NOT_OWNER")),
  ...MALFORMED_TOKENS.map((pageToken) =>
    bad(listFaults, "page_token", shown(pageToken), () => ({ pageToken }), invalid("page_token")),
  ),
  ...["", "x".repeat(257), "x".repeat(1_000_000)].map((responseToken) =>
    bad(
      respondToFault,
      "response_token",
      shown(responseToken),
      () => ({ responseToken, action: 1 }),
      invalid("response_token"),
    ),
  ),
  bad(
    respondToFault,
    "response_token",
    "of nothing that waits",
    () => ({ responseToken: "x".repeat(43), action: 1 }),
    precondition("FAULT_NOT_PENDING"),
  ),
  ...[0, 7, -1, 2 ** 31 - 1].map((action) =>
    bad(respondToFault, "action", `${action}`, () => ({ responseToken: "x", action }), invalid("action")),
  ),
  bad(
    respondToFault,
    "request_id",
    "too long",
    () => ({ responseToken: "x", action: 1, requestId: LONG_ID }),
    invalid("request_id"),
  ),
];
