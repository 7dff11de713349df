// Every RPC with a request about one session's things, and how it ends for whoever else asks.
// An RPC without a row here fails test/e2e/isolation.test.ts.

import type { Sendable } from "../../src/client/plain.ts";
import { BROKER, type Method, SIMULATOR } from "../../src/server/rpc/services.ts";
import { FRESH, GROUPED, IDLE, NAMED, NESTED, RAM_IPA, type World } from "./e2e-world.ts";
import { type RawRequest, rawRequest } from "./isolation-call.ts";

export interface IsolationRow {
  readonly name: string;
  readonly request: (world: World) => RawRequest;
  /** For a session that owns none of it. */
  readonly other: string;
  /** Needs no session: answered also without one. */
  readonly isOpen: boolean;
  /** With a token that is no session's, and another identity's: open calls that look at the token refuse it too. */
  readonly wrongToken: string;
  /** With the token of a session that has ended. */
  readonly ended: string;
}

const UNAUTHENTICATED = "UNAUTHENTICATED UNAUTHENTICATED";
const ENDED = "FAILED_PRECONDITION LEASE_EXPIRED";
const OWNED = "FAILED_PRECONDITION DEVICE_OWNED";
const DENIED = "PERMISSION_DENIED POLICY_DENIED";
const NOT_OWNER = "FAILED_PRECONDITION NOT_OWNER";

function row<Req, ReqInput, Res, ResInput>(
  method: Method<Req, ReqInput, Res, ResInput>,
  make: (world: World) => Sendable<ReqInput>,
  other: string,
  special: Partial<IsolationRow> = {},
): IsolationRow {
  const request = (world: World): RawRequest => rawRequest(method, make(world));
  return { name: method.path, request, other, isOpen: false, wrongToken: UNAUTHENTICATED, ended: ENDED, ...special };
}

const OPEN: Partial<IsolationRow> = { isOpen: true, wrongToken: "OK", ended: "OK" };
/** Shows more to an owner, so a token that is sent must be a good one. */
const LOOKING: Partial<IsolationRow> = { isOpen: true };
const space = ({ own }: World): string => own.addressSpace;
const virtual = ({ own }: World): string => own.virtualIommu;

