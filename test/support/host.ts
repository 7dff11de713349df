// A simulated host with core on top, a clock that a test moves, and guest memory in buffers.

import type { Backend, PlainStage } from "../../src/backends/backend.ts";
import type { DeviceDescriptor, StandIns } from "../../src/backends/device-descriptors.ts";
import { BrokerError } from "../../src/backends/errors.ts";
import { type DeviceID, deviceID, type IommuID, iommuID, virtualStreamID } from "../../src/backends/ids.ts";
import { createSimulatedBackend } from "../../src/backends/sim/backend.ts";
import type { SimulatedConfig } from "../../src/backends/sim/inventory.ts";
import type { SimulatorControl } from "../../src/backends/simulator-control.ts";
import type { VSTE } from "../../src/backends/vste.ts";
import type { Caller, ProcessCaller } from "../../src/server/core/caller.ts";
import type { Core } from "../../src/server/core/core.ts";
import { createCore } from "../../src/server/core/create-core.ts";
import type { DurableRecord } from "../../src/server/core/durable.ts";
import type { BrokerEvent } from "../../src/server/core/events.ts";
import type { CoreLimits } from "../../src/server/core/limits.ts";
import type { Policy } from "../../src/server/core/policy.ts";
import type {
  DeviceTicketRequest,
  DeviceTickets,
  Journal,
  JournalEntry,
  MemoryTickets,
  ProcessWatch,
  Ticket,
  WatchedProcess,
  WatchOutcome,
} from "../../src/server/core/ports.ts";
import type { TermsWish } from "../../src/server/core/session-terms.ts";
import type { DeviceView, Pinning } from "../../src/server/core/views.ts";
import { BufferFile } from "./memory-file.ts";
import { ANYBODY } from "./policy.ts";

export { refusal } from "./refusal.ts";

/** Two SMMUs with different ID registers, eight devices in six IOMMU groups, one of them of three. */
export const TWO_SMMUS: SimulatedConfig = {
  iommus: [
    { id: "smmu0", registers: { idr0: 0x0d4c101b, idr1: 0x02730510, idr3: 0x1414, idr5: 0x75, aidr: 1 } },
    { id: "smmu1", registers: { idr0: 0x0d44101b, idr1: 0x02730210, idr3: 0x14, idr5: 0x54, aidr: 1 } },
  ],
  devices: [
    { id: "0000:00:01.0", iommu: "smmu0", group: 0, streamIDs: [0x8] },
    { id: "0000:00:02.0", iommu: "smmu0", group: 1, streamIDs: [0x10] },
    { id: "0000:01:00.0", iommu: "smmu0", group: 2, streamIDs: [0x100], pasidBits: 20 },
    { id: "0000:02:00.0", iommu: "smmu0", group: 3, streamIDs: [0x200] },
    { id: "0000:02:00.1", iommu: "smmu0", group: 3, streamIDs: [0x201] },
    { id: "0000:02:00.2", iommu: "smmu0", group: 3, streamIDs: [0x202] },
    { id: "0001:00:01.0", iommu: "smmu1", group: 4, streamIDs: [0x8] },
    { id: "0001:01:00.0", iommu: "smmu1", group: 5, streamIDs: [0x100], pasidBits: 8 },
  ],
};

export const SMMU0: IommuID = iommuID("smmu0");
export const SMMU1: IommuID = iommuID("smmu1");
export const NVME: DeviceID = deviceID("0000:01:00.0");
export const NIC: DeviceID = deviceID("0000:00:01.0");
export const DISK: DeviceID = deviceID("0000:00:02.0");
export const TRIPLE: readonly DeviceID[] = ["0000:02:00.0", "0000:02:00.1", "0000:02:00.2"].map(deviceID);
export const FAR: DeviceID = deviceID("0001:01:00.0");

