// Clients, crashes of theirs and of the broker, lapsed leases, a backend that fails, devices that go and DMA, at random;
// what must hold is checked after every step. Runs for a while; a failure prints its seed: npm run sim -- --seed N.

import fc from "fast-check";
import { expect, test } from "vitest";
import { type DeviceID, virtualStreamID } from "../../src/backends/ids.ts";
import { ABORT_VSTE, BYPASS_VSTE, checkVSTE } from "../../src/backends/vste.ts";
import { answered, type Client, FIRST_IPA, PAGES, World } from "./world.ts";

// V=1, Config 0b101, the CD at the first page of memory, which holds no CD: C_BAD_CD (IHI 0070 §5.2).
const VSTES = { abort: ABORT_VSTE, bypass: BYPASS_VSTE, translate: checkVSTE(0x4000_000bn, 0xd4n) } as const;

const slot = fc.nat({ max: 2 });
const device = fc.nat({ max: 7 });
const page = fc.nat({ max: PAGES - 1 });
const stage = fc.constantFrom("bypass" as const, "abort" as const);
const kind = <K extends string>(name: K) => fc.constant(name);

const COMMAND = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: kind("open"), slot, eager: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: kind("close"), slot }) },
  { weight: 1, arbitrary: fc.record({ kind: kind("crash"), slot }) },
  { weight: 2, arbitrary: fc.record({ kind: kind("renew"), slot }) },
  { weight: 2, arbitrary: fc.record({ kind: kind("advance"), ms: fc.nat({ max: 600 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: kind("reap") }) },
  { weight: 1, arbitrary: fc.record({ kind: kind("jump") }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: kind("die"),
      turns: fc.nat({ max: 30 }),
      part: fc.double({ min: 0, max: 1, noNaN: true }),
      tail: fc.constantFrom("nothing" as const, "zeroes" as const, "rubbish" as const),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: kind("map"), slot, page }) },
  { weight: 1, arbitrary: fc.record({ kind: kind("unmap"), slot, page }) },
  { weight: 6, arbitrary: fc.record({ kind: kind("attach"), slot, device, stage }) },
  { weight: 2, arbitrary: fc.record({ kind: kind("detach"), slot, device }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: kind("bind"),
      slot,
      device,
      to: fc.constantFrom("abort" as const, "bypass" as const, "translate" as const),
      name: fc.option(fc.nat({ max: 3 }), { nil: undefined }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: kind("unbind"), slot, device }) },
  { weight: 1, arbitrary: fc.record({ kind: kind("mode"), slot, stage }) },
  { weight: 1, arbitrary: fc.record({ kind: kind("invalidate"), slot }) },
  { weight: 6, arbitrary: fc.record({ kind: kind("dma"), slot, device, pages: fc.array(page, { maxLength: 12 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: kind("dmaBeside"), slot, device }) },
  { weight: 3, arbitrary: fc.record({ kind: kind("drain"), slot }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: kind("fail"),
      verb: fc.constantFrom(
        "attach",
        "setPlainStage",
        "bindGuestStage",
        "detach",
        "map",
        "unmap",
        "createPart",
        "destroyPart",
      ),
    }),
  },
);
type Command = typeof COMMAND extends fc.Arbitrary<infer T> ? T : never;

async function run(world: World, command: Command): Promise<void> {
  switch (command.kind) {
    case "open":
      await answered(() => world.open(command.slot, command.eager));
      return;
    case "advance":
      world.host.clock.advance(command.ms);
      return;
    case "reap":
      await world.host.core.reapExpired();
      return;
    case "jump": // over every lease there is
      world.host.clock.advance(100_000);
      return;
    case "die":
      for (let turn = 0; turn < command.turns; turn += 1) await Promise.resolve();
      if (command.turns > 15) await new Promise((resolve) => setImmediate(resolve));
      world.disk.cut(command.part, command.tail);
      return;
    case "fail":
      world.failures.clear();
      world.failures.fail(command.verb);
      return;
    case "crash": // the process is gone: nobody renews, nobody reads
      world.forget(command.slot);
      return;
    default: {
      const client = world.clients[command.slot];
      if (client) await answered(() => act(world, client, command));
    }
  }
}

type ClientCommand = Exclude<Command, { kind: "open" | "advance" | "jump" | "die" | "reap" | "fail" | "crash" }>;

async function act(world: World, client: Client, command: ClientCommand): Promise<void> {
  await ask(world, client, command);
  await world.durable();
}

async function ask(world: World, client: Client, command: ClientCommand): Promise<void> {
  const { addressSpaces, sessions, stages, virtualIommus } = world.host.core;
  const { addressSpace, session, virtualIommu } = client;
  const expectedGeneration = undefined;
  const id = "device" in command ? chosen(world, client, command) : world.devices[0]!;
  switch (command.kind) {
    case "close":
      world.forget(client.slot);
      await sessions.close(session);
      return;
    case "renew":
      sessions.renew(session);
      return;
    case "map": {
      const at = { ipa: BigInt(FIRST_IPA + command.page * 4096), bytes: 4096n, offset: BigInt(command.page * 4096) };
      const mappings = [{ ...at, source: 0, readable: true, writable: true }];
      await inDoubt(world, client, command.page, () =>
        addressSpaces.map(session, { addressSpace, sources: [client.file.path], mappings }),
      );
      client.mapped.add(command.page);
      return;
    }
    case "unmap": {
      const ranges = [{ ipa: BigInt(FIRST_IPA + command.page * 4096), bytes: 4096n }];
      await inDoubt(world, client, command.page, () => addressSpaces.unmap(session, { addressSpace, ranges }));
      client.mapped.delete(command.page);
      return;
    }
    case "attach":
      await stages.attach(session, { device: id, virtualIommu, initial: command.stage, expectedGeneration });
      return;
    case "detach":
      await stages.detach(session, { device: id, expectedGeneration });
      return;
    case "bind": {
      const name = command.name === undefined ? undefined : virtualStreamID(command.name);
      const request = { device: id, virtualStreamID: name, validateOnly: false, expectedGeneration };
      await stages.bind(session, { ...request, vste: VSTES[command.to] });
      return;
    }
    case "unbind":
      await stages.unbind(session, { device: id, expectedGeneration });
      return;
    case "mode":
      await virtualIommus.setMode(session, virtualIommu, command.stage);
      return;
    case "invalidate":
      await virtualIommus.invalidate(session, virtualIommu, [{ dword0: 0x30n, dword1: 0n }]);
      return;
    case "dma":
      await world.dma(client, id, command.pages);
      return;
    case "dmaBeside":
      world.dmaBeside(
        client,
        id,
        Array.from({ length: 300 }, (_, index) => index % PAGES),
      );
      return;
    case "drain":
      await world.drain(client);
  }
}

/** Until it is answered, nobody knows whether the page is mapped after a crash; a refusal leaves it as it was. */
async function inDoubt(world: World, client: Client, page: number, call: () => Promise<unknown>): Promise<void> {
  const wasInDoubt = client.inDoubt.has(page);
  client.inDoubt.add(page);
  try {
    await call();
  } catch (error) {
    if (!wasInDoubt) client.inDoubt.delete(page);
    throw error;
  }
  await world.durable();
  client.inDoubt.delete(page);
}

/** Mostly one that the client owns, so that scripts get somewhere; sometimes any. */
function chosen(world: World, client: Client, command: { kind: string; device: number }): DeviceID {
  const owned = world.host.core.devices
    .list()
    .filter(({ attached, owner }) => attached && owner?.id === client.session);
  const any = world.devices[command.device]!;
  if (command.kind === "attach" || command.device === 7 || owned.length === 0) return any;
  return owned[command.device % owned.length]!.id;
}

/** A device in stage-1 bypass reaches exactly what its client has mapped. */
async function checkReach(world: World): Promise<void> {
  for (const client of world.clients) {
    if (!client?.eager) continue;
    const device = world.host.core.devices
      .list()
      .find((one) => one.owner?.id === client.session && one.state === "nest-parent");
    if (!device) continue;
    for (let each = 0; each < PAGES; each += 1) {
      const where = { substreamID: undefined, privileged: false, streamIndex: 0, access: "read" } as const;
      const [outcome] = await world.host.backend.translate(device.id, [
        { ...where, iova: BigInt(FIRST_IPA + each * 4096) },
      ]);
      expect([each, outcome!.end === "ok"]).toEqual([each, client.mapped.has(each)]);
    }
  }
}

const SECONDS = Number(process.env.IOMMU_BROKER_SIM_SECONDS ?? 20);
const STEPS = Number(process.env.IOMMU_BROKER_SIM_STEPS ?? 60);
/** fast-check prints it with a failure: straight to the smallest script. */
const PATH = process.env.IOMMU_BROKER_SIM_PATH ?? "";
const SEED = Number(process.env.IOMMU_BROKER_SIM_SEED ?? Date.now() % 2 ** 31);

async function runScript(script: readonly (readonly Command[])[], count: () => void): Promise<void> {
  const world = new World();
  await world.start();
  await Promise.all([world.open(0, true), world.open(1, false)]);
  for (const together of script) {
    await Promise.all(together.map((command) => run(world, command)));
    if (together.some((command) => command.kind === "die")) await world.restart();
    world.checkInvariants();
    await checkReach(world);
    count();
  }
  await world.end();
}

test(
  "whatever clients and the broker do and however they end, every invariant holds after every step",
  async () => {
    const together = fc.array(COMMAND, { minLength: 1, maxLength: 3 });
    const scripts = fc.array(together, { minLength: 1, maxLength: STEPS, size: "max" });
    const figures = { scripts: 0, steps: 0, deaths: 0 };
    try {
      await fc.assert(
        fc.asyncProperty(scripts, async (script) => {
          figures.scripts += 1;
          figures.deaths += script.flat().filter((command) => command.kind === "die").length;
          await runScript(script, () => {
            figures.steps += 1;
          });
        }),
        {
          seed: SEED,
          path: PATH,
          numRuns: 2 ** 31 - 1,
          interruptAfterTimeLimit: SECONDS * 1000,
          markInterruptAsFailure: false,
        },
      );
    } finally {
      const { deaths, steps } = figures;
      process.stdout.write(
        `simulation: seed ${SEED}: ${figures.scripts} scripts, ${steps} steps, ${deaths} deaths of the broker\n`,
      );
    }
    expect(figures.steps).toBeGreaterThan(0);
  },
  SECONDS * 1000 + 120_000,
);
