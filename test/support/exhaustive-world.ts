// Two clients and one IOMMU group on a simulated host, and the facts that tell one state of theirs from another.
// Facts are read from views and from the stream table; generations and identifiers are left out, so that there is an end.

import { type DeviceID, deviceID } from "../../src/backends/ids.ts";
import type { HostDevice } from "../../src/backends/inventory.ts";
import type { StageState } from "../../src/server/core/stage-state.ts";
import {
  Failures,
  fetchDescriptors,
  type Guest,
  guest,
  steConfig,
  type TestHost,
  TWO_SMMUS,
  testHost,
  turn,
} from "./host.ts";

/** A client by its slot, or somebody whose session this daemon never had. */
export type Actor = 0 | 1 | "stranger";

export interface Facts {
  readonly clients: readonly ("none" | "live" | "lapsed")[];
  readonly state: StageState;
  readonly owner: number | "gone" | undefined;
  readonly vste: string | undefined;
  readonly authoritative: boolean;
  /** Somebody holds a copy of a descriptor. */
  readonly held: boolean;
  readonly devices: readonly {
    readonly present: boolean;
    readonly attached: boolean;
    readonly name: number | undefined;
  }[];
}

const TTL_MS = 1000;
const NOBODY = "00000000-0000-4000-8000-00000000dead";
/** STE.Config by state, IHI 0070 §5.2. */
const CONFIG: Readonly<Record<StageState, number>> = {
  "default-domain": 0b101,
  "nest-parent": 0b110,
  "guest-abort": 0b000,
  "guest-nested": 0b111,
  quarantined: 0b000,
  vended: 0b000, // simulated, nobody attaches it
  releasing: 0b000,
};

export class ExhaustiveWorld {
  readonly host: TestHost;
  readonly failures = new Failures();
  readonly #ids: readonly DeviceID[];
  readonly #hardware = new Map<DeviceID, HostDevice>();
  /** The last session of each slot, ended or not. */
  readonly #guests: (Guest | undefined)[] = [undefined, undefined];

  constructor(devices: number) {
    const all = Array.from({ length: devices }, (_, index) => ({
      id: `device-${index}`,
      iommu: "smmu0",
      group: 9,
      streamIDs: [0x10 + index],
    }));
    const config = { iommus: TWO_SMMUS.iommus, devices: all };
    this.host = testHost({ config, wrap: this.failures.wrap, limits: { leaseTtlDefaultMs: TTL_MS } });
    this.#ids = all.map(({ id }) => deviceID(id));
    for (const device of this.host.backend.inventory.devices()) this.#hardware.set(device.id, device);
  }

  device(index: number): DeviceID {
    return this.#ids[index]!;
  }

  hostDevice(index: number): HostDevice {
    return this.#hardware.get(this.#ids[index]!)!;
  }

  sessionOf(actor: Actor): string {
    return actor === "stranger" ? NOBODY : (this.#guests[actor]?.session ?? NOBODY);
  }

  virtualIommuOf(actor: Actor): string {
    return actor === "stranger" ? NOBODY : (this.#guests[actor]?.virtualIommu ?? NOBODY);
  }

  /** One ahead of what is: nobody can have seen it. */
  staleGeneration(): bigint {
    const [first] = this.#present();
    return first === undefined ? 1n : BigInt(this.host.core.devices.get(first).generation) + 1n;
  }

  async open(slot: 0 | 1): Promise<void> {
    if (this.facts().clients[slot] !== "none") return;
    this.#guests[slot] = await guest(this.host, { name: `client-${slot}`, bytes: 4096 });
  }

  /** Time passes until this client's lease is over; the other one renews. */
  lapse(slot: 0 | 1): Promise<void> {
    if (this.facts().clients[slot] !== "live") return Promise.resolve();
    const other = slot === 0 ? 1 : 0;
    for (let half = 0; half < 2; half += 1) {
      this.host.clock.advance(TTL_MS / 2);
      if (this.facts().clients[other] === "live") this.renew(other);
    }
    return Promise.resolve();
  }

  /** A process fetches what a ticket stands for, and holds it. */
  fetch(ticket: string): void {
    fetchDescriptors(this.host, ticket);
  }

  /** Every process that held a copy has ended. */
  async closeCopies(): Promise<void> {
    for (const id of this.#ids) this.host.standIns.closeAll(id);
    await turn();
  }

  renew(actor: Actor): number {
    return this.host.core.sessions.renew(this.sessionOf(actor));
  }

  async close(actor: Actor): Promise<void> {
    await this.host.core.sessions.close(this.sessionOf(actor));
  }

  /** Keeps everybody who is there well away from the end of the lease, so that only lapse() lapses. */
  renewAll(): void {
    for (const slot of [0, 1] as const) if (this.facts().clients[slot] === "live") this.renew(slot);
  }

  facts(): Facts {
    const views = this.#present().map((id) => this.host.core.devices.get(id));
    const [first] = views;
    return {
      clients: ([0, 1] as const).map((slot) => this.#clientState(slot)),
      state: first?.state ?? "default-domain",
      owner: first?.owner === undefined ? undefined : this.#slotOf(first.owner.id),
      vste: first?.vste?.disposition,
      authoritative: first?.stageAuthoritative ?? true,
      held: this.#ids.some((id) => this.host.standIns.isCopied(id)),
      devices: this.#ids.map((id) => {
        const view = views.find((one) => one.id === id);
        return { present: view !== undefined, attached: view?.attached ?? false, name: view?.virtualStreamID };
      }),
    };
  }

  generation(): number | undefined {
    const [first] = this.#present();
    return first === undefined ? undefined : this.host.core.devices.get(first).generation;
  }

  /** Views and the stream table's words: what a refused call must leave alone. */
  picture(): unknown {
    const { core, backend } = this.host;
    const words = this.#present().map((id) => backend.structures(id, 0, 0, undefined).ste.map(String));
    return { views: core.devices.list(), words, census: core.census() };
  }

  /** What is wrong with a state by itself; empty when nothing is. */
  complaints(): readonly string[] {
    const { owner, state } = this.facts();
    const found: string[] = [];
    for (const id of this.#present()) {
      const config = steConfig(this.host, id);
      if (config !== CONFIG[state]) found.push(`${id} is in ${state}, its STE.Config is ${config}`);
      const view = this.host.core.devices.get(id);
      if (view.attached && view.owner === undefined) found.push(`${id} is attached to nobody`);
    }
    if ((owner === undefined) !== (state === "default-domain" || state === "releasing"))
      found.push(`owner ${owner} in state ${state}`);
    return found;
  }

  /** Lapsed until the reaper looks: the session is over for its client, and still holds what it held. */
  #clientState(slot: 0 | 1): "none" | "live" | "lapsed" {
    const own = this.#guests[slot];
    if (own === undefined) return "none";
    if (this.host.core.sessions.remaining(own.session) > 0) return "live";
    const hasEnded = this.host.events.some((event) => event.type === "sessionEnded" && event.session === own.session);
    return hasEnded ? "none" : "lapsed";
  }

  #slotOf(session: string): number | "gone" {
    const slot = this.#guests.findIndex((own) => own?.session === session);
    return slot === -1 ? "gone" : slot;
  }

  #present(): readonly DeviceID[] {
    const there = new Set(this.host.core.devices.list().map(({ id }) => id));
    return this.#ids.filter((id) => there.has(id));
  }
}