export const ISOLATION_ROWS: readonly IsolationRow[] = [
  row(BROKER.getCapabilities, () => ({}), "OK", OPEN),
  row(BROKER.listDevices, () => ({}), "OK", LOOKING),
  row(BROKER.getDevice, () => ({ device: NESTED }), "OK", LOOKING),
  row(BROKER.watchDevices, () => ({}), "OK", LOOKING),
  row(BROKER.openSession, () => ({ displayName: "x", leaseTtlMs: 1 }), "INVALID_ARGUMENT ARGUMENT_INVALID", {
    isOpen: true,
    wrongToken: "INVALID_ARGUMENT ARGUMENT_INVALID",
    ended: "INVALID_ARGUMENT ARGUMENT_INVALID",
  }),
  row(BROKER.keepSessionAlive, () => ({}), "OK"),
  row(BROKER.resumeSession, () => ({}), "OK"),
  row(BROKER.claimSession, ({ own }) => ({ session: own.session.name }), DENIED, {
    isOpen: true,
    wrongToken: DENIED,
    ended: DENIED,
  }),
  row(BROKER.createAddressSpace, () => ({ requestId: "x".repeat(65) }), "INVALID_ARGUMENT ARGUMENT_INVALID"),
  row(BROKER.deleteAddressSpace, (world) => ({ addressSpace: space(world) }), NOT_OWNER),
  row(
    BROKER.mapMemory,
    (world) => ({
      addressSpace: space(world),
      sources: [{ path: world.ram }],
      mappings: [{ ipa: RAM_IPA * 2n, bytes: 4096n, source: 0, offset: 0n, readable: true, writable: true }],
    }),
    NOT_OWNER,
  ),
  row(
    BROKER.unmapMemory,
    (world) => ({ addressSpace: space(world), ranges: [{ ipa: RAM_IPA, bytes: 2n ** 21n }] }),
    NOT_OWNER,
  ),
  row(
    BROKER.presentMemory,
    (world) => ({ addressSpace: space(world), label: "guest-ram", ticket: "a".repeat(32) }),
    NOT_OWNER,
  ),
  row(BROKER.createVirtualIommu, (world) => ({ addressSpace: space(world), iommus: ["iommus/smmu0"] }), NOT_OWNER),
  row(BROKER.deleteVirtualIommu, (world) => ({ virtualIommu: world.emptyVirtualIommu }), NOT_OWNER),
  row(BROKER.setVirtualIommuMode, (world) => ({ virtualIommu: virtual(world), mode: 3 }), NOT_OWNER),
  row(BROKER.attachDevice, (world) => ({ device: IDLE, virtualIommu: virtual(world) }), NOT_OWNER),
  row(BROKER.resetDevice, () => ({ device: NESTED }), OWNED),
  row(BROKER.getDeviceDescriptor, () => ({ device: NESTED }), OWNED),
  row(BROKER.vendDevice, () => ({ device: NESTED }), OWNED),
  row(BROKER.detachDevice, () => ({ device: GROUPED }), OWNED),
  row(BROKER.bindGuestStage, () => ({ device: NAMED, fields: { mode: 3 } }), OWNED),
  // Each bind in a batch ends by itself; the test looks at what changed.
  row(BROKER.batchBindGuestStage, () => ({ requests: [{ device: NAMED, fields: { mode: 3 } }] }), "OK"),
  row(BROKER.unbindGuestStage, () => ({ device: NESTED }), OWNED),
  row(BROKER.invalidateCache, (world) => ({ virtualIommu: virtual(world), commands: [{ tlbiNhAll: {} }] }), NOT_OWNER),
  row(
    BROKER.streamInvalidations,
    (world) => ({ virtualIommu: virtual(world), commands: [{ tlbiNhAll: {} }] }),
    NOT_OWNER,
  ),
  row(BROKER.watchFaults, () => ({ devices: [NESTED] }), NOT_OWNER),
  row(BROKER.listFaults, () => ({ devices: [NESTED] }), NOT_OWNER),
  // The token names what is answered: whoever has not seen the event has none that could be good.
  row(
    BROKER.respondToFault,
    () => ({ responseToken: "x".repeat(22), action: 2 }),
    "FAILED_PRECONDITION FAULT_NOT_PENDING",
  ),
  row(BROKER.explainTranslation, () => ({ device: NESTED, iova: RAM_IPA, access: 1 }), OWNED),
  row(
    SIMULATOR.addDevice,
    () => ({ deviceId: "intruder", iommu: "iommus/smmu0", iommuGroup: 3, streamIds: [0x700] }),
    "FAILED_PRECONDITION IN_USE",
  ),
  row(SIMULATOR.removeDevice, () => ({ device: FRESH }), OWNED),
  row(SIMULATOR.dma, () => ({ device: NAMED, accesses: [{ iova: RAM_IPA, write: Buffer.from("x") }] }), OWNED),
  row(SIMULATOR.translate, () => ({ device: NAMED, accesses: [{ iova: RAM_IPA, access: 1 }] }), OWNED),
  row(SIMULATOR.readMemory, (world) => ({ addressSpace: space(world), ipa: RAM_IPA, bytes: 64 }), NOT_OWNER),
  row(
    SIMULATOR.writeMemory,
    (world) => ({ addressSpace: space(world), ipa: RAM_IPA, data: Buffer.from("x") }),
    NOT_OWNER,
  ),
  row(SIMULATOR.readStructures, () => ({ device: NESTED }), OWNED),
  row(SIMULATOR.listMsis, () => ({ device: NESTED }), OWNED),
  // Last: for its owner it ends everything. Without a session there is nothing to close.
  row(BROKER.closeSession, () => ({}), "OK", { ended: "OK" }),
];
