// What the edge may ask of core: the verbs, by topic. server/core/*.ts implement them; daemon.ts puts them together.
// Every verb takes the id of an authenticated session; each rejects with a BrokerError and has then changed nothing.

import type { BindPreview, PlainStage } from "../../backends/backend.ts";
import type { BrokerError } from "../../backends/errors.ts";
import type { ExplainRequest, Explanation } from "../../backends/explanation.ts";
import type { FaultRecord } from "../../backends/faults.ts";
import type { DeviceID, IommuID, StreamID, VirtualStreamID } from "../../backends/ids.ts";
import type { HostDevice, IdRegisters, ReservedRegion } from "../../backends/inventory.ts";
import type {
  DmaOutcome,
  MsiLog,
  RawStructures,
  SimulatedAccess,
  SimulatedDma,
  TranslationOutcome,
} from "../../backends/simulator-control.ts";
import type { Disposition, VSTE } from "../../backends/vste.ts";
import type { Caller } from "./caller.ts";
import type { DurableImage, DurableRecord } from "./durable.ts";
import type { BrokerEvents } from "./events.ts";
import type { Permissions } from "./permissions.ts";
import type { SessionNotice } from "./session-notices.ts";
import type { TermsWish } from "./session-terms.ts";
import type {
  AddressSpaceView,
  Census,
  DeviceView,
  HeldView,
  Pinning,
  SessionView,
  VirtualIommuView,
} from "./views.ts";

export type { SessionNotice } from "./session-notices.ts";

/** A session that somebody has taken up, and what it has. */
export interface TakenUp {
  readonly session: SessionView;
  readonly held: HeldView;
}

/**
 * Whether the caller still waits. A verb asks once it holds its objects and before the intent; from then on it completes.
 */
export interface CallGate {
  /** @throws BrokerError call_over when the call was cancelled or its deadline has passed */
  requireOpen(): void;
  /**
   * For a verb that waits: told once when the caller does not wait any more, or the daemon stops. Absent: nobody tells.
   * @returns calls it off
   */
  onOver?(listener: (error: BrokerError) => void): () => void;
}

export interface SessionVerbs {
  open(request: TermsWish & { displayName: string; caller: Caller }): { session: SessionView; token: string };
  /** Puts the session of a token into the hands of the process that calls, also when it is lost and in its grace. */
  resume(token: string, caller: Caller): Promise<TakenUp>;
  /** Takes over a session whose owner named the caller; the token before is void. */
  claim(session: string, caller: Caller, wish: Omit<TermsWish, "graceMs">): Promise<TakenUp & { token: string }>;
  /** Ends a session by somebody else's decision, and tells its owner why. False when there is none. */
  revoke(session: string, reason: string): Promise<boolean>;
  /** The session of a token. Throws unauthenticated (unknown token, or another identity's) or lease_expired. */
  authenticate(token: string, caller: Caller): string;
  /** Renews the lease; returns the milliseconds until it lapses. */
  renew(session: string): number;
  /** Milliseconds until the lease lapses; 0 when it has, or the session is gone. */
  remaining(session: string): number;
  close(session: string): Promise<void>;
  /** Notices for the session's keep-alive stream, until the returned function is called. */
  onNotice(session: string, listener: (notice: SessionNotice) => void): () => void;
}

export interface MappingRequest {
  readonly ipa: bigint;
  readonly bytes: bigint;
  /** Index into sources. */
  readonly source: number;
  readonly offset: bigint;
  readonly readable: boolean;
  readonly writable: boolean;
}

/** A path, or the ticket of a descriptor that was put. */
export type MemorySource = string | { readonly ticket: string };

export interface MapRequest {
  readonly addressSpace: string;
  readonly sources: readonly MemorySource[];
  readonly mappings: readonly MappingRequest[];
  /** Who calls, for its tickets; absent: who has the session. */
  readonly caller?: Caller;
}

export interface PresentRequest {
  readonly addressSpace: string;
  readonly label: string;
  readonly ticket: string;
  /** As in MapRequest. */
  readonly caller?: Caller;
}

