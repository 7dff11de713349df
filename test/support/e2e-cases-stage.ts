// Bad input: virtual IOMMUs, attaching and leaving. Binds are in e2e-cases-bind.ts.

import { type IdRegisters, Stage1Mode } from "../../src/client/client.ts";
import { BROKER } from "../../src/server/rpc/services.ts";
import {
  type BadCase,
  bad,
  DENIED,
  type Expected,
  exhausted,
  FENCED,
  invalid,
  LONG_ID,
  MALFORMED_ADDRESS_SPACES,
  MALFORMED_DEVICES,
  MALFORMED_VIRTUAL_IOMMUS,
  precondition,
  STALE_GENERATIONS,
  shown,
  UNKNOWN_ADDRESS_SPACE,
  UNKNOWN_DEVICE,
  UNKNOWN_VIRTUAL_IOMMU,
  unknown,
} from "./e2e-case.ts";
import { IDLE, NESTED, OTHERS, SIBLING } from "./e2e-world.ts";

const {
  attachDevice,
  createVirtualIommu,
  deleteVirtualIommu,
  detachDevice,
  getDeviceDescriptor,
  resetDevice,
  setVirtualIommuMode,
  unbindGuestStage,
  vendDevice,
} = BROKER;
const { STAGE1_MODE_ABORT, STAGE1_MODE_BYPASS, STAGE1_MODE_TRANSLATE } = Stage1Mode;

/** Fits smmu0: a guest that is shown little. */
const MODEST: IdRegisters = {
  idr0: 0x0d48_101a,
  idr1: 0x0273_0510,
  idr2: 0,
  idr3: 0,
  idr4: 0,
  idr5: 0x75,
  idr6: 0,
  iidr: 0,
  aidr: 0,
};

function badCreate(fields: string, wrong: string, changes: object, expected: Expected): BadCase {
  return bad(
    createVirtualIommu,
    fields,
    wrong,
    ({ own }) => ({ addressSpace: own.addressSpace, iommus: ["iommus/smmu0"], ...changes }),
    expected,
  );
}

function unfit(register: keyof IdRegisters, wrong: string, value: number): BadCase {
  return badCreate(
    `registers registers.${register}`,
    wrong,
    { registers: { ...MODEST, [register]: value } },
    precondition("REGISTERS_UNFIT", `registers.${register}`),
  );
}

const CREATE_CASES: readonly BadCase[] = [
  ...MALFORMED_ADDRESS_SPACES.map((addressSpace) =>
    badCreate("address_space", `malformed ${shown(addressSpace)}`, { addressSpace }, invalid("address_space")),
  ),
  badCreate("address_space", "unknown", { addressSpace: UNKNOWN_ADDRESS_SPACE }, unknown("ADDRESS_SPACE")),
  bad(
    createVirtualIommu,
    "address_space",
    "someone else's",
    ({ others }) => ({ addressSpace: others.addressSpace, iommus: ["iommus/smmu0"] }),
    precondition("NOT_OWNER"),
  ),
  badCreate("iommus", "missing", { iommus: [] }, invalid("iommus")),
  badCreate("iommus", "one malformed", { iommus: ["iommus/smmu0", "smmu1"] }, invalid("iommus[1]")),
  badCreate("iommus", "one unknown", { iommus: ["iommus/smmu0", "iommus/smmu9"] }, unknown("IOMMU")),
  badCreate("iommus", "one twice", { iommus: ["iommus/smmu0", "iommus/smmu0"] }, invalid("iommus[1]")),
  badCreate(
    "iommus",
    "sixty-five",
    { iommus: Array.from({ length: 65 }, (_, index) => `iommus/s${index}`) },
    invalid("iommus"),
  ),
  badCreate(
    "iommus",
    "a hundred thousand",
    { iommus: Array.from({ length: 100_000 }, () => "iommus/smmu0") },
    invalid("iommus"),
  ),
  unfit("idr0", "with S2P, which is the host's", MODEST.idr0 | 1),
  unfit("idr0", "without AArch64 tables", MODEST.idr0 & ~0xc),
  unfit("idr1", "with wider StreamIDs than the host's", MODEST.idr1 + 1),
  unfit("idr1", "with SSIDSIZE 31", MODEST.idr1 | (31 << 6)),
  unfit("idr3", "with FWB, which is the host's", 1 << 8),
  unfit("idr5", "with OAS 6", 0x76),
  unfit("idr5", "with stalls", 0x0001_0075),
  bad(
    createVirtualIommu,
    "registers.idr0 registers.idr5",
    "those of nothing",
    ({ own }) => ({ addressSpace: own.addressSpace, iommus: ["iommus/smmu0"], registers: {} }),
    // TTF, TTENDIAN, STALL_MODEL, TERM_MODEL
    precondition("REGISTERS_UNFIT", "registers.idr0", "registers.idr0", "registers.idr0", "registers.idr0"),
  ),
  badCreate("request_id", "too long", { requestId: LONG_ID }, invalid("request_id")),
];

