// A fault router with real sessions and a real registry, a clock and a disk that a test moves, and hardware that keeps
// what it was answered.

import { BrokerError } from "../../src/backends/errors.ts";
import type { FaultAnswer, FaultRecord } from "../../src/backends/faults.ts";
import type { DeviceID } from "../../src/backends/ids.ts";
import { createSimulatedBackend } from "../../src/backends/sim/backend.ts";
import type { SimulatedConfig } from "../../src/backends/sim/inventory.ts";
import type { DurableRecord } from "../../src/server/core/durable.ts";
import { foldRecords } from "../../src/server/core/durable-state.ts";
import { BrokerEvents } from "../../src/server/core/events.ts";
import { FaultRouter } from "../../src/server/core/fault-router.ts";
import type { FaultSubscription } from "../../src/server/core/fault-verbs.ts";
import type { CoreLimits } from "../../src/server/core/limits.ts";
import { Registry } from "../../src/server/core/registry.ts";
import { Sessions } from "../../src/server/core/sessions.ts";
import { faultOf, pageRequestOf, shown, stallOf } from "./faults.ts";
import { CALLER, FakeProcesses, ManualClock, TEST_LIMITS, TWO_SMMUS, turn } from "./host.ts";

export class FaultWorld {
  readonly clock: ManualClock;
  readonly registry: Registry;
  readonly sessions: Sessions;
  readonly router: FaultRouter;
  /** What was noted, and how much of it is on the disk. */
  readonly noted: DurableRecord[] = [];
  durableCount = 0;
  /** While false, journal.durable() waits. */
  isDiskQuick = true;
  /** What waits in the hardware. */
  readonly waiting = new Set<string>();
  /** What the hardware was asked, and what of it it took. */
  readonly asked: string[] = [];
  readonly answers: string[] = [];
  readonly released: DeviceID[] = [];
  /** Thrown by the hardware's next answer. */
  failure: BrokerError | undefined;
  #cookie = 0;
  #onDisk: (() => void)[] = [];

  constructor(options: { limits?: Partial<CoreLimits>; after?: FaultWorld; config?: SimulatedConfig } = {}) {
    const { after } = options;
    this.clock = after?.clock ?? new ManualClock();
    let serial = after === undefined ? 0 : 1_000_000;
    const identifiers = {
      uuid: () => `s${++serial}`,
      token: () => `t${++serial}`,
      digest: (token: string) => `digest of ${token}`,
    };
    const limits = { ...TEST_LIMITS, ...options.limits };
    const { clock } = this;
    this.registry = new Registry(createSimulatedBackend(options.config ?? TWO_SMMUS).inventory);
    const events = new BrokerEvents();
    this.sessions = new Sessions({ clock, identifiers, limits, events, processes: new FakeProcesses() });
    this.router = new FaultRouter({
      registry: this.registry,
      sessions: this.sessions,
      limits,
      ports: { clock, alarms: clock, identifiers, journal: { durable: () => this.#durable() } },
      respond: (device, cookie, answer) => this.#respond(device, cookie, answer),
      onRelease: (device) => this.released.push(device),
    });
    this.router.numbers.onChange((records) => this.noted.push(...records));
    const { faultNumberFloor, faultNumbers } = foldRecords(after?.onDisk() ?? []);
    this.router.numbers.restore(faultNumbers, faultNumberFloor);
    this.noted.push(...(after?.onDisk() ?? []));
    this.durableCount = this.noted.length;
  }

  /** What a daemon finds that starts now. */
  onDisk(): readonly DurableRecord[] {
    return this.noted.slice(0, this.durableCount);
  }

  /** All that was noted reaches the disk. */
  flush(): void {
    this.durableCount = this.noted.length;
    for (const done of this.#onDisk.splice(0)) done();
  }

  open(displayName: string): string {
    return this.sessions.open({ displayName, ttlMs: undefined, caller: CALLER }).session.id;
  }

  /** The session gets the device, as the arbiter does it. */
  give(device: DeviceID, session: string, how: "fresh" | "restored" = "fresh"): void {
    this.router.claim(device, session, how);
    this.registry.putGroup({ ...this.registry.groupOf(device), owner: session });
  }

  takeBack(device: DeviceID): void {
    this.router.release(device);
    this.registry.putGroup({ ...this.registry.groupOf(device), owner: undefined });
  }

  record(device: DeviceID, times = 1, over: Partial<FaultRecord> = {}): void {
    for (let count = 0; count < times; count += 1) {
      this.router.record({ kind: "fault", fault: faultOf(device, over) });
    }
  }

  /** @returns the hardware's name for it */
  stall(device: DeviceID, kind: "stall" | "page-request" = "stall"): number {
    this.#cookie += 1;
    const pending = kind === "stall" ? stallOf(this.#cookie) : pageRequestOf(this.#cookie);
    this.waiting.add(`${device} ${this.#cookie}`);
    this.router.record({ kind: "fault", fault: faultOf(device, { pending }) });
    return this.#cookie;
  }

  /** The hardware ends it by itself. */
  end(device: DeviceID, cookie: number): void {
    if (this.waiting.delete(`${device} ${cookie}`)) this.router.record({ kind: "ended", device, cookie });
  }

  async #respond(device: DeviceID, cookie: number, answer: FaultAnswer): Promise<void> {
    this.asked.push(`${device} ${cookie} ${answer}`);
    await Promise.resolve();
    const { failure } = this;
    this.failure = undefined;
    if (failure !== undefined) throw failure;
    if (!this.waiting.delete(`${device} ${cookie}`)) {
      throw new BrokerError("fault_not_pending", `${cookie} of ${device} does not wait`);
    }
    this.answers.push(`${device} ${cookie} ${answer}`);
  }

  async #durable(): Promise<void> {
    if (!this.isDiskQuick) await new Promise<void>((resolve) => this.#onDisk.push(resolve));
    else this.durableCount = this.noted.length;
  }
}

/** All there is now, batch by batch. */
export async function taken(subscription: FaultSubscription): Promise<string[]> {
  const seen: string[] = [];
  for (let batch = await now(subscription); batch !== undefined; batch = await now(subscription)) {
    seen.push(...batch.gaps, ...batch.entries);
  }
  return seen;
}

const waits = new WeakMap<FaultSubscription, ReturnType<FaultSubscription["next"]>>();
async function now(subscription: FaultSubscription): Promise<ReturnType<typeof shown>> {
  const wait = waits.get(subscription) ?? subscription.next();
  waits.set(subscription, wait);
  const batch = await Promise.race([wait, turn().then(() => undefined)]);
  if (batch !== undefined) waits.delete(subscription);
  return shown(batch);
}
