// What a client of the kill test knows of a device, what it asks to have changed, and what an answer means for that.

import { BrokerCallError } from "../../src/client/client.ts";
import type { Breach } from "./orders.ts";

/** What the last answer said of a device. */
export interface Held {
  readonly generation: bigint;
  readonly mode: number;
  readonly name: number;
}

export interface DeviceAnswer {
  readonly generation: bigint;
  readonly attached: boolean;
  readonly owner: string;
}

/** A change of a device: how it is asked, and the generation after it. */
export interface Change {
  readonly what: string;
  readonly device: string;
  readonly before: bigint;
  readonly after: bigint;
  /** As well: of a device that is withheld and, where no copy is open, given back. */
  readonly orAfter?: bigint;
  readonly ask: (requestId: string) => Promise<{ readonly generation: bigint }>;
}

export function shown({ attached, generation, owner }: DeviceAnswer): string {
  return `${generation}, ${attached ? "attached" : "not attached"}, owner ${owner === "" ? "nobody" : owner}`;
}

/** What is wrong with an answer's generation; undefined: nothing. */
export function surpriseOf(change: Change, generation: bigint): Pick<Breach, "kind" | "what"> | undefined {
  const { after, before, device, orAfter, what } = change;
  if (generation === after || generation === orAfter) return undefined;
  const kind = generation > after ? "doubled" : "lost";
  return { kind, what: `${what} of ${device} from ${before} came to ${generation}, not to ${after}` };
}

/** Another client was faster, or somebody holds a copy. */
export function isRace({ what }: Change, error: unknown): boolean {
  return what === "attach" && ["DEVICE_OWNED", "DEVICE_RELEASING", "FENCED"].some((reason) => isReason(error, reason));
}

/** Nobody is there to answer, or died before it did. */
export function isAway(error: unknown): boolean {
  return error instanceof BrokerCallError && (error.isBrokenOff || error.codeName === "DEADLINE_EXCEEDED");
}

export function isReason(error: unknown, reason: string): boolean {
  return error instanceof BrokerCallError && error.reason === reason;
}
