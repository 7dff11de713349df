// Plays the host kernel's driver of one SMMU's command queue: commands are stored in host memory, and followed by a
// CMD_SYNC; they have run when the call comes back.
// Source: IHI 0070G.b §3.5.1 (queues), §4.8 (CMD_SYNC), §7.1 (command errors).

import { assert } from "../../spec/assert.ts";
import { COMMAND, COMMAND_BYTES } from "../../spec/commands.ts";
import { get, wordsOf } from "../../spec/layout.ts";
import { CMDQ_CONS, REGISTER } from "../../spec/registers.ts";
import { BrokerError } from "../errors.ts";
import type { IommuID } from "../ids.ts";
import type { MemoryMap } from "../smmuv3/memory.ts";
import type { Smmu } from "../smmuv3/smmu.ts";
import { command, type RawCommand } from "./raw-commands.ts";

export const COMMANDS_LOG2 = 8;
const COMMANDS_MAX = 2 ** COMMANDS_LOG2;
/** Host memory that the queue takes. */
export const COMMAND_QUEUE_BYTES = COMMANDS_MAX * COMMAND_BYTES;

export class CommandQueueDriver {
  readonly #iommu: IommuID;
  readonly #smmu: Smmu;
  readonly #memory: MemoryMap;
  /** Physical address of the queue. */
  readonly base: number;

  constructor(options: { iommu: IommuID; smmu: Smmu; memory: MemoryMap; base: number }) {
    this.#iommu = options.iommu;
    this.#smmu = options.smmu;
    this.#memory = options.memory;
    this.base = options.base;
  }

  /**
   * Runs commands and a CMD_SYNC to completion.
   * @throws BrokerError backend_failed when the SMMU refuses one; those before it have run, the rest have not
   */
  issue(commands: readonly RawCommand[]): void {
    const queue = [...commands, command(COMMAND.CMD_SYNC)];
    for (let from = 0; from < queue.length; from += COMMANDS_MAX) {
      let prod = this.#smmu.read32(REGISTER.CMDQ_PROD);
      for (const { dword0, dword1 } of queue.slice(from, from + COMMANDS_MAX)) {
        const bytes = new Uint8Array(wordsOf([dword0, dword1]).buffer);
        const at = this.base + (prod % COMMANDS_MAX) * COMMAND_BYTES;
        assert(this.#memory.writeBytes(at, bytes), "the command queue aborted");
        prod = (prod + 1) % (2 * COMMANDS_MAX);
      }
      this.#smmu.write32(REGISTER.CMDQ_PROD, prod);
      this.#requireConsumed(prod);
    }
  }

  #requireConsumed(prod: number): void {
    const cons = Uint32Array.of(this.#smmu.read32(REGISTER.CMDQ_CONS));
    const error = get(cons, 0, CMDQ_CONS.ERR);
    const active = this.#smmu.read32(REGISTER.GERROR) !== this.#smmu.read32(REGISTER.GERRORN);
    if (error === 0 || !active) {
      assert(get(cons, 0, CMDQ_CONS.RD) === prod, "the SMMU left commands unconsumed without an error");
      return;
    }
    const index = get(cons, 0, CMDQ_CONS.RD) % COMMANDS_MAX;
    this.#abandonCommands(prod);
    throw new BrokerError("backend_failed", `${this.#iommu} refused a command with CERROR ${error}`, {
      iommu: this.#iommu,
      cerror: error,
      index,
    });
  }

  /** As Linux does: the refused command becomes a CMD_SYNC; here so do all behind it, so none of them runs. */
  #abandonCommands(prod: number): void {
    const sync = command(COMMAND.CMD_SYNC);
    const bytes = new Uint8Array(wordsOf([sync.dword0, sync.dword1]).buffer);
    let at = get(Uint32Array.of(this.#smmu.read32(REGISTER.CMDQ_CONS)), 0, CMDQ_CONS.RD);
    for (; at !== prod; at = (at + 1) % (2 * COMMANDS_MAX)) {
      assert(this.#memory.writeBytes(this.base + (at % COMMANDS_MAX) * COMMAND_BYTES, bytes), "the queue aborted");
    }
    this.#smmu.write32(REGISTER.GERRORN, this.#smmu.read32(REGISTER.GERROR));
  }
}