export interface AddressSpaceVerbs {
  create(session: string, pinning: Pinning, gate?: CallGate): Promise<AddressSpaceView>;
  remove(session: string, addressSpace: string, gate?: CallGate): Promise<void>;
  map(session: string, request: MapRequest, gate?: CallGate): Promise<AddressSpaceView>;
  /** Memory that was mapped by ticket before a restart, put again. */
  present(session: string, request: PresentRequest, gate?: CallGate): Promise<AddressSpaceView>;
  unmap(
    session: string,
    request: { addressSpace: string; ranges: readonly { ipa: bigint; bytes: bigint }[] },
    gate?: CallGate,
  ): Promise<{ view: AddressSpaceView; unmappedBytes: number }>;
}

export interface ModeResult {
  readonly device: DeviceID;
  readonly error: BrokerError | undefined;
  readonly generation: number;
}

export interface VirtualIommuVerbs {
  create(
    session: string,
    request: { addressSpace: string; iommus: readonly IommuID[]; registers: IdRegisters | undefined },
    gate?: CallGate,
  ): Promise<VirtualIommuView>;
  remove(session: string, virtualIommu: string, gate?: CallGate): Promise<void>;
  setMode(session: string, virtualIommu: string, mode: PlainStage, gate?: CallGate): Promise<readonly ModeResult[]>;
  /** Commands as raw doublewords with virtual StreamIDs; validated as a whole first. Returns how many were executed. */
  invalidate(
    session: string,
    virtualIommu: string,
    commands: readonly { dword0: bigint; dword1: bigint }[],
    gate?: CallGate,
  ): Promise<number>;
}

export interface BindOutcome {
  readonly device: DeviceView;
  readonly disposition: Disposition;
  /** Only with validateOnly. */
  readonly preview: BindPreview | undefined;
}

export interface AttachRequest {
  readonly device: DeviceID;
  readonly virtualIommu: string;
  readonly initial: PlainStage;
  readonly expectedGeneration: bigint | undefined;
  /** How long to stand in line while the device is another's or is being reset; absent or 0: not at all. */
  readonly waitMs?: number;
  /** Take it from an owner of lower priority, after a grace period. */
  readonly preempt?: boolean;
}

export interface BindRequest {
  readonly device: DeviceID;
  readonly virtualStreamID: VirtualStreamID | undefined;
  readonly vste: VSTE;
  readonly validateOnly: boolean;
  readonly expectedGeneration: bigint | undefined;
}

export interface StageVerbs {
  attach(session: string, request: AttachRequest, gate?: CallGate): Promise<DeviceView>;
  detach(
    session: string,
    request: { device: DeviceID; expectedGeneration: bigint | undefined },
    gate?: CallGate,
  ): Promise<DeviceView>;
  bind(session: string, request: BindRequest, gate?: CallGate): Promise<BindOutcome>;
  unbind(
    session: string,
    request: { device: DeviceID; expectedGeneration: bigint | undefined },
    gate?: CallGate,
  ): Promise<DeviceView>;
  /** Function-level reset; meanwhile who would change the device's stage is refused. Changes no generation. */
  reset(
    session: string,
    request: { device: DeviceID; expectedGeneration: bigint | undefined },
    gate?: CallGate,
  ): Promise<DeviceView>;
}

/** An event with its place in its device's sequence. */
export interface SequencedFault {
  /** From 1. */
  readonly sequence: number;
  readonly wallMs: number;
  readonly fault: FaultRecord;
}

export interface FaultGap {
  readonly device: DeviceID;
  readonly first: number;
  readonly last: number;
  readonly reason: "ring-overrun" | "hardware-overflow" | "released";
}

export interface FaultBatch {
  readonly events: readonly SequencedFault[];
  readonly gaps: readonly FaultGap[];
}

export interface FaultSubscription {
  /**
   * Resolves with what is new, at most faultBatchEventsMax events; with undefined once the subscription ended (its
   * session ended, or close() was called). Only one call at a time.
   */
  next(): Promise<FaultBatch | undefined>;
  close(): void;
}

