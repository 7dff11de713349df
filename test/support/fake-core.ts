// A core that remembers what it was asked and answers from a script: for tests of the edge alone.
// Sessions are real enough to authenticate; everything else answers with fixed views unless a test replaces a verb.

import { BrokerError } from "../../src/backends/errors.ts";
import type { Explanation } from "../../src/backends/explanation.ts";
import type { HostFinding } from "../../src/backends/host-finding.ts";
import { type DeviceID, deviceID, groupID, iommuID, streamID, virtualStreamID } from "../../src/backends/ids.ts";
import type { IdRegisters } from "../../src/backends/inventory.ts";
import { checkVSTE } from "../../src/backends/vste.ts";
import { Answers, SESSION_ANSWERS } from "../../src/server/core/answers.ts";
import type { DeviceCapabilityView, IommuCapabilityView } from "../../src/server/core/capability-views.ts";
import type { Core } from "../../src/server/core/core.ts";
import type { DeviceBatch, DeviceSubscription } from "../../src/server/core/device-verbs.ts";
import { BrokerEvents } from "../../src/server/core/events.ts";
import type { FaultBatch, FaultSubscription } from "../../src/server/core/fault-verbs.ts";
import { Permissions } from "../../src/server/core/permissions.ts";
import type { SessionNotice } from "../../src/server/core/session-notices.ts";
import type {
  AddressSpaceView,
  DeviceView,
  HeldView,
  SessionView,
  VirtualIommuView,
} from "../../src/server/core/views.ts";
import { NO_FAULTS } from "./faults.ts";
import { ANYBODY } from "./policy.ts";

export const ADDRESS_SPACE_ID = "11111111-2222-4333-8444-555555555555";
export const VIRTUAL_IOMMU_ID = "66666666-7777-4888-9999-aaaaaaaaaaaa";
export const NVME = deviceID("0000:01:00.0");
export const NIC = deviceID("0000:02:00.0");
export const SMMU = iommuID("smmu0");

export const REGISTERS: IdRegisters = {
  idr0: 0x0840_1a3f,
  idr1: 0x0220_5050,
  idr2: 0,
  idr3: 0x4,
  idr4: 0,
  idr5: 0xffff_ffff,
  idr6: 0x6,
  iidr: 0x43b,
  aidr: 0x3,
};

export const DEVICE: DeviceView = {
  id: NVME,
  iommu: SMMU,
  group: groupID(7),
  groupDevices: [NVME],
  streamIDs: [streamID(0x100), streamID(0xffff_ffff)],
  state: "guest-nested",
  generation: 9,
  attached: true,
  owner: { id: "00000000-0000-4000-8000-000000000001", displayName: "vm 1" },
  virtualIommu: VIRTUAL_IOMMU_ID,
  virtualStreamID: virtualStreamID(0x8),
  vste: checkVSTE(0x1000_000bn, 0x2n),
  stageAuthoritative: true,
  waiters: 2,
};

const TICKET = { ticket: "0123456789abcdef0123456789abcdef", expiresMs: 10_000 };

export const ADDRESS_SPACE: AddressSpaceView = {
  id: ADDRESS_SPACE_ID,
  pinning: "on-first-bind",
  populated: true,
  mappingCount: 3,
  mappedBytes: 2 ** 52,
  missing: ["ram"],
};

export const VIRTUAL_IOMMU: VirtualIommuView = {
  id: VIRTUAL_IOMMU_ID,
  addressSpace: ADDRESS_SPACE_ID,
  registers: REGISTERS,
  iommus: [SMMU],
  devices: [NVME],
};

