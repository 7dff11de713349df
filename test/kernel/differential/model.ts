// The simulated SMMUv3 with the registers of the machine's, over the same guest memory: what it makes of a trial. Nothing is
// read or written for the accesses, they are only translated, so that the kernel finds the memory as the model did.

import { readSync, writeSync } from "node:fs";
import type { PartHandle } from "../../../src/backends/backend.ts";
import { BrokerError } from "../../../src/backends/errors.ts";
import type { FaultRecord } from "../../../src/backends/faults.ts";
import type { GuestMemoryFile } from "../../../src/backends/guest-memory.ts";
import { virtualStreamID } from "../../../src/backends/ids.ts";
import { createSimulatedBackend } from "../../../src/backends/sim/backend.ts";
import type { TranslationOutcome } from "../../../src/backends/simulator-control.ts";
import { checkVSTE, type VSTE } from "../../../src/backends/vste.ts";
import { RAM } from "../guest/nested.ts";
import type { ModelOutcome, Outcome } from "./outcome.ts";
import type { Trial, TrialAccess } from "./trial.ts";

const CFGI_CD_ALL = 0x06n;
const TLBI_NH_ALL = 0x10n;

export class Model {
  readonly #backend: ReturnType<typeof createSimulatedBackend>;
  readonly #name: number;
  readonly #faults: FaultRecord[] = [];
  readonly #part: PartHandle;

  private constructor(backend: ReturnType<typeof createSimulatedBackend>, part: PartHandle, name: number) {
    this.#backend = backend;
    this.#part = part;
    this.#name = name;
    backend.onFault((notice) => {
      if (notice.kind === "fault") this.#faults.push(notice.fault);
    });
  }

  /** @param ram  the memory's file, as long as RAM; @param name  the device's virtual StreamID */
  static async over(ram: number, idr: readonly number[], name: number): Promise<Model> {
    const [idr0 = 0, idr1 = 0, idr2 = 0, idr3 = 0, idr4 = 0, idr5 = 0] = idr;
    const registers = { idr0, idr1, idr2, idr3, idr4, idr5, idr6: 0, iidr: 0, aidr: 1 };
    const backend = createSimulatedBackend({
      iommus: [{ id: "smmu", registers }],
      devices: [{ id: "edu", iommu: "smmu", group: 1, streamIDs: [0x100] }],
    });
    const space = await backend.createAddressSpace();
    const mapping = { ipa: RAM.ipa, bytes: RAM.bytes, offset: 0, readable: true, writable: true };
    await backend.map(space, [{ ...mapping, file: memoryFile(ram) }]);
    const [iommu] = backend.inventory.iommus();
    const part = await backend.createPart(space, iommu!.id);
    const [device] = backend.inventory.devices();
    await backend.attach(device!.group, part, "abort");
    await backend.setVirtualStreamID(device!.id, part, virtualStreamID(name));
    return new Model(backend, part, name);
  }

  /** The trial's words are in the memory. One outcome for each access. */
  async run({ accesses, vste }: Trial): Promise<readonly ModelOutcome[]> {
    const checked = checkedVSTE(vste);
    if (checked === undefined) return accesses.map(() => REFUSED);
    await this.#install(checked);
    const outcomes: ModelOutcome[] = [];
    for (const access of accesses) outcomes.push(await this.#access(access));
    return outcomes;
  }

  async close(): Promise<void> {
    await this.#backend.close();
  }

  async #install(vste: VSTE): Promise<void> {
    const backend = this.#backend;
    const [device] = backend.inventory.devices();
    const { id, group } = device!;
    const part = this.#part;
    if (vste.disposition === "translate") {
      await backend.bindGuestStage({ device: id, part, virtualStreamID: virtualStreamID(this.#name), vste });
    } else await backend.setPlainStage(group, part, vste.disposition);
    const named = BigInt(this.#name) << 32n;
    await backend.invalidate([part], [command(CFGI_CD_ALL | named), command(TLBI_NH_ALL)]);
  }

  async #access({ iova, kind }: TrialAccess): Promise<ModelOutcome> {
    this.#faults.length = 0;
    const backend = this.#backend;
    const [device] = backend.inventory.devices();
    const asked = { iova, access: kind, substreamID: undefined, privileged: false, streamIndex: 0 };
    const [translation] = await backend.translate(device!.id, [asked]);
    await new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve))); // the event queue is drained in the turn after
    const [fault, ...others] = this.#faults;
    if (translation === undefined || others.length > 0) throw new Error(`${others.length + 1} events of one access`);
    if (fault === undefined) return withoutEvent(translation);
    const diagnosis = backend.diagnose(fault);
    if (diagnosis.verdict !== "reproduced") throw new Error(`the model cannot explain ${fault.type}`);
    const { level, rule } = diagnosis.cause;
    if (fault.hostOnly) return { outcome: SILENT, why: { what: `stage 2: ${fault.type}`, rule, level } };
    return { outcome: { kind: "told", record: doublewords(fault.record) }, why: { what: fault.type, rule, level } };
  }
}

const SILENT: Outcome = { kind: "silent" };
const REFUSED: ModelOutcome = {
  outcome: { kind: "refused", reason: "VSTE_INVALID" },
  why: { what: "refused", rule: undefined, level: undefined },
};

function checkedVSTE([low, high]: Trial["vste"]): VSTE | undefined {
  try {
    return checkVSTE(low, high);
  } catch (error) {
    if (error instanceof BrokerError && error.code === "vste_invalid") return undefined;
    throw error;
  }
}

function withoutEvent({ bypass, end, fault, ipa, pa }: TranslationOutcome): ModelOutcome {
  const none = { rule: undefined, level: undefined };
  if (end === "ok") {
    const at = ipa ?? (bypass ? pa : undefined);
    if (at === undefined) throw new Error("the model names no IPA");
    return { outcome: { kind: "moved", offset: at - RAM.ipa }, why: { what: "moved", ...none } };
  }
  const what = fault === undefined ? "abort" : `unrecorded: ${fault.type}`;
  return { outcome: SILENT, why: { what, ...none } };
}

function command(dword0: bigint) {
  return { opcode: Number(dword0 & 0xffn), dword0, dword1: 0n };
}

function doublewords(record: Uint8Array): bigint[] {
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  return [0, 8, 16, 24].map((offset) => view.getBigUint64(offset, true));
}

/** Whoever opened the descriptor closes it, after the model. */
function memoryFile(fd: number): GuestMemoryFile {
  return {
    key: `trial:${fd}`,
    path: "memory of the trials",
    bytes: RAM.bytes,
    read: (offset, into) => readSync(fd, into, 0, into.length, offset) === into.length,
    write: (offset, from) => writeSync(fd, from, 0, from.length, offset) === from.length,
    retain: () => {},
    release: () => {},
  };
}