export interface FaultVerbs {
  /** `devices` empty: all the session owns, now and later. Throws not_owner for a named device it does not own. */
  subscribe(
    session: string,
    request: { devices: readonly DeviceID[]; resumeAfter: ReadonlyMap<DeviceID, bigint> },
  ): FaultSubscription;
}

export interface ExplainVerbs {
  /** For the owner alone. Throws policy_denied for `showsHost` where nobody may play hardware. */
  explain(
    session: string,
    request: ExplainRequest,
  ): { readonly virtualStreamID: VirtualStreamID | undefined; readonly explanation: Explanation };
}

export interface DeviceQueries {
  /** All devices in order of id. */
  list(): readonly DeviceView[];
  get(device: DeviceID): DeviceView;
  /**
   * The inventory from now on, or from a version that was seen.
   * @param viewer  session of the watcher; undefined: nobody's
   */
  watch(viewer: string | undefined, request: DeviceWatchRequest): DeviceSubscription;
  /**
   * For an administrator: gives a quarantined device's group back to the host. It is reset first; where no reset is
   * possible the administrator vouches for it.
   */
  unquarantine(device: DeviceID): Promise<DeviceView>;
}

export interface DeviceWatchRequest {
  /** Devices in one batch. */
  readonly pageSize: number;
  /** A version of an earlier batch; undefined: begin with the list. */
  readonly resumeAfter: string | undefined;
  readonly iommu: IommuID | undefined;
  readonly group: number | undefined;
  /** Only what the viewer's session owns. */
  readonly ownedByViewer: boolean;
}

export interface DeviceChange {
  /** left: still there, but not among what is watched any more. removed: `device` is what was last known. */
  readonly kind: "listed" | "changed" | "left" | "removed";
  readonly device: DeviceView;
  readonly version: string;
}

export interface DeviceBatch {
  /** synced: what went before is complete. resync: what went before is void, the list begins anew. */
  readonly mark: "none" | "synced" | "resync";
  readonly changes: readonly DeviceChange[];
  /** What a later watch resumes after; undefined within the list. */
  readonly version: string | undefined;
}

export interface DeviceSubscription {
  /** Resolves with what is new; with undefined once its session ended or close() was called. One call at a time. */
  next(): Promise<DeviceBatch | undefined>;
  /** What a later watch resumes after; undefined while the list is not complete. */
  version(): string | undefined;
  close(): void;
}

export interface RegisterFieldView {
  readonly register: string;
  readonly field: string;
  readonly msb: number;
  readonly lsb: number;
  readonly value: number;
  readonly meaning: string;
}

export interface ReducedFieldView {
  readonly register: string;
  readonly field: string;
  readonly hostValue: number;
  readonly virtualValue: number;
  readonly reason: string;
}

export interface FieldVerdictView {
  readonly register: string;
  readonly field: string;
  readonly hostValue: number;
  readonly wishedValue: number;
  readonly ok: boolean;
  /** Empty when ok. */
  readonly reason: string;
}

export interface IommuCapabilityView {
  readonly id: IommuID;
  readonly registers: IdRegisters;
  readonly fields: readonly RegisterFieldView[];
  readonly virtualRegisters: IdRegisters;
  readonly reduced: readonly ReducedFieldView[];
  readonly asidBits: number;
  readonly substreamIDBits: number;
  readonly streamIDBits: number;
  readonly iovaBits: number;
  readonly ipaBits: number;
  readonly outputBits: number;
  readonly granuleBytes: readonly number[];
  readonly stage2PageBytes: readonly number[];
  readonly nesting: boolean;
  /** Empty when nesting. */
  readonly nestingReason: string;
  readonly shapes: readonly {
    readonly shape: "smmuv3-ste" | "single-page-table";
    readonly supported: boolean;
    readonly reason: string;
  }[];
  /** Empty without a wish. */
  readonly wish: readonly FieldVerdictView[];
}

