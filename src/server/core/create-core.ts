// Puts core together: the registry and the verbs around one backend. Everything it needs from outside is given.

import type { Backend } from "../../backends/backend.ts";
import { type DeviceID, deviceID, groupID, iommuID, streamID } from "../../backends/ids.ts";
import type { SimulatorControl } from "../../backends/simulator-control.ts";
import { AddressSpaces } from "./address-space.ts";
import { Administration } from "./administration.ts";
import { Answers, SESSION_ANSWERS } from "./answers.ts";
import { Arbiter, type ArbiterDeps } from "./arbiter.ts";
import { deviceCapability } from "./capability.ts";
import type { CapabilityQueries } from "./capability-views.ts";
import { takeCensus } from "./census.ts";
import type { Core } from "./core.ts";
import { Recorder } from "./durable.ts";
import { type DurableState, foldRecords } from "./durable-state.ts";
import { BrokerEvents } from "./events.ts";
import { Explainer } from "./explainer.ts";
import { FaultDiagnoser } from "./fault-diagnoser.ts";
import { FaultRouter } from "./fault-router.ts";
import type { FaultVerbs } from "./fault-verbs.ts";
import { givenUpRecords } from "./given-up.ts";
import { InventoryChanges } from "./inventory-changes.ts";
import { InventoryWatch } from "./inventory-watch.ts";
import { iommuCapability } from "./iommu-capability.ts";
import type { CoreLimits } from "./limits.ts";
import { Permissions } from "./permissions.ts";
import { NO_SUBJECT, type Policy, type Quota } from "./policy.ts";
import type { Ports } from "./ports.ts";
import { Reaper } from "./reaper.ts";
import { heldBy } from "./record-views.ts";
import { type RecoveryReport, restoreSessions } from "./recovery.ts";
import { Registry } from "./registry.ts";
import type { SessionVerbs, TakenUp } from "./session-verbs.ts";
import { Sessions } from "./sessions.ts";
import { SimulatorGate } from "./simulator-gate.ts";
import { usageOf } from "./usage.ts";
import type { DeviceView } from "./views.ts";
import { VirtualIommus } from "./virtual-iommu.ts";
import { WorkQueues } from "./work-queues.ts";

export interface CoreOptions {
  readonly backend: Backend;
  /** Present: the Simulator service is to be served. */
  readonly simulator: SimulatorControl | undefined;
  readonly ports: Ports;
  readonly limits: CoreLimits;
  readonly policy: Policy;
}

/** Builds core around a backend whose inventory is known. It subscribes to the backend's faults and inventory. */
export function createCore(options: CoreOptions): Core {
  const { backend, limits, ports, simulator } = options;
  const events = new BrokerEvents();
  const registry = new Registry(backend.inventory);
  const sessions = new Sessions({ ...ports, limits, events });
  const queues = new WorkQueues(limits.queueDepthMax);
  const faults = new FaultRouter({
    registry,
    sessions,
    limits,
    ports,
    respond: (device, cookie, answer) => backend.respondToFault(device, cookie, answer),
    onRelease: (device) => diagnoser.forget(device),
  });
  const diagnoser = new FaultDiagnoser({
    clock: ports.clock,
    perSecond: limits.faultDiagnosesPerSecond,
    diagnose: (fault) => backend.diagnose(fault),
  });
  const usage = (identity: string, quota: Quota): number => usageOf({ registry, sessions, faults }, identity, quota);
  const permissions = new Permissions({ policy: options.policy, clock: ports.clock, events, usage });
  const spaces = new AddressSpaces({ backend, ports, limits, registry, sessions, queues, events, permissions });
  const deps: ArbiterDeps = { backend, ports, limits, registry, sessions, queues, spaces, faults, events, permissions };
  const arbiter = new Arbiter(deps);
  const virtualIommus = new VirtualIommus(deps, arbiter);
  const reaper = new Reaper({ ...deps, arbiter, virtualIommus });
  const view = (device: DeviceID): DeviceView => arbiter.view(device);
  const watch = new InventoryWatch({ registry, events, limits, journal: ports.journal, clock: ports.clock, view });
  const answers = new Answers({ ...SESSION_ANSWERS, scopesMax: limits.sessionsMax });
  events.subscribe((event) => {
    // Answers are their owner's: who claims a session is told none of the ones before, and its request_ids are its own.
    if (event.type === "sessionEnded" || event.type === "sessionClaimed") answers.drop(event.session);
  });
  const { numbers } = faults;
  const recorder = new Recorder({ registry, sessions, watch, answers, numbers, journal: ports.journal });
  const verbs = sessionVerbs(deps, reaper);
  backend.onFault((notice) => faults.record(notice));
  const inventoryChanges = new InventoryChanges({ ...deps, arbiter });
  return {
    permissions,
    administration: new Administration({ ...deps, arbiter, revoke: verbs.revoke }),
    sessions: verbs,
    addressSpaces: spaces,
    virtualIommus,
    stages: arbiter,
    faults: faultVerbs(deps, diagnoser),
    explanations: new Explainer({ backend, registry, sessions, mayShowHost: simulator !== undefined }),
    devices: {
      list: () => registry.devices().map((device) => arbiter.view(device.host.id)),
      get: view,
      watch: (viewer, request) => watch.subscribe(viewer, request),
      unquarantine: (device) => arbiter.unquarantine(device),
    },
    capabilities: capabilityQueries(registry),
    simulator: simulator && new SimulatorGate(deps, arbiter, simulator),
    events,
    answers,
    recover: async (records) => {
      const state = foldRecords(records);
      faults.numbers.restore(state.faultNumbers, state.faultNumberFloor);
      if (simulator !== undefined) await restoreInventory(state, simulator, registry);
      registry.restoreGone(state.goneGroups, state.generationFloor);
      tellRecovery(await restoreSessions(state, { ...deps, answers }), events);
      recorder.start([...givenUpRecords(state, registry, sessions), ...sessions.absences()]);
      watch.begin(state.inventoryEpoch);
      faults.numbers.begin();
      await ports.journal.durable(); // what this life costs those who wait is paid before it begins
    },
    image: () => recorder.image(),
    durable: () => ports.journal.durable(),
    reapExpired: async () => {
      await Promise.all([reaper.reapLapsed(), arbiter.freeAll(), inventoryChanges.retry()]);
    },
    census: () => takeCensus({ ...deps, waiting: () => arbiter.waiting(), watch, diagnoser }),
  };
}

