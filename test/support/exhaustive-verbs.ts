// What two clients and time can do to one IOMMU group, a row each: who may, which stage changes it may make.
// `mayPass` is written from API.md's rules and not from admission.ts: the walk compares the two on every state.

import { virtualStreamID } from "../../src/backends/ids.ts";
import { ABORT_VSTE, BYPASS_VSTE, checkVSTE, type VSTE } from "../../src/backends/vste.ts";
import type { StageTrigger } from "../../src/server/core/stage-state.ts";
import type { Actor, ExhaustiveWorld, Facts } from "./exhaustive-world.ts";

export interface Verb {
  readonly name: string;
  /** Who calls; undefined: nobody does, it happens. */
  readonly actor: Actor | undefined;
  readonly mayPass: (facts: Facts) => boolean;
  readonly triggers: readonly StageTrigger[];
  readonly run: (world: ExhaustiveWorld) => Promise<unknown>;
}

/** A row for each client and for somebody without a session; `live` and `owns` are the actor's. */
interface Row {
  readonly name: string;
  readonly mayPass: (facts: Facts, is: { readonly live: boolean; readonly owns: boolean }) => boolean;
  readonly triggers?: readonly StageTrigger[];
  readonly run: (world: ExhaustiveWorld, actor: Actor) => Promise<unknown> | unknown;
  /** Refused because of what the caller has seen, whoever it is. */
  readonly actors?: readonly Actor[];
}

/** V=1, Config 0b101, no CD where it leads: nesting needs none to be bound (IHI 0070 §5.2). */
const TRANSLATE = checkVSTE(0x4000_000bn, 0xd4n);
const GUEST_STES: readonly (readonly [string, VSTE, StageTrigger])[] = [
  ["bypass", BYPASS_VSTE, "bindBypass"],
  ["abort", ABORT_VSTE, "bindAbort"],
  ["translate", TRANSLATE, "bindTranslate"],
];

/** Handed out, vended, closed: only a group of one is vended, and one of several is handed out like any other. */
function descriptorRows(device: number): readonly Row[] {
  const request = (world: ExhaustiveWorld) => ({ device: world.device(device), expectedGeneration: undefined });
  return [
    {
      name: `hand out ${device}`,
      mayPass: ({ devices, state }, { live, owns }) =>
        live && owns && devices[device]!.present && devices[device]!.attached && state !== "vended",
      run: async (world, actor) => {
        const { ticket } = await world.host.core.stages.getDescriptor(world.sessionOf(actor), request(world));
        world.fetch(ticket.ticket);
      },
    },
    {
      name: `vend ${device}`,
      mayPass: ({ devices, owner, state }, { live }) =>
        live &&
        devices[device]!.present &&
        devices.filter((one) => one.present).length === 1 &&
        owner === undefined &&
        state !== "releasing",
      triggers: ["vend"],
      run: async (world, actor) => {
        const { ticket } = await world.host.core.stages.vend(world.sessionOf(actor), {
          ...request(world),
          node: "unbound",
        });
        world.fetch(ticket.ticket);
      },
    },
  ];
}

function attachRows(device: number): readonly Row[] {
  return (["bypass", "abort"] as const).flatMap((initial) =>
    [false, true].map(
      (isStale): Row => ({
        name: `attach ${device} ${initial}${isStale ? " stale" : ""}`,
        mayPass: ({ devices, owner, state }, { live, owns }) =>
          live &&
          !isStale &&
          devices[device]!.present &&
          (owns || owner === undefined) &&
          state !== "vended" &&
          state !== "releasing",
        triggers: initial === "bypass" ? ["attach"] : ["attachAborted"],
        run: (world, actor) =>
          world.host.core.stages.attach(world.sessionOf(actor), {
            device: world.device(device),
            virtualIommu: world.virtualIommuOf(actor),
            initial,
            expectedGeneration: isStale ? world.staleGeneration() : undefined,
          }),
      }),
    ),
  );
}

/** A group whose descriptors were handed out is withheld first; where nobody holds one, it is free at once. */
const LEAVING: readonly StageTrigger[] = ["release", "withhold"];

function bindRow(device: number, [mode, vste, trigger]: (typeof GUEST_STES)[number], asked: number | undefined): Row {
  return {
    name: `bind ${device} ${mode}${asked === undefined ? "" : ` as ${asked}`}`,
    mayPass: ({ devices, state }, { live, owns }) => {
      const { attached, name, present } = devices[device]!;
      const isTaken = devices.some((other, at) => at !== device && asked !== undefined && other.name === asked);
      const isRenamed = asked !== undefined && name !== undefined && asked !== name;
      if (!live || !owns || !present || !attached || isTaken || state === "vended") return false;
      if (isRenamed && state === "guest-nested") return false;
      return (
        mode !== "translate" || (devices.filter((one) => one.present).length === 1 && (asked ?? name) !== undefined)
      );
    },
    triggers: [trigger],
    run: (world, actor) =>
      world.host.core.stages.bind(world.sessionOf(actor), {
        device: world.device(device),
        virtualStreamID: asked === undefined ? undefined : virtualStreamID(asked),
        vste,
        validateOnly: false,
        expectedGeneration: undefined,
      }),
  };
}