const VIRTUAL_IOMMU_CASES: readonly BadCase[] = [
  ...CREATE_CASES,
  ...MALFORMED_VIRTUAL_IOMMUS.flatMap((virtualIommu) => [
    bad(
      deleteVirtualIommu,
      "virtual_iommu",
      `malformed ${shown(virtualIommu)}`,
      () => ({ virtualIommu }),
      invalid("virtual_iommu"),
    ),
    bad(
      setVirtualIommuMode,
      "virtual_iommu",
      `malformed ${shown(virtualIommu)}`,
      () => ({ virtualIommu, mode: STAGE1_MODE_BYPASS }),
      invalid("virtual_iommu"),
    ),
  ]),
  bad(
    deleteVirtualIommu,
    "virtual_iommu",
    "someone else's",
    ({ others }) => ({ virtualIommu: others.virtualIommu }),
    precondition("NOT_OWNER"),
  ),
  bad(
    deleteVirtualIommu,
    "virtual_iommu",
    "with devices",
    ({ own }) => ({ virtualIommu: own.virtualIommu }),
    precondition("IN_USE"),
  ),
  bad(
    deleteVirtualIommu,
    "request_id",
    "too long",
    () => ({ virtualIommu: UNKNOWN_VIRTUAL_IOMMU, requestId: LONG_ID }),
    invalid("request_id"),
  ),
  bad(
    setVirtualIommuMode,
    "virtual_iommu",
    "unknown",
    () => ({ virtualIommu: UNKNOWN_VIRTUAL_IOMMU, mode: STAGE1_MODE_BYPASS }),
    unknown("VIRTUAL_IOMMU"),
  ),
  bad(
    setVirtualIommuMode,
    "virtual_iommu",
    "someone else's",
    ({ others }) => ({ virtualIommu: others.virtualIommu, mode: STAGE1_MODE_BYPASS }),
    precondition("NOT_OWNER"),
  ),
  ...[0, STAGE1_MODE_TRANSLATE, 4, -1, 2 ** 31 - 1].map((mode) =>
    bad(
      setVirtualIommuMode,
      "mode",
      `${mode}`,
      ({ own }) => ({ virtualIommu: own.virtualIommu, mode }),
      invalid("mode"),
    ),
  ),
  bad(
    setVirtualIommuMode,
    "request_id",
    "too long",
    ({ own }) => ({ virtualIommu: own.virtualIommu, mode: STAGE1_MODE_ABORT, requestId: LONG_ID }),
    invalid("request_id"),
  ),
];