function sessionVerbs({ faults, permissions, registry, sessions }: ArbiterDeps, reaper: Reaper): SessionVerbs {
  const takenUp = async (id: string): Promise<TakenUp> => {
    await reaper.settled(id); // what a loss has begun to abort is told as aborted
    sessions.takenUp(id);
    sessions.requireLive(id);
    return { session: sessions.view(id)!, held: heldBy(registry, id, sessions.aborted(id)) };
  };
  return {
    open: (request) => {
      const quota = { verb: "OpenSession", subject: NO_SUBJECT, quota: "sessions", amount: 1 } as const;
      const settle = permissions.reserve(request.caller, quota);
      try {
        return sessions.open(request);
      } finally {
        settle();
      }
    },
    resume: async (token, caller) => await takenUp(sessions.resume(token, caller)),
    reissue: async (issue, caller) => {
      const issued = sessions.reissue(issue, caller);
      return issued && { token: issued.token, ...(await takenUp(issued.id)) };
    },
    claim: async (session, caller, wish, issue) => {
      const token = sessions.claim(session, caller, wish, issue);
      faults.endSession(session); // the streams of who had it
      return { token, ...(await takenUp(session)) };
    },
    revoke: async (session, reason) => {
      if (sessions.view(session) === undefined) return false;
      sessions.notifyRevoked(session, reason);
      await reaper.close(session, "revoked");
      return true;
    },
    authenticate: (token, caller) => sessions.authenticate(token, caller),
    authenticateToClose: (token, caller) => sessions.authenticateToClose(token, caller),
    renew: (session) => sessions.renew(session),
    remaining: (session) => sessions.remaining(session),
    close: (session) => reaper.close(session),
    onNotice: (session, listener) => sessions.onNotice(session, listener),
  };
}

function faultVerbs({ faults, permissions, sessions }: ArbiterDeps, diagnoser: FaultDiagnoser): FaultVerbs {
  return {
    list: (session, request) => faults.list(session, request),
    respond: (session, request, gate) => faults.respond(session, request, gate),
    diagnose: ({ fault }) => diagnoser.diagnose(fault),
    subscribe: (session, request) => {
      if (session === undefined) return faults.subscribe(session, request);
      const { caller } = sessions.requireLive(session);
      const quota = { verb: "WatchFaults", subject: NO_SUBJECT, quota: "fault_streams", amount: 1 } as const;
      const settle = permissions.reserve(caller, quota);
      try {
        return faults.subscribe(session, request);
      } finally {
        settle();
      }
    },
  };
}

function capabilityQueries(registry: Registry): CapabilityQueries {
  return {
    findings: () => registry.findings(),
    iommus: (id, wish) => {
      const hosts = id === undefined ? registry.iommus() : [registry.iommu(id)];
      return [...hosts].sort((a, b) => (a.id < b.id ? -1 : 1)).map((host) => iommuCapability(host, wish));
    },
    device: (id) => {
      const device = registry.device(id);
      return deviceCapability(device, registry.group(device.host.group), registry.iommu(device.host.iommu));
    },
  };
}

/** The simulated hardware has the devices it had. */
async function restoreInventory(state: DurableState, simulator: SimulatorControl, registry: Registry): Promise<void> {
  for (const id of state.removedDevices) {
    const found = registry.findDevice(deviceID(id));
    if (found !== undefined) await simulator.removeDevice(found.host.id);
  }
  for (const device of state.addedDevices.values()) {
    simulator.addDevice({
      id: deviceID(device.id),
      iommu: iommuID(device.iommu),
      group: groupID(device.group),
      streamIDs: device.streamIDs.map((id) => streamID(id)),
      pasidBits: device.pasidBits,
      ats: device.ats,
      pri: device.pri ?? false,
      stall: device.stall ?? false,
    });
  }
}

function tellRecovery({ restored, held, givenUp }: RecoveryReport, events: BrokerEvents): void {
  for (const { id, displayName } of restored) events.emit({ type: "sessionRestored", session: id, displayName });
  for (const { session, error } of givenUp) {
    events.emit({ type: "sessionGivenUp", session: session.id, displayName: session.displayName, error });
  }
  for (const group of held) events.emit({ type: "groupHeld", ...group });
}