export const IOMMU_CAPABILITIES: IommuCapabilityView = {
  id: SMMU,
  hardware: { architecture: "smmuv3", reason: "" },
  raw: [],
  registers: REGISTERS,
  fields: [{ register: "IDR0", field: "S1P", msb: 1, lsb: 1, value: 1, meaning: "stage 1 supported" }],
  virtualRegisters: { ...REGISTERS, idr0: 0x2 },
  reduced: [{ register: "IDR0", field: "HTTU", hostValue: 2, virtualValue: 0, reason: "no hardware update" }],
  asidBits: 16,
  substreamIDBits: 20,
  streamIDBits: 32,
  iovaBits: 48,
  ipaBits: 44,
  outputBits: 48,
  granuleBytes: [4096, 65536],
  stage2PageBytes: [4096, 2 ** 21, 2 ** 30],
  nesting: true,
  nestingReason: "",
  shapes: [
    { shape: "smmuv3-ste", supported: true, reason: "" },
    { shape: "single-page-table", supported: false, reason: "an SMMUv3 needs context descriptors" },
  ],
  faultAnswers: ["retry", "abort", "terminate", "success", "invalid", "failure"],
  toldFaults: [
    { type: "C_BAD_CD", stage: undefined, class: undefined },
    { type: "F_TRANSLATION", stage: 2, class: "TTD" },
  ],
  wish: [],
};

export const DEVICE_CAPABILITIES: DeviceCapabilityView = {
  id: NVME,
  iommu: SMMU,
  streamIDs: [streamID(0x100)],
  pasidBits: 16,
  ats: true,
  apertureFirst: 0,
  apertureLast: 2 ** 48 - 1,
  reservedRegions: [{ ipa: 0x800_0000, bytes: 2 ** 20, kind: "msi" }],
  msiWindow: { ipa: 0x800_0000, bytes: 2 ** 20, kind: "msi" },
  translate: true,
  translateReason: "",
  stall: true,
  pageRequests: true,
};

export const EXPLANATION: Explanation = {
  steps: [
    {
      structure: "CD",
      ipa: 2n ** 52n - 64n,
      pa: undefined,
      raw: [2n ** 64n - 1n, 0n],
      fields: { V: 1n, TTB0: 2n ** 63n },
      decision: "the CD is good",
      section: "§5.4",
    },
    {
      structure: "stage 1",
      ipa: undefined,
      pa: 2n ** 51n,
      raw: [],
      fields: {},
      decision: "it ends",
      section: "§3.4",
    },
  ],
  end: {
    kind: "stalled",
    fault: {
      type: "F_PERMISSION",
      typeNumber: 0x13,
      stage: 2,
      class: "TTD",
      inputAddress: 2n ** 64n - 1n,
      ipa: 2n ** 52n - 8n,
      fetchAddress: undefined,
      read: false,
      instruction: false,
      privileged: true,
    },
    recorded: true,
  },
  writes: [{ ipa: 0n, pa: undefined, value: 2n ** 64n - 2n }],
};

export const HELD: HeldView = {
  addressSpaces: [ADDRESS_SPACE_ID],
  virtualIommus: [VIRTUAL_IOMMU_ID],
  devices: [{ id: NVME, virtualIommu: VIRTUAL_IOMMU_ID, generation: 2 ** 53 - 1, rebindRequired: true }],
};

/** A call that reached core: the verb and its arguments. */
export interface Asked {
  readonly verb: string;
  readonly args: readonly unknown[];
}

export class FakeCore implements Core {
  /** Every verb that was called, in order. */
  readonly asked: Asked[] = [];
  readonly subscriptions: FakeSubscription[] = [];
  readonly watches: FakeDeviceWatch[] = [];
  readonly events = new BrokerEvents();
  readonly #sessions = new Map<string, SessionView>();
  readonly #ended = new Set<string>();
  readonly #listeners = new Map<string, Set<(notice: SessionNotice) => void>>();
  #opened = 0;

  /** What the last call of a verb was given, without the session. */
  argsOf(verb: string): readonly unknown[] {
    return this.asked.findLast((call) => call.verb === verb)?.args.slice(1) ?? [];
  }