export const TEST_LIMITS: CoreLimits = {
  sessionsMax: 4,
  addressSpacesPerSessionMax: 2,
  virtualIommusPerSessionMax: 2,
  devicesPerSessionMax: 4,
  mappingsPerAddressSpaceMax: 20_000,
  mappingsPerCallMax: 16_384,
  sourcesPerCallMax: 4,
  commandsPerCallMax: 8,
  bindsPerCallMax: 4,
  invalidationStreamsPerSessionMax: 2,
  invalidationBatchesOutstandingMax: 4,
  faultStreamsPerSessionMax: 2,
  faultRingEventsMax: 8,
  faultBatchEventsMax: 4,
  faultBatchMs: 0,
  faultHistoryEventsTotalMax: 64,
  faultEventsPerSecond: 0,
  faultDiagnosesPerSecond: 100,
  faultObserversMax: 2,
  faultResponseMs: 10_000,
  queueDepthMax: 16,
  waitersPerGroupMax: 3,
  attachWaitMaxMs: 60_000,
  preemptGraceMs: 500,
  deviceWatchesMax: 3,
  deviceChangesMax: 16,
  leaseTtlMinMs: 100,
  leaseTtlMaxMs: 60_000,
  leaseTtlDefaultMs: 10_000,
  sessionGraceMaxMs: 100_000,
  leaseStallMs: Number.POSITIVE_INFINITY,
  resumeWindowMs: 5000,
};

export class ManualClock {
  nowMs = 1000;
  readonly #alarms = new Set<{ readonly atMs: number; readonly ring: () => void }>();
  monotonicMs(): number {
    return this.nowMs;
  }
  wallMs(): number {
    return 1_700_000_000_000 + this.nowMs;
  }
  /** Time passes; alarms that are due ring in order. */
  advance(ms: number): void {
    const untilMs = this.nowMs + ms;
    for (;;) {
      const [next] = [...this.#alarms].sort((a, b) => a.atMs - b.atMs);
      if (next === undefined || next.atMs > untilMs) break;
      this.#alarms.delete(next);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.ring();
    }
    this.nowMs = untilMs;
  }
  after(ms: number, ring: () => void): () => void {
    const alarm = { atMs: this.nowMs + ms, ring };
    this.#alarms.add(alarm);
    return () => this.#alarms.delete(alarm);
  }
  /** A daemon that has died rings nothing. */
  forgetAlarms(): void {
    this.#alarms.clear();
  }
  /** Alarms that are set. */
  get alarms(): number {
    return this.#alarms.size;
  }
}

/** Processes that a test lets die. Until a test names some, none can be watched, and sessions have leases. */
export class FakeProcesses implements ProcessWatch {
  /** By pid, the birth of each process that runs and can be watched. */
  readonly running = new Map<number, string>();
  readonly #watches = new Set<{ readonly pid: number; readonly onDeath: () => void }>();