function stageRows(device: number, names: readonly number[]): readonly Row[] {
  const owned: Row["mayPass"] = ({ devices }, { live, owns }) => live && owns && devices[device]!.present;
  /** A group that nobody owns has nothing to give up: done already. */
  const ownedOrFree: Row["mayPass"] = ({ devices, owner }, { live, owns }) =>
    live && devices[device]!.present && (owns || owner === undefined);
  return [
    ...attachRows(device),
    ...descriptorRows(device),
    ...GUEST_STES.flatMap((stes) => [undefined, ...names].map((name) => bindRow(device, stes, name))),
    {
      name: `bind ${device} stale`,
      mayPass: () => false,
      run: (world, actor) =>
        world.host.core.stages.bind(world.sessionOf(actor), {
          device: world.device(device),
          virtualStreamID: undefined,
          vste: BYPASS_VSTE,
          validateOnly: false,
          expectedGeneration: world.staleGeneration(),
        }),
    },
    {
      name: `bind ${device} only to look`,
      mayPass: (facts, is) => owned(facts, is) && facts.devices[device]!.attached && facts.state !== "vended",
      run: (world, actor) =>
        world.host.core.stages.bind(world.sessionOf(actor), {
          device: world.device(device),
          virtualStreamID: undefined,
          vste: ABORT_VSTE,
          validateOnly: true,
          expectedGeneration: undefined,
        }),
    },
    ...(["unbind", "detach"] as const).flatMap((verb) =>
      [false, true].map(
        (isStale): Row => ({
          name: `${verb} ${device}${isStale ? " stale" : ""}`,
          mayPass: (facts, is) =>
            !isStale && ownedOrFree(facts, is) && !(verb === "unbind" && facts.state === "vended"),
          triggers: verb === "unbind" ? ["unbind"] : LEAVING,
          run: (world, actor) =>
            world.host.core.stages[verb](world.sessionOf(actor), {
              device: world.device(device),
              expectedGeneration: isStale ? world.staleGeneration() : undefined,
            }),
        }),
      ),
    ),
    {
      name: `dma ${device}`,
      mayPass: owned,
      run: (world, actor) => world.host.core.simulator!.dma(world.sessionOf(actor), world.device(device), []),
    },
    {
      name: `remove device ${device}`,
      mayPass: (facts, is) =>
        ownedOrFree(facts, is) && !(is.owns && facts.devices.some((other, at) => at !== device && other.attached)),
      triggers: LEAVING,
      run: (world, actor) => world.host.core.simulator!.removeDevice(world.sessionOf(actor), world.device(device)),
    },
    {
      name: `add device ${device}`,
      mayPass: ({ devices, owner, state }, { live }) =>
        live && !devices[device]!.present && owner === undefined && state !== "releasing",
      run: (world, actor) => world.host.core.simulator!.addDevice(world.sessionOf(actor), world.hostDevice(device)),
    },
  ];
}

const SESSION_ROWS: readonly Row[] = [
  ...(["bypass", "abort"] as const).map(
    (mode): Row => ({
      name: `set mode ${mode}`,
      mayPass: (_, { live }) => live,
      triggers: mode === "bypass" ? ["bindBypass"] : ["bindAbort"],
      run: (world, actor) =>
        world.host.core.virtualIommus.setMode(world.sessionOf(actor), world.virtualIommuOf(actor), mode),
    }),
  ),
  {
    name: "invalidate",
    mayPass: (_, { live }) => live,
    // CMD_TLBI_NSNH_ALL, opcode 0x30 (IHI 0070 §4.4).
    run: (world, actor) =>
      world.host.core.virtualIommus.invalidate(world.sessionOf(actor), world.virtualIommuOf(actor), [
        { dword0: 0x30n, dword1: 0n },
      ]),
  },
  {
    name: "set mode of the other's virtual IOMMU",
    mayPass: () => false,
    actors: [0, 1],
    run: (world, actor) =>
      world.host.core.virtualIommus.setMode(
        world.sessionOf(actor),
        world.virtualIommuOf(actor === 0 ? 1 : 0),
        "bypass",
      ),
  },
  { name: "renew", mayPass: (_, { live }) => live, run: (world, actor) => world.renew(actor) },
  {
    name: "close", // idempotent: also of a session that is gone
    mayPass: () => true,
    triggers: ["ownerLost", ...LEAVING],
    run: (world, actor) => world.close(actor),
  },
];

const HAPPENINGS: readonly Verb[] = [
  ...([0, 1] as const).flatMap((slot): readonly Verb[] => [
    {
      name: `client ${slot} opens`,
      actor: undefined,
      mayPass: () => true,
      triggers: [],
      run: (world) => world.open(slot),
    },
    {
      name: `client ${slot}'s lease lapses`,
      actor: undefined,
      mayPass: () => true,
      triggers: [],
      run: (world) => world.lapse(slot),
    },
  ]),
  {
    name: "the reaper looks",
    actor: undefined,
    mayPass: () => true,
    triggers: ["ownerLost", ...LEAVING],
    run: (world) => world.host.core.reapExpired(),
  },
  {
    name: "every copy of a descriptor is closed",
    actor: undefined,
    mayPass: () => true,
    triggers: ["release"],
    run: (world) => world.closeCopies(),
  },
];

/**
 * All rows for a group of so many devices.
 * @param names  virtual StreamIDs that clients ask for
 */
export function verbsFor(devices: number, names: readonly number[]): readonly Verb[] {
  const rows = [...Array.from({ length: devices }, (_, device) => stageRows(device, names)).flat(), ...SESSION_ROWS];
  const called = rows.flatMap((row) =>
    (row.actors ?? ([0, 1, "stranger"] as const)).map((actor): Verb => {
      return {
        name: `${actor} ${row.name}`,
        actor,
        mayPass: (facts) => {
          const live = actor !== "stranger" && facts.clients[actor] === "live";
          return row.mayPass(facts, { live, owns: actor !== "stranger" && facts.owner === actor });
        },
        triggers: row.triggers ?? [],
        run: async (world) => await row.run(world, actor),
      };
    }),
  );
  return [...called, ...HAPPENINGS];
}
