// Kills the daemon and its clients at random moments and counts what that costs: npm run test:kill -- --rounds 100.
// lost: answered, and not there afterwards. doubled: an effect twice. foreign: DMA beyond one's own memory, or a device that
// somebody else holds a copy of. leaked: held for a client that is gone, beyond its lease, withheld without a copy, or left at
// the end: devices, files, sessions, VMIDs, sockets. All must be 0.

import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { connect, Stage1Mode, StageState } from "../src/client/client.ts";
import { Arena, GONE_MS } from "../test/kill/arena.ts";
import type { ClientReport } from "../test/kill/orders.ts";
import { Chance } from "../test/support/fuzz-chance.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "20" },
    seed: { type: "string", default: String(Date.now() % 2 ** 32) },
    clients: { type: "string", default: "8" },
    verbose: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(
    "npm run test:kill -- [--rounds 20] [--seed N] [--clients 8] [--verbose]\nExits 1 when anything was lost, doubled, foreign or leaked.",
  );
  process.exit(0);
}

const CLIENTS = Number(values.clients);
const ROUNDS = Number(values.rounds);
const seed = Number(values.seed);
const chance = new Chance(seed);
const arena = new Arena();
const totals = { daemon: 0, client: 0, answered: 0, unanswered: 0, restarted: 0, fetched: 0, outlived: 0, withheld: 0 };
/** For a device whose last copy is closed, on a machine that is busy: to be told, to be reset, or the next tick. */
const FREED_MAX_MS = 5000;
const wrong = { lost: 0, doubled: 0, foreign: 0, leaked: 0 };
let serial = 0;

function newClient(slot: number): void {
  serial += 1;
  arena.startClient(slot, { name: `client-${slot}-${serial}`, seed: chance.below(2 ** 31) });
}

function note(reports: readonly ClientReport[]): void {
  for (const { answered, breaches, fetched, restarted, unanswered } of reports) {
    totals.fetched += fetched;
    totals.answered += answered;
    totals.unanswered += unanswered;
    totals.restarted += restarted;
    for (const { client, kind, what } of breaches) {
      wrong[kind] += 1;
      console.log(`  ${kind}: ${client}: ${what}`);
    }
  }
}

function foreign(what: string): void {
  wrong.foreign += 1;
  console.log(`  foreign: ${what}`);
}

function leaked(what: string): void {
  wrong.leaked += 1;
  console.log(`  leaked: ${what}`);
}

async function round(number: number): Promise<void> {
  const kills = chance.of(["daemon", "daemon", "client", "both"]);
  await pause(50 + chance.below(250));
  const victims = kills === "daemon" ? [] : [chance.below(CLIENTS), chance.below(CLIENTS)];
  for (const slot of new Set(victims)) {
    if (chance.once(2)) totals.outlived += arena.shareCopies(slot);
    await arena.killClient(slot);
    totals.client += 1;
  }
  if (kills !== "client") {
    await arena.killDaemon();
    totals.daemon += 1;
    await arena.startDaemon();
  }
  for (const slot of new Set(victims)) newClient(slot);
  await pause(50 + chance.below(150));
  note(await arena.verify());
  for (const left of await arena.leftOf(arena.overdue(false))) leaked(left);
  await checkCopies();
  arena.copies.close(() => chance.once(3));
  arena.goOn();
  if (values.verbose || number % 10 === 0 || sum() > 0) console.log(`round ${number} (${kills}): ${figures()}`);
}

/**
 * Nobody works: who holds a copy has the device or nobody has, and nobody is kept from one of which there is no copy.
 * A lease that lapses, or a reset, goes on meanwhile: what may be on its way is asked for again.
 */
async function checkCopies(): Promise<void> {
  const client = connect(arena.target);
  try {
    const holders = arena.holders();
    for (const { name, ownerDisplayName, stageAuthoritative, state } of await client.listDevices()) {
      const by = holders.filter(({ device }) => device === name).map((holder) => holder.client);
      const isWithheld = state === StageState.STAGE_STATE_RELEASING;
      if (isWithheld) totals.withheld += 1;
      if (isWithheld && by.length === 0) await untilFree(name);
      const others = by.filter((holder) => (ownerDisplayName === "" ? !isWithheld : holder !== ownerDisplayName));
      if (others.length > 0) foreign(`${name} is ${ownerDisplayName || "the host"}'s, and copies are ${others}'s`);
      if (by.length > 0 && stageAuthoritative) foreign(`${name} is told to be the broker's alone, copies are ${by}'s`);
    }
  } finally {
    client.close();
  }
}