  watch(caller: Caller, onDeath: () => void): WatchOutcome {
    const pid = caller.kind === "process" ? caller.pid : 0;
    const birth = this.running.get(pid);
    if (birth === undefined) return { kind: "impossible", reason: `pid ${pid} is out of sight` };
    if (birth === "dead") return { kind: "dead" };
    const watch = { pid, onDeath };
    this.#watches.add(watch);
    return { kind: "watched", process: { pid, birth }, stop: () => this.#watches.delete(watch) };
  }

  rewatch(process: WatchedProcess, onDeath: () => void): WatchOutcome {
    if (this.running.get(process.pid) !== process.birth) return { kind: "dead" };
    return this.watch({ ...CALLER, pid: process.pid }, onDeath);
  }

  die(pid: number): void {
    this.running.set(pid, "dead");
    for (const watch of this.#watches) {
      if (watch.pid === pid && this.#watches.delete(watch)) watch.onDeath();
    }
  }

  /** A daemon that has died watches nobody. */
  forgetWatches(): void {
    this.#watches.clear();
  }

  /** How many watches stand. */
  get watches(): number {
    return this.#watches.size;
  }
}

export interface TestHost {
  readonly backend: Backend & SimulatorControl;
  readonly core: Core;
  readonly clock: ManualClock;
  readonly files: Map<string, BufferFile>;
  readonly processes: FakeProcesses;
  readonly tickets: FakeTickets;
  /** What was issued and is not void. */
  readonly deviceTickets: Map<string, DeviceTicketRequest>;
  readonly standIns: FakeStandIns;
  readonly events: BrokerEvent[];
  readonly journal: JournalEntry[];
  /** What was noted to outlive the daemon; only after core.recover(). */
  readonly durable: DurableRecord[];
  /** Awaited before what was noted is durable. */
  beforeDurable: () => Promise<void>;
  readonly serials: { last: number };
}

/** @param wrap  puts something between core and the backend, to make it fail */
export function testHost(
  options: {
    config?: SimulatedConfig;
    limits?: Partial<CoreLimits>;
    wrap?: (backend: Backend & SimulatorControl) => Backend;
    /** The ones of the host before, for a restart. */
    processes?: FakeProcesses;
    /** Anybody may do anything unless given. */
    policy?: Policy;
    /** False: the Simulator service is not served. */
    withSimulator?: boolean;
    /** Where records go; default: TestHost.durable. */
    disk?: Pick<Journal, "note" | "durable">;
    /** In place of TestHost.standIns, and of TestHost.deviceTickets. */
    standIns?: StandIns;
    ticketOffice?: DeviceTickets;
    /** The host of before a restart: its clock, its guests' files, and no identifier twice. */
    after?: TestHost;
  } = {},
): TestHost {
  const clock = options.after?.clock ?? new ManualClock();
  const processes = options.processes ?? options.after?.processes ?? new FakeProcesses();
  const files = options.after?.files ?? new Map<string, BufferFile>();
  const journal: JournalEntry[] = [];
  const durable: DurableRecord[] = [];
  const serials = options.after?.serials ?? { last: 0 };
  const tickets = new FakeTickets();
  const deviceTickets = new Map<string, DeviceTicketRequest>();
  const standIns = options.after?.standIns ?? new FakeStandIns();
  const backend = createSimulatedBackend(options.config ?? TWO_SMMUS, options.standIns ?? standIns);
  const core = createCore({
    backend: options.wrap ? options.wrap(backend) : backend,
    simulator: options.withSimulator === false ? undefined : backend,
    limits: { ...TEST_LIMITS, ...options.limits },
    policy: options.policy ?? ANYBODY,
    ports: {
      clock,
      alarms: clock,
      identifiers: {
        uuid: () => `00000000-0000-4000-8000-${String(++serials.last).padStart(12, "0")}`,
        token: () => `token-${++serials.last}`,
        digest: (token) => `digest of ${token}`,
      },
      memoryFiles: {
        open: async (path) => {
          const file = files.get(path);
          if (!file) throw new BrokerError("argument_invalid", `${path} is not there`, { path });
          file.retain();
          return file;
        },
      },
      memoryTickets: tickets,
      deviceTickets: options.ticketOffice ?? new FakeDeviceTickets(deviceTickets),
      journal: {
        append: async (entry) => {
          journal.push(entry);
        },
        note: (record) => {
          durable.push(record);
          options.disk?.note(record);
        },
        durable: async () => {
          await host.beforeDurable();
          await options.disk?.durable();
        },
      },
      processes,
    },
  });
  const events: BrokerEvent[] = [];
  core.events.subscribe((event) => events.push(event));
  const host: TestHost = {
    backend,
    core,
    clock,
    files,
    processes,
    tickets,
    deviceTickets,
    standIns,
    events,
    journal,
    durable,
    serials,
    beforeDurable: async () => {},
  };
  return host;
}

/** Tickets of devices as the descriptor exchange keeps them, without time. */
class FakeDeviceTickets implements DeviceTickets {
  readonly #issued: Map<string, DeviceTicketRequest>;
  #last = 0;

  constructor(issued: Map<string, DeviceTicketRequest>) {
    this.#issued = issued;
  }

  requireRoom(): void {}

  issue(request: DeviceTicketRequest): Ticket {
    const ticket = `ticket-${++this.#last}`;
    this.#issued.set(ticket, request);
    return { ticket, expiresMs: 10_000 };
  }

  void(device: DeviceID): void {
    for (const [name, request] of this.#issued) if (request.device === device) this.#issued.delete(name);
  }
}

/** Fetches what a ticket stands for and holds it, as a process would. */
export function fetchDescriptors(host: TestHost, ticket: string): readonly DeviceDescriptor[] {
  const request = host.deviceTickets.get(ticket);
  if (request === undefined) throw new BrokerError("argument_invalid", `no ticket ${ticket}`);
  host.deviceTickets.delete(ticket);
  const descriptors = request.open();
  request.passed();
  host.standIns.hold(request.device);
  return descriptors;
}

/** Stand-ins without files: who holds a copy is what a test says. They outlive a daemon, as processes do. */
export class FakeStandIns implements StandIns {
  readonly #held = new Set<DeviceID>();
  readonly #listeners = new Map<DeviceID, () => void>();
  /** The broker's own. */
  readonly own = new Map<DeviceID, number[]>();
  #lastFd = 100;

  hold(device: DeviceID): void {
    this.#held.add(device);
  }

  isCopied(device: DeviceID): boolean {
    return this.#held.has(device);
  }

  /** Every copy that others had is closed. */
  closeAll(device: DeviceID): void {
    this.#held.delete(device);
    const listener = this.#listeners.get(device);
    this.#listeners.delete(device);
    listener?.();
  }

  open(device: DeviceID): number {
    const fd = ++this.#lastFd;
    this.own.set(device, [...(this.own.get(device) ?? []), fd]);
    return fd;
  }

  letGo(device: DeviceID): void {
    this.own.delete(device);
  }

  isHeld(device: DeviceID, onClosed: () => void): boolean {
    if (this.#held.has(device)) this.#listeners.set(device, onClosed);
    return this.#held.has(device);
  }

  forget(device: DeviceID): void {
    this.#held.delete(device);
    this.#listeners.delete(device);
    this.own.delete(device);
  }

  close(): void {
    this.#listeners.clear();
    this.own.clear();
  }
}

/** Memory under tickets, as the descriptor exchange holds it, for whoever names one. */
export class FakeTickets implements MemoryTickets {
  readonly files = new Map<string, BufferFile>();
  readonly callers: Caller[] = [];

  take(ticket: string, caller: Caller): BufferFile {
    const file = this.files.get(ticket);
    if (file === undefined) throw new BrokerError("argument_invalid", `no ticket ${ticket}`);
    this.callers.push(caller);
    file.retain();
    return file;
  }

  settle(ticket: string, isUsed: boolean): void {
    if (isUsed && this.files.delete(ticket) === false) throw new Error(`ticket ${ticket} was settled twice`);
  }
}

export function addFile(host: TestHost, path: string, bytes: number): BufferFile {
  const file = new BufferFile(path, bytes);
  host.files.set(path, file);
  return file;
}

/** Who calls in tests that are not about callers. */
export const CALLER: ProcessCaller = { kind: "process", uid: 1000, gid: 1000, pid: 42, connection: "uds-1" };

/** A guest as a test needs it. */
export interface Guest {
  readonly session: string;
  readonly token: string;
  readonly addressSpace: string;
  readonly virtualIommu: string;
  readonly file: BufferFile;
}

/** A session with an address space of `bytes` at IPA 0x4000_0000 and a virtual IOMMU over the named host IOMMUs. */
export async function guest(
  host: TestHost,
  options: {
    name?: string;
    bytes?: number;
    iommus?: readonly IommuID[];
    pinning?: Pinning;
    uid?: number;
    terms?: Partial<TermsWish>;
  } = {},
): Promise<Guest> {
  const { name = "vmm", bytes = 2 ** 21, iommus = [SMMU0], pinning = "eager", terms } = options;
  const caller = { ...CALLER, uid: options.uid ?? CALLER.uid };
  const { session, token } = host.core.sessions.open({ displayName: name, ttlMs: undefined, caller, ...terms });
  const space = await host.core.addressSpaces.create(session.id, pinning);
  const file = addFile(host, `/memory/${name}`, bytes);
  await host.core.addressSpaces.map(session.id, {
    addressSpace: space.id,
    sources: [file.path],
    mappings: [{ ipa: 0x4000_0000n, bytes: BigInt(bytes), source: 0, offset: 0n, readable: true, writable: true }],
  });
  const virtual = await host.core.virtualIommus.create(session.id, {
    addressSpace: space.id,
    iommus,
    registers: undefined,
  });
  return { session: session.id, token, addressSpace: space.id, virtualIommu: virtual.id, file };
}

/** Attaches a device of a guest; stage 1 to abort unless told otherwise. */
export async function attach(
  host: TestHost,
  to: Guest,
  device: DeviceID,
  initial: PlainStage = "abort",
): Promise<DeviceView> {
  const { virtualIommu } = to;
  return await host.core.stages.attach(to.session, { device, virtualIommu, initial, expectedGeneration: undefined });
}

/** Binds a guest STE; `name` is the virtual StreamID. */
export async function bind(
  host: TestHost,
  to: Guest,
  device: DeviceID,
  vste: VSTE,
  name: number | undefined = undefined,
): Promise<DeviceView> {
  const outcome = await host.core.stages.bind(to.session, {
    device,
    virtualStreamID: name === undefined ? undefined : virtualStreamID(name),
    vste,
    validateOnly: false,
    expectedGeneration: undefined,
  });
  return outcome.device;
}

export async function detach(host: TestHost, from: Guest, device: DeviceID): Promise<DeviceView> {
  return await host.core.stages.detach(from.session, { device, expectedGeneration: undefined });
}

/** STE.Config of the device's first stream as it stands in the stream table, bits [3:1]; -1 when V is 0. §5.2. */
export function steConfig(host: TestHost, device: DeviceID): number {
  const dword0 = host.backend.structures(device, 0, 0, undefined).ste[0]!;
  return dword0 & 1n ? Number((dword0 >> 1n) & 7n) : -1;
}

/** How one 8-byte read by the device ends, asked of the hardware, whoever owns it. */
export async function readEnds(host: TestHost, device: DeviceID, iova: number | bigint): Promise<string> {
  const access = { iova: BigInt(iova), substreamID: undefined, privileged: false, streamIndex: 0 } as const;
  const [outcome] = await host.backend.dma(device, [{ ...access, kind: "read", bytes: 8 }]);
  return outcome!.end;
}

/** The same, as the translation tells it: "ok", "abort", or the fault with its stage. */
export async function translationOf(host: TestHost, device: DeviceID, iova: number | bigint): Promise<string> {
  const access = { iova: BigInt(iova), substreamID: undefined, privileged: false, streamIndex: 0 } as const;
  const [outcome] = await host.backend.translate(device, [{ ...access, access: "read" }]);
  const { end, fault } = outcome!;
  if (!fault) return end;
  return fault.stage === undefined ? fault.type : `${fault.type} stage ${fault.stage}`;
}

/** Makes the backend's next call of a verb fail, or every one until told otherwise. */
export class Failures {
  readonly #verbs = new Map<string, number>();
  readonly calls: string[] = [];
  /** Awaited before a verb reaches the backend. */
  before: (verb: string) => Promise<void> = async () => {};

  fail(verb: keyof Backend, times = 1): void {
    this.#verbs.set(verb, times);
  }

  /** Some call will fail. */
  get isArmed(): boolean {
    return [...this.#verbs.values()].some((left) => left > 0);
  }

  /** A verb fails no more. */
  pass(verb: keyof Backend): void {
    this.#verbs.delete(verb);
  }

  /** Nothing fails any more. */
  clear(): void {
    this.#verbs.clear();
  }

  readonly wrap = (backend: Backend & SimulatorControl): Backend =>
    new Proxy(backend, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key, target);
        if (typeof value !== "function" || typeof key !== "string") return value;
        if (!ASYNC_VERBS.has(key)) return value.bind(target);
        return async (...args: unknown[]) => {
          await this.before(key);
          this.calls.push(key);
          const left = this.#verbs.get(key) ?? 0;
          if (left > 0) {
            this.#verbs.set(key, left - 1);
            throw new BrokerError("backend_failed", `${key} fails on purpose`, { verb: key });
          }
          return await value.apply(target, args);
        };
      },
    });
}

const ASYNC_VERBS: ReadonlySet<string> = new Set([
  "createAddressSpace",
  "destroyAddressSpace",
  "map",
  "unmap",
  "createPart",
  "destroyPart",
  "attach",
  "setPlainStage",
  "bindGuestStage",
  "handOut",
  "vend",
  "withhold",
  "recall",
  "reclaim",
  "detach",
  "block",
  "reset",
  "setVirtualStreamID",
  "invalidate",
]);

/** Lets the event-queue drivers have their turn. */
export async function turn(): Promise<void> {
  for (let count = 0; count < 3; count += 1) await new Promise((resolve) => setImmediate(resolve));
}