  notify(session: string, notice: SessionNotice): void {
    for (const listener of [...(this.#listeners.get(session) ?? [])]) listener(notice);
  }

  /** The lease of a token's session lapses. */
  expire(token: string): void {
    const session = this.#sessions.get(token);
    if (session === undefined) return;
    this.#ended.add(token);
    this.events.emit({
      type: "sessionEnded",
      session: session.id,
      displayName: session.displayName,
      reason: "lease_expired",
    });
    this.notify(session.id, { kind: "ended" });
    for (const subscription of this.subscriptions) subscription.close();
  }

  listeners(session: string): number {
    return this.#listeners.get(session)?.size ?? 0;
  }

  /** Anybody may do anything, until a test replaces the policy. */
  readonly permissions = new Permissions({
    policy: ANYBODY,
    clock: { monotonicMs: () => performance.now(), wallMs: () => Date.now() },
    events: this.events,
    usage: () => 0,
  });

  administration: Core["administration"] = {
    sessions: () => [],
    ownerOf: () => undefined,
    revoke: async (session) => this.#note("administration.revoke", session),
    forceRelease: async (device, reason) => this.#answer("administration.forceRelease", "", [device, reason], DEVICE),
  };

  sessions: Core["sessions"] = {
    open: (request) => {
      this.#note("sessions.open", undefined, request);
      this.#opened += 1;
      const session: SessionView = {
        id: `00000000-0000-4000-8000-${String(this.#opened).padStart(12, "0")}`,
        displayName: request.displayName,
        liveness: request.liveness ?? "ttl",
        ttlMs: request.liveness === "peer-process" ? 0 : (request.ttlMs ?? 3000),
        state: "live",
        graceMs: request.graceMs ?? 0,
        transferableTo: request.transferableTo ?? [],
        openedMs: 1_700_000_000_123,
        seenMs: 1_700_000_001_500,
      };
      const token = `token-${this.#opened}`;
      this.#sessions.set(token, session);
      return { session, token };
    },
    reissue: async () => undefined,
    resume: async (token, caller) => {
      this.#note("sessions.resume", undefined, token, caller);
      const session = this.#sessions.get(token);
      if (session === undefined) throw new BrokerError("unauthenticated", "no such session token");
      return { session, held: HELD };
    },
    claim: async (id, caller, wish) => {
      this.#note("sessions.claim", id, caller, wish);
      const found = [...this.#sessions].find(([, session]) => session.id === id);
      if (found === undefined) throw new BrokerError("session_unknown", `no session ${id}`);
      const [before, session] = found;
      this.#sessions.delete(before);
      const token = `${before}-claimed`;
      this.#sessions.set(token, session);
      this.events.emit({ type: "sessionClaimed", session: id, displayName: session.displayName, to: "a test" });
      this.notify(id, { kind: "transferred", to: "a test" });
      return { session, token, held: HELD };
    },
    revoke: async (id, reason) => {
      this.notify(id, { kind: "revoked", reason });
      return true;
    },
    authenticate: (token) => {
      const session = this.#sessions.get(token);
      if (session === undefined) throw new BrokerError("unauthenticated", "no such session token");
      if (this.#ended.has(token)) throw new BrokerError("lease_expired", "the session has ended");
      return session.id;
    },
    authenticateToClose: (token, caller) => this.sessions.authenticate(token, caller),
    renew: (session) => {
      this.#note("sessions.renew", session);
      return 2999.5;
    },
    remaining: () => 1234.5,
    close: async (session) => {
      this.#note("sessions.close", session);
      for (const [token, view] of this.#sessions) if (view.id === session) this.#ended.add(token);
    },
    onNotice: (session, listener) => {
      const listeners = this.#listeners.get(session) ?? new Set();
      this.#listeners.set(session, listeners.add(listener));
      return () => listeners.delete(listener);
    },
  };

  addressSpaces: Core["addressSpaces"] = {
    create: async (session, pinning) => this.#answer("addressSpaces.create", session, [pinning], ADDRESS_SPACE),
    remove: async (session, name) => this.#answer("addressSpaces.remove", session, [name], undefined),
    map: async (session, request) => this.#answer("addressSpaces.map", session, [request], ADDRESS_SPACE),
    present: async (session, request) => this.#answer("addressSpaces.present", session, [request], ADDRESS_SPACE),
    unmap: async (session, request) =>
      this.#answer("addressSpaces.unmap", session, [request], { view: ADDRESS_SPACE, unmappedBytes: 2 ** 53 - 4096 }),
  };

  virtualIommus: Core["virtualIommus"] = {
    create: async (session, request) => this.#answer("virtualIommus.create", session, [request], VIRTUAL_IOMMU),
    remove: async (session, name) => this.#answer("virtualIommus.remove", session, [name], undefined),
    setMode: async (session, name, mode) =>
      this.#answer(
        "virtualIommus.setMode",
        session,
        [name, mode],
        [
          { device: NVME, error: undefined, generation: 10 },
          { device: NIC, error: new BrokerError("backend_unsupported", "no nested abort"), generation: 3 },
        ],
      ),
    invalidate: async (session, name, commands) =>
      this.#answer("virtualIommus.invalidate", session, [name, commands], commands.length),
  };

  stages: Core["stages"] = {
    attach: async (session, request) => this.#answer("stages.attach", session, [request], DEVICE),
    detach: async (session, request) => this.#answer("stages.detach", session, [request], DEVICE),
    bind: async (session, request) =>
      this.#answer("stages.bind", session, [request], {
        device: DEVICE,
        disposition: "vste" in request ? request.vste.disposition : "translate",
        preview: request.validateOnly
          ? { hostSTE: [1n, 2n ** 64n - 1n], wouldFault: [{ eventType: "C_BAD_STE", reason: "S1CDMax" }] }
          : undefined,
      }),
    unbind: async (session, request) => this.#answer("stages.unbind", session, [request], DEVICE),
    reset: async (session, request) => this.#answer("stages.reset", session, [request], DEVICE),
    getDescriptor: async (session, request) =>
      this.#answer("stages.getDescriptor", session, [request], { ticket: TICKET, device: DEVICE, object: undefined }),
    vend: async (session, request) =>
      this.#answer("stages.vend", session, [request], { ticket: TICKET, device: DEVICE, object: 1 }),
  };

  faults: Core["faults"] = {
    subscribe: (session, request) => {
      this.#note("faults.subscribe", session, request);
      const subscription = new FakeSubscription(session === undefined ? "observer" : "owner");
      this.subscriptions.push(subscription);
      return subscription;
    },
    list: (session, request) =>
      this.#answer("faults.list", session ?? "", [request], { events: [], nextPageToken: "" }),
    respond: async (session, request) =>
      this.#answer("faults.respond", session, [request], { device: NVME, sequence: 2 ** 53 - 1 }),
    diagnose: () => undefined,
  };

  explanations: Core["explanations"] = {
    explain: (session, request) =>
      this.#answer("explanations.explain", session ?? "", [request], {
        virtualStreamID: virtualStreamID(0xffff_ffff),
        explanation: EXPLANATION,
      }),
  };

  devices: Core["devices"] = {
    list: () => [DEVICE, { ...DEVICE, id: NIC, owner: undefined, virtualIommu: undefined, vste: undefined }],
    get: (device) => {
      if (device !== NVME) throw new BrokerError("device_unknown", `no device ${device}`, { device });
      return DEVICE;
    },
    watch: (viewer, request) => {
      this.#note("devices.watch", viewer, request);
      const watch = new FakeDeviceWatch();
      this.watches.push(watch);
      return watch;
    },
    unquarantine: async () => DEVICE,
  };

  capabilities: Core["capabilities"] = {
    iommus: (id, wish) => {
      this.#note("capabilities.iommus", undefined, id, wish);
      return [
        wish === undefined
          ? IOMMU_CAPABILITIES
          : {
              ...IOMMU_CAPABILITIES,
              wish: [
                { register: "IDR1", field: "SSIDSIZE", hostValue: 16, wishedValue: 20, ok: false, reason: "too wide" },
              ],
            },
      ];
    },
    device: () => DEVICE_CAPABILITIES,
    findings: () => this.findings,
  };
  findings: readonly HostFinding[] = [];

  simulator: Core["simulator"] = {
    addDevice: (session, device) => this.#note("simulator.addDevice", session, device),
    removeDevice: async (session, device) => this.#note("simulator.removeDevice", session, device),
    dma: async (session, device, accesses) =>
      this.#answer(
        "simulator.dma",
        session,
        [device, accesses],
        [
          { end: "ok", bytesDone: 3, data: Uint8Array.of(1, 2, 3) },
          { end: "stalled", bytesDone: 0, data: new Uint8Array() },
        ],
      ),
    translate: async (session, device, accesses) =>
      this.#answer(
        "simulator.translate",
        session,
        [device, accesses],
        [
          {
            end: "ok",
            pa: 2 ** 52 - 4096,
            pageBytes: 4096,
            ipa: 0,
            bypass: false,
            attributes: { memoryType: "Normal-iWB-oNC", shareability: "ISH" },
            fault: undefined,
            recorded: false,
          },
          {
            end: "abort",
            pa: 0,
            pageBytes: 0,
            ipa: undefined,
            bypass: false,
            attributes: undefined,
            fault: { type: "F_WALK_EABT", stage: 2, class: "TTD", ipa: 0x1000, fetchAddress: 0x2000 },
            recorded: true,
          },
        ],
      ),
    readMemory: (session, space, ipa, bytes) =>
      this.#answer("simulator.readMemory", session, [space, ipa, bytes], new Uint8Array(bytes).fill(0xab)),
    writeMemory: (session, space, ipa, data) => this.#note("simulator.writeMemory", session, space, ipa, data),
    structures: (session, device, streamIndex, substreamID) =>
      this.#answer("simulator.structures", session, [device, streamIndex, substreamID], {
        streamID: 0xffff_ffff,
        ste: [2n ** 64n - 1n, 0n, 0n, 0n, 0n, 0n, 0n, 2n ** 53n + 1n],
        cd: [],
        registers: [{ name: "STRTAB_BASE", offset: 0x80, value: 2n ** 62n + 1n }],
        windows: [{ path: "/ram", pa: 2 ** 40, bytes: 4096 }],
      }),
    msis: (session, device) =>
      this.#answer("simulator.msis", session, [device], {
        total: 2 ** 53 - 1,
        msis: [{ sequence: 2 ** 53 - 1, streamID: 0xffff_ffff, data: 0xffff_fffe, ipa: 0x0801_0040 }],
        doorbell: { ipa: 0x0800_0000, pa: 2 ** 52 - 2 ** 20, bytes: 2 ** 20 },
      }),
  };

  readonly answers = new Answers({ ...SESSION_ANSWERS, scopesMax: 4 });

  async recover(): Promise<void> {}

  image(): [] {
    return [];
  }

  async durable(): Promise<void> {}

  async reapExpired(): Promise<void> {}

  census(): ReturnType<Core["census"]> {
    return {
      sessions: 0,
      sessionStates: { live: 0, restored: 0, lost: 0 },
      addressSpaces: 0,
      virtualIommus: 0,
      mappedBytes: 0,
      pinnedBytes: 0,
      leases: { live: 0, restored: 0, lost: 0 },
      clients: [],
      queueDepth: 0,
      devices: [],
      faults: NO_FAULTS,
      waiters: 0,
      watches: { subscribers: 0, resyncs: 0 },
    };
  }

  #note(verb: string, ...args: unknown[]): void {
    this.asked.push({ verb, args });
  }

  #answer<T>(verb: string, session: string, args: readonly unknown[], result: T): T {
    this.#note(verb, session, ...args);
    return result;
  }
}