async function untilFree(name: string): Promise<void> {
  const client = connect(arena.target);
  const deadline = performance.now() + FREED_MAX_MS;
  try {
    while ((await client.getDevice(name)).state === StageState.STAGE_STATE_RELEASING) {
      if (performance.now() > deadline) return leaked(`${name} is withheld, and nobody holds a copy`);
      await pause(50);
    }
  } finally {
    client.close();
  }
}

/** All clients close, the dead ones' leases run out: then nothing may be left of anybody. */
async function finish(): Promise<void> {
  note(await arena.verify("end"));
  arena.copies.close(() => true);
  await pause(GONE_MS);
  for (const left of await arena.leftOf(arena.overdue(true))) leaked(left);
  for (const path of arena.openFiles()) leaked(`${path} is open`);
  for (const name of arena.openStandIns()) leaked(`the stand-in of ${name} is open`);
  for (const name of ["sessions", "address_spaces", "virtual_iommus", "mapped_bytes", "open_memory_files"]) {
    const value = await arena.metric(`iommu_broker_${name}`);
    if (value !== 0) leaked(`iommu_broker_${name} is ${value}`);
  }
  for (const name of ["connections", "fault_subscribers"]) {
    const value = await arena.metric(`iommu_broker_${name}`);
    if (value > 1) leaked(`iommu_broker_${name} is ${value}`); // grpc-js takes a moment over its last one
  }
  await probe();
}

/** VMIDs are given out lowest first: a new guest gets the first one behind each SMMU when none is left. S2VMID, §5.2. */
async function probe(): Promise<void> {
  const client = connect(arena.target);
  const session = await client.openSession({ displayName: "probe" });
  const space = (await session.createAddressSpace()).name;
  for (const iommu of ["smmu0", "smmu1"]) {
    const virtualIommu = (await session.createVirtualIommu({ addressSpace: space, iommus: [`iommus/${iommu}`] })).name;
    const device = arena.devices.find((name) => name.includes(`-${iommu.at(-1)}-`))!;
    await session.attachDevice({ device, virtualIommu, initialMode: Stage1Mode.STAGE1_MODE_BYPASS });
    const { ste } = await session.simulator.readStructures({ device });
    const vmid = Number(ste[2]! % 0x1_0000n);
    if (vmid !== 1) leaked(`VMIDs below ${vmid} of ${iommu} are in use`);
  }
  await session.close();
  client.close();
}

function sum(): number {
  return wrong.lost + wrong.doubled + wrong.foreign + wrong.leaked;
}

function figures(): string {
  return `lost ${wrong.lost}, doubled ${wrong.doubled}, foreign ${wrong.foreign}, leaked ${wrong.leaked}`;
}

console.log(`seed ${seed}, ${ROUNDS} rounds, ${CLIENTS} clients`);
const began = performance.now();
try {
  await arena.startDaemon();
  for (let slot = 0; slot < CLIENTS; slot++) newClient(slot);
  note(await arena.verify());
  arena.goOn();
  for (let number = 1; number <= ROUNDS; number++) await round(number);
  await finish();
  console.log(
    `${ROUNDS} rounds in ${((performance.now() - began) / 1000).toFixed(0)} s: killed the daemon ${totals.daemon} times, clients ${totals.client}; ${totals.answered} calls answered, ${totals.unanswered} not, ${totals.restarted} guests set up again`,
  );
  const { fetched, outlived, withheld } = totals;
  console.log(
    `descriptors fetched ${fetched} times, ${outlived} outlived their client, devices seen withheld ${withheld} times`,
  );
  console.log(`in total: ${figures()}`);
  if (sum() > 0) throw new Error(`not all are 0: npm run test:kill -- --rounds ${ROUNDS} --seed ${seed}`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  console.error(arena.log.slice(-20).join("\n"));
  process.exitCode = 1;
} finally {
  await arena.close();
}
