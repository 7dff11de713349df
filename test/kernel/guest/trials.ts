// Trials on the kernel's SMMU: the daemon installs the guest's STE over gRPC, an edu device makes the accesses, and the guest's
// memory and its faults tell what became of them. All that was read stays in the device's buffer until the end, because it
// is emptied by DMA.

import { readSync, writeSync } from "node:fs";
import { BrokerCallError, type FaultEvent, Stage1Mode } from "../../../src/client/client.ts";
import { Model } from "../differential/model.ts";
import type { ModelOutcome, Outcome } from "../differential/outcome.ts";
import {
  ACCESS_BYTES,
  DATA_BYTES,
  dataImage,
  dataOffset,
  isData,
  PLACE,
  type Trial,
  type TrialAccess,
} from "../differential/trial.ts";
import type { GuestMachine } from "../kernel-case.ts";
import { doublewordsOf, VIRTUAL_STREAM_IDS } from "./broker-guest.ts";
import { BUFFER_BYTES, Edu } from "./edu.ts";
import { withGuest } from "./native-daemon.ts";
import { RAM, write64 } from "./nested.ts";

const [NAME] = VIRTUAL_STREAM_IDS;
/** The first half of the device's buffer is written from, the second read into. */
const SLOTS = BUFFER_BYTES / 2 / ACCESS_BYTES;
const slotWord = (slot: number): number => 0x5700_0000 + slot;

export interface Tried {
  readonly trial: Trial;
  readonly access: TrialAccess;
  readonly model: ModelOutcome;
  readonly kernel: Outcome;
}

interface Made {
  readonly trial: Trial;
  readonly access: TrialAccess;
  readonly model: ModelOutcome;
  /** In its half of the device's buffer. */
  readonly slot: number;
  refused: string | undefined;
  told: readonly bigint[] | undefined;
  moved: number | undefined;
}

type Guest = Parameters<Parameters<typeof withGuest>[2]>[0];

/** Each access of each trial, with what the model and what the kernel made of it. */
export async function tryOut(machine: GuestMachine, trials: readonly Trial[]): Promise<readonly Tried[]> {
  const made: Made[] = [];
  const { STAGE1_MODE_BYPASS } = Stage1Mode;
  await withGuest(machine, { devices: 1, initialMode: STAGE1_MODE_BYPASS }, async (guest) => {
    using edu = Edu.ofAddress(machine.devices[0]!.address);
    const run = new Run(guest, edu, await Model.over(guest.ram, machine.idr, NAME));
    await run.fillBuffer();
    for (const trial of trials) made.push(...(await run.make(trial)));
    await run.emptyBuffer(made);
    await run.model.close();
  });
  return made.map(({ access, model, trial, ...end }) => ({ trial, access, model, kernel: outcomeOf(end) }));
}

function outcomeOf({ moved, refused, told }: Pick<Made, "moved" | "refused" | "told">): Outcome {
  if (refused !== undefined) return { kind: "refused", reason: refused };
  if (told !== undefined && moved !== undefined) throw new Error(`a fault was told, and data moved at ${moved}`);
  if (told !== undefined) return { kind: "told", record: told };
  return moved === undefined ? { kind: "silent" } : { kind: "moved", offset: moved };
}

class Run {
  readonly #guest: Guest;
  readonly #edu: Edu;
  readonly model: Model;
  readonly #data = dataImage();
  readonly #slots = { read: 0, write: 0 };
  /** The last fault that was seen. */
  #sequence = 0n;

  constructor(guest: Guest, edu: Edu, model: Model) {
    this.#guest = guest;
    this.#edu = edu;
    this.model = model;
  }