/** A subscription that a test feeds. */
class Fed<Batch> {
  readonly #batches: Batch[] = [];
  #waiting: ((batch: Batch | undefined) => void) | undefined;
  isClosed = false;
  /** How many batches were taken. */
  taken = 0;

  push(batch: Batch): void {
    this.#batches.push(batch);
    this.#serve();
  }

  async next(): Promise<Batch | undefined> {
    return await new Promise((resolve) => {
      this.#waiting = resolve;
      this.#serve();
    });
  }

  close(): void {
    this.isClosed = true;
    this.#serve();
  }

  #serve(): void {
    const resolve = this.#waiting;
    if (resolve === undefined) return;
    const batch = this.#batches.shift();
    if (batch === undefined && !this.isClosed) return;
    this.#waiting = undefined;
    if (batch !== undefined) this.taken += 1;
    resolve(batch);
  }
}

export class FakeSubscription extends Fed<FaultBatch> implements FaultSubscription {
  readonly view: FaultSubscription["view"];
  /** What positions() answers, once. */
  where: ReadonlyMap<DeviceID, number> = new Map();

  constructor(view: FaultSubscription["view"]) {
    super();
    this.view = view;
  }

  positions(max: number): ReadonlyMap<DeviceID, number> {
    const told = [...this.where].slice(0, max);
    this.where = new Map([...this.where].slice(max));
    return new Map(told);
  }
}

export class FakeDeviceWatch extends Fed<DeviceBatch> implements DeviceSubscription {
  readonly seen = "7-41";

  version(): string {
    return this.seen;
  }
}