export interface DeviceCapabilityView {
  readonly id: DeviceID;
  readonly iommu: IommuID;
  readonly streamIDs: readonly StreamID[];
  readonly pasidBits: number;
  readonly ats: boolean;
  readonly apertureFirst: number;
  readonly apertureLast: number;
  readonly reservedRegions: readonly ReservedRegion[];
  readonly msiWindow: ReservedRegion | undefined;
  readonly translate: boolean;
  /** Empty when translate. */
  readonly translateReason: string;
}

export interface CapabilityQueries {
  /** One IOMMU, or all in order of id. */
  iommus(id: IommuID | undefined, wish: IdRegisters | undefined): readonly IommuCapabilityView[];
  device(id: DeviceID): DeviceCapabilityView;
}

/** The Simulator service's verbs, each checked for ownership first. Only with the simulated backend. */
export interface SimulatorVerbs {
  addDevice(session: string, device: HostDevice): void;
  removeDevice(session: string, device: DeviceID, gate?: CallGate): Promise<void>;
  dma(session: string, device: DeviceID, accesses: readonly SimulatedDma[]): Promise<readonly DmaOutcome[]>;
  translate(
    session: string,
    device: DeviceID,
    accesses: readonly (SimulatedAccess & { readonly access: "read" | "write" | "execute" })[],
  ): Promise<readonly TranslationOutcome[]>;
  readMemory(session: string, addressSpace: string, ipa: bigint, bytes: number): Uint8Array;
  writeMemory(session: string, addressSpace: string, ipa: bigint, data: Uint8Array): void;
  structures(session: string, device: DeviceID, streamIndex: number, substreamID: number): RawStructures;
  msis(session: string, device: DeviceID): MsiLog;
}

export interface HeldSession extends SessionView {
  readonly caller: Caller;
  /** It has ended, and what it held is being given back. */
  readonly isEnding: boolean;
  /** Milliseconds until its lease lapses. */
  readonly remainingMs: number;
  readonly devices: readonly DeviceID[];
  readonly mappedBytes: number;
}

/** For the admin socket alone: the caller has been checked. */
export interface AdminVerbs {
  /** All sessions that hold something, in order of id. */
  sessions(): readonly HeldSession[];
  /** Whose a session is; undefined once it is given back. */
  ownerOf(session: string): { readonly displayName: string; readonly caller: Caller } | undefined;
  /** Tells a session's owner why, ends it and gives back what it held. Throws session_unknown. */
  revoke(session: string, reason: string): Promise<void>;
  /** Takes a device's IOMMU group from its owner: abort first, then the host's. Throws not_owner when it has none. */
  forceRelease(device: DeviceID, reason: string): Promise<DeviceView>;
}

/** Everything the edge is given. */
export interface Core {
  /** The policy in force. */
  readonly permissions: Permissions;
  readonly administration: AdminVerbs;
  readonly sessions: SessionVerbs;
  readonly addressSpaces: AddressSpaceVerbs;
  readonly virtualIommus: VirtualIommuVerbs;
  readonly stages: StageVerbs;
  readonly faults: FaultVerbs;
  readonly explanations: ExplainVerbs;
  readonly devices: DeviceQueries;
  readonly capabilities: CapabilityQueries;
  readonly simulator: SimulatorVerbs | undefined;
  readonly events: BrokerEvents;
  /**
   * Takes in what outlived a restart, once, before anybody calls; sessions that cannot be restored are given up. From
   * then on changes are noted in the journal.
   */
  recover(records: readonly DurableRecord[]): Promise<void>;
  /** All that shall outlive the daemon, as it is in this moment. */
  image(): DurableImage;
  /**
   * Resolves once all that was changed so far outlives a crash: an answer waits for it. Undefined: it does already.
   * @throws BrokerError backend_failed when it cannot be kept
   */
  durable(): Promise<void> | undefined;
  /** Ends lapsed sessions and gives back what they held. The daemon calls it on a timer; resolves when done. */
  reapExpired(): Promise<void>;
  census(): Census;
}
