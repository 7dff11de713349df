// The stalled transactions of one SMMU, by STAG: who waits for each, and under which cookie its event was told.
// One is here from its stall to its end, so that its end comes behind its event whenever the record is taken off.
// Answers and ends go through the command queue: CMD_RESUME for each, as Linux answers what is left at a detach, or one
// CMD_STALL_TERM where the STE in force lets nothing stall any more, which is what that command asks for.
// Source: IHI 0070G.b §3.12.2, §4.6.1, §4.6.2.

import { assert } from "../../spec/assert.ts";
import { CMD_RESUME, COMMAND, COMMAND_WORDS } from "../../spec/commands.ts";
import { STALL_MODEL, STE_CONFIG } from "../../spec/encodings.ts";
import { doublewordsOf, get, set, wordsOf } from "../../spec/layout.ts";
import { STE } from "../../spec/ste.ts";
import type { FaultNotice } from "../faults.ts";
import type { DeviceID } from "../ids.ts";
import type { Outcome } from "../smmuv3/smmu.ts";
import { type RawCommand, type SmmuDriver, stallTerm } from "./smmu-driver.ts";

/** What ends a stall: translate anew, abort, or RAZ/WI where the SMMU has it (IDR0.TERM_MODEL). */
export type StallAnswer = "retry" | "abort" | "terminate";

interface Stall {
  readonly streamID: number;
  readonly stag: number;
  /** Undefined: nobody waits, the transaction was only to be looked at. */
  readonly onEnd: ((outcome: Outcome) => void) | undefined;
  /** Undefined until its record has been taken off. */
  told: { readonly device: DeviceID; readonly cookie: number } | undefined;
}

/** How an event of a stalled transaction is told. */
export interface ToldStall {
  readonly cookie: number;
  /** It came to its end before its record was taken off. */
  readonly isOver: boolean;
}

const ABORTED: Outcome = Object.freeze({ kind: "abort", fault: undefined, recorded: false });

export class Stalls {
  readonly #driver: SmmuDriver;
  readonly #nextCookie: () => number;
  readonly #deliver: (notice: FaultNotice) => void;
  /** At most IDR5.STALL_MAX: the SMMU holds no more. */
  readonly #held = new Map<number, Stall>();
  readonly #told = new Map<number, Stall>();

  constructor(options: { driver: SmmuDriver; nextCookie: () => number; deliver: (notice: FaultNotice) => void }) {
    this.#driver = options.driver;
    this.#nextCookie = options.nextCookie;
    this.#deliver = options.deliver;
  }

  /** How many transactions are stalled. */
  get size(): number {
    return this.#held.size;
  }

  /** @param onEnd  called once, synchronously, with what the transaction came to: never "stalled" */
  began(streamID: number, stag: number, onEnd?: (outcome: Outcome) => void): void {
    this.#held.set(stag, { streamID, stag, onEnd, told: undefined });
  }

  /** The record of a stalled transaction was taken off. */
  tell(device: DeviceID, streamID: number, stag: number): ToldStall {
    const cookie = this.#nextCookie();
    const stall = this.#held.get(stag);
    if (stall === undefined || stall.streamID !== streamID || stall.told !== undefined) return { cookie, isOver: true };
    stall.told = { device, cookie };
    this.#told.set(cookie, stall);
    return { cookie, isOver: false };
  }

  isPending(device: DeviceID, cookie: number): boolean {
    return this.#told.get(cookie)?.told?.device === device;
  }

  /** A told one that is pending. */
  answer(cookie: number, answer: StallAnswer): void {
    const stall = this.#told.get(cookie);
    assert(stall !== undefined, `no stall is pending under cookie ${cookie}`);
    this.#driver.issue([resume(stall, answer)]);
    this.collect(cookie);
    assert(!this.#told.has(cookie), `STAG ${stall.stag} outlived its CMD_RESUME`);
  }

  /** Aborts what is stalled of these streams. Their records have been taken off, so that Linux would know them too. */
  end(streamIDs: readonly number[]): void {
    const commands: RawCommand[] = [];
    for (const streamID of streamIDs) {
      const stalls = [...this.#held.values()].filter((stall) => stall.streamID === streamID);
      if (stalls.length === 0) continue;
      if (this.#mayStall(streamID)) commands.push(...stalls.map((stall) => resume(stall, "abort")));
      else commands.push(stallTerm(streamID));
    }
    if (commands.length === 0) return;
    this.#driver.issue(commands);
    this.collect();
  }

  /**
   * Takes over what the SMMU has answered: by a command, or by itself where a record had to wait for room and its
   * transaction was found to have another fate by then (§7.2.1).
   *
   * @param answered  the cookie that this was the answer to: nobody need be told
   */
  collect(answered?: number): void {
    for (const { stag, outcome } of this.#driver.smmu.takeResumed()) {
      const stall = this.#held.get(stag);
      if (stall === undefined) continue;
      this.#held.delete(stag);
      const { onEnd, streamID, told } = stall;
      if (told !== undefined) this.#told.delete(told.cookie);
      if (told !== undefined && told.cookie !== answered) this.#deliver({ kind: "ended", ...told });
      if (outcome.kind === "stalled") this.began(streamID, outcome.stag, onEnd);
      else onEnd?.(outcome);
    }
  }

  /** The host goes down: nobody answers any more. */
  close(): void {
    const left = [...this.#held.values()];
    this.#held.clear();
    this.#told.clear();
    for (const { onEnd } of left) onEnd?.(ABORTED);
  }

  /** S2S is never set, so stage 1 alone can: where the STE has one and S1STALLD does not forbid it. */
  #mayStall(streamID: number): boolean {
    if (this.#driver.features.stallModel === STALL_MODEL.TERMINATE) return false;
    const ste = wordsOf(this.#driver.readSTE(streamID));
    const config = get(ste, 0, STE.Config);
    const hasStage1 = config === STE_CONFIG.S1 || config === STE_CONFIG.NESTED;
    return hasStage1 && get(ste, 0, STE.S1STALLD) === 0;
  }
}

function resume({ stag, streamID }: Stall, answer: StallAnswer): RawCommand {
  const words = new Uint32Array(COMMAND_WORDS);
  set(words, 0, CMD_RESUME.Opcode, COMMAND.CMD_RESUME);
  if (answer === "retry") set(words, 0, CMD_RESUME.Ac, 1);
  if (answer === "abort") set(words, 0, CMD_RESUME.Ab, 1);
  set(words, 0, CMD_RESUME.StreamID, streamID);
  set(words, 0, CMD_RESUME.STAG, stag);
  const [dword0, dword1] = doublewordsOf(words);
  return { dword0: dword0!, dword1: dword1! };
}