  /** In BYPASS. */
  async fillBuffer(): Promise<void> {
    const { ram } = this.#guest;
    const words = Uint32Array.from({ length: 2 * SLOTS }, (_, slot) => slotWord(slot));
    writeSync(ram, new Uint8Array(words.buffer), 0, BUFFER_BYTES, PLACE.buffer);
    writeSync(ram, this.#data, 0, DATA_BYTES, PLACE.data);
    await this.#edu.read(RAM.ipa + PLACE.buffer, BUFFER_BYTES);
  }

  async make(trial: Trial): Promise<readonly Made[]> {
    const { ram } = this.#guest;
    for (const [offset, value] of trial.words) write64(ram, offset, value);
    const outcomes = await this.model.run(trial);
    const made = trial.accesses.flatMap((access, index) => {
      const model = outcomes[index]!;
      // What is written to the tables would be another trial.
      if (model.outcome.kind === "moved" && !isData(model.outcome.offset)) return [];
      return [this.#planned(trial, access, model)];
    });
    const refused = await this.#install(trial);
    for (const each of made) each.refused = refused;
    if (refused === undefined) {
      for (const { access, slot } of made) await this.#access(access, slot);
      await this.#abort();
      assignFaults(made, await this.#newFaults());
      this.#takeWritten(made);
    }
    for (const [offset] of trial.words) write64(ram, offset, 0n);
    return made;
  }

  /** What was read, by what came with it. */
  async emptyBuffer(made: readonly Made[]): Promise<void> {
    const { devices, ram, session } = this.#guest;
    await session.unbindGuestStage({ device: devices[0] });
    await this.#edu.write(RAM.ipa + PLACE.buffer, BUFFER_BYTES);
    const bytes = new Uint8Array(BUFFER_BYTES);
    readSync(ram, bytes, 0, BUFFER_BYTES, PLACE.buffer);
    const words = new Uint32Array(bytes.buffer);
    for (const each of made) {
      if (each.access.kind === "read") each.moved = dataOffset(words[SLOTS + each.slot]!);
    }
  }

  #planned(trial: Trial, access: TrialAccess, model: ModelOutcome): Made {
    const slot = this.#slots[access.kind];
    if (slot >= SLOTS) throw new Error(`more than ${SLOTS} accesses of a kind do not fit into the device`);
    this.#slots[access.kind] += 1;
    return { trial, access, model, slot, refused: undefined, told: undefined, moved: undefined };
  }

  /** @returns why it was refused */
  async #install({ vste: [doubleword0, doubleword1] }: Trial): Promise<string | undefined> {
    const { devices, session, virtualIommu } = this.#guest;
    const raw = { doubleword0, doubleword1 };
    try {
      await session.bindGuestStage({ device: devices[0], virtualStreamId: NAME, raw });
    } catch (error) {
      if (error instanceof BrokerCallError && error.reason === "VSTE_INVALID") return error.reason;
      throw error;
    }
    await session.invalidateCache(virtualIommu, [{ cfgiCdAll: { virtualStreamId: NAME } }, { tlbiNhAll: {} }]);
    return undefined;
  }

  async #access({ iova, kind }: TrialAccess, slot: number): Promise<void> {
    const offset = ACCESS_BYTES * slot;
    if (kind === "write") await this.#edu.write(iova, ACCESS_BYTES, offset);
    else await this.#edu.read(iova, ACCESS_BYTES, BUFFER_BYTES / 2 + offset);
  }

  /** What the queue of faults holds is told before a stage changes. */
  async #abort(): Promise<void> {
    const { devices, session } = this.#guest;
    await session.bindGuestStage({ device: devices[0], fields: { mode: Stage1Mode.STAGE1_MODE_ABORT } });
  }

  /** In the order in which they happened. */
  async #newFaults(): Promise<readonly FaultEvent[]> {
    const { devices, session } = this.#guest;
    const found: FaultEvent[] = [];
    for await (const event of session.listFaults({ devices: [devices[0]!], pageSize: 16 })) {
      if (event.sequence <= this.#sequence) break;
      found.unshift(event);
    }
    this.#sequence = found.at(-1)?.sequence ?? this.#sequence;
    return found;
  }

  /** Where the device's words have come to in the data, which is then as it was. */
  #takeWritten(made: readonly Made[]): void {
    const { ram } = this.#guest;
    const now = new Uint8Array(DATA_BYTES);
    readSync(ram, now, 0, DATA_BYTES, PLACE.data);
    if (Buffer.compare(now, this.#data) === 0) return;
    const [words, before] = [new Uint32Array(now.buffer), new Uint32Array(this.#data.buffer)];
    words.forEach((word, index) => {
      if (word === before[index]) return;
      const writer = made.find(({ access, slot }) => access.kind === "write" && slotWord(slot) === word);
      if (writer === undefined) throw new Error(`0x${word.toString(16)} stands in the data, and no access wrote it`);
      writer.moved = PLACE.data + ACCESS_BYTES * index;
    });
    writeSync(ram, this.#data, 0, DATA_BYTES, PLACE.data);
  }
}

/** By the address; records of a configuration have none, and every access of the trial has one. */
function assignFaults(made: readonly Made[], events: readonly FaultEvent[]): void {
  for (const event of events) {
    const record = doublewordsOf(event);
    const hasAddress = event.inputAddress !== undefined;
    const whose = made.find(
      ({ access, told }) => told === undefined && (!hasAddress || access.iova === event.inputAddress),
    );
    if (whose === undefined) throw new Error(`an event of no access: ${record.map((word) => word.toString(16))}`);
    whose.told = record;
  }
}