const ATTACH_CASES: readonly BadCase[] = [
  ...MALFORMED_DEVICES.map((device) =>
    bad(
      attachDevice,
      "device",
      `malformed ${shown(device)}`,
      ({ own }) => ({ device, virtualIommu: own.virtualIommu }),
      invalid("device"),
    ),
  ),
  ...MALFORMED_VIRTUAL_IOMMUS.map((virtualIommu) =>
    bad(
      attachDevice,
      "virtual_iommu",
      `malformed ${shown(virtualIommu)}`,
      () => ({ device: IDLE, virtualIommu }),
      invalid("virtual_iommu"),
    ),
  ),
  bad(
    attachDevice,
    "device",
    "unknown",
    ({ own }) => ({ device: UNKNOWN_DEVICE, virtualIommu: own.virtualIommu }),
    unknown("DEVICE"),
  ),
  bad(
    attachDevice,
    "device",
    "someone else's",
    ({ own }) => ({ device: OTHERS, virtualIommu: own.virtualIommu }),
    precondition("DEVICE_OWNED"),
  ),
  bad(
    attachDevice,
    "device",
    "one more than a session may have",
    ({ own }) => ({ device: SIBLING, virtualIommu: own.virtualIommu }),
    exhausted("devices_per_session_max"),
  ),
  bad(
    attachDevice,
    "virtual_iommu",
    "unknown",
    () => ({ device: IDLE, virtualIommu: UNKNOWN_VIRTUAL_IOMMU }),
    unknown("VIRTUAL_IOMMU"),
  ),
  bad(
    attachDevice,
    "virtual_iommu",
    "someone else's",
    ({ others }) => ({ device: IDLE, virtualIommu: others.virtualIommu }),
    precondition("NOT_OWNER"),
  ),
  bad(
    attachDevice,
    "virtual_iommu",
    "not the one that it is in",
    ({ emptyVirtualIommu }) => ({ device: NESTED, virtualIommu: emptyVirtualIommu }),
    precondition("TRANSITION_ILLEGAL"),
  ),
  bad(
    attachDevice,
    "virtual_iommu",
    "not the one that its group is in",
    ({ emptyVirtualIommu }) => ({ device: SIBLING, virtualIommu: emptyVirtualIommu }),
    precondition("TRANSITION_ILLEGAL"),
  ),
  ...[STAGE1_MODE_TRANSLATE, 4, -1, 2 ** 31 - 1].map((initialMode) =>
    bad(
      attachDevice,
      "initial_mode",
      `${initialMode}`,
      ({ own }) => ({ device: IDLE, virtualIommu: own.virtualIommu, initialMode }),
      invalid("initial_mode"),
    ),
  ),
  ...STALE_GENERATIONS.map((expectedGeneration) =>
    bad(
      attachDevice,
      "expected_generation",
      `${expectedGeneration}`,
      ({ own }) => ({ device: NESTED, virtualIommu: own.virtualIommu, expectedGeneration }),
      FENCED,
    ),
  ),
  ...[60_001, 2 ** 32 - 1].map((waitMs) =>
    bad(
      attachDevice,
      "wait_ms",
      `${waitMs}`,
      ({ own }) => ({ device: OTHERS, virtualIommu: own.virtualIommu, waitMs }),
      invalid("wait_ms"),
    ),
  ),
  bad(
    attachDevice,
    "preempt",
    "without a policy that grants it",
    ({ own }) => ({ device: OTHERS, virtualIommu: own.virtualIommu, preempt: true }),
    DENIED(),
  ),
  bad(
    attachDevice,
    "request_id",
    "too long",
    ({ own }) => ({ device: NESTED, virtualIommu: own.virtualIommu, requestId: LONG_ID }),
    invalid("request_id"),
  ),
];

const HAND_OUTS = [getDeviceDescriptor, vendDevice];

const LEAVE_CASES: readonly BadCase[] = [detachDevice, unbindGuestStage, resetDevice, ...HAND_OUTS].flatMap(
  (method) => [
    ...MALFORMED_DEVICES.map((device) =>
      bad(method, "device", `malformed ${shown(device)}`, () => ({ device }), invalid("device")),
    ),
    bad(method, "device", "unknown", () => ({ device: UNKNOWN_DEVICE }), unknown("DEVICE")),
    bad(method, "device", "someone else's", () => ({ device: OTHERS }), precondition("DEVICE_OWNED")),
    ...STALE_GENERATIONS.map((expectedGeneration) =>
      bad(
        method,
        "expected_generation",
        `${expectedGeneration}`,
        () => ({ device: NESTED, expectedGeneration }),
        FENCED,
      ),
    ),
  ],
);

const REQUEST_ID_CASES: readonly BadCase[] = [detachDevice, unbindGuestStage, resetDevice].map((method) =>
  bad(method, "request_id", "too long", () => ({ device: NESTED, requestId: LONG_ID }), invalid("request_id")),
);

export const STAGE_CASES: readonly BadCase[] = [
  ...VIRTUAL_IOMMU_CASES,
  ...ATTACH_CASES,
  ...LEAVE_CASES,
  ...REQUEST_ID_CASES,
  bad(resetDevice, "device", "nobody's", () => ({ device: IDLE }), precondition("NOT_OWNER")),
  bad(getDeviceDescriptor, "device", "nobody's", () => ({ device: IDLE }), precondition("NOT_OWNER")),
  bad(vendDevice, "device", "attached", () => ({ device: NESTED }), precondition("TRANSITION_ILLEGAL")),
];
