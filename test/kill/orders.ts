// What the runner of the kill test and its clients say to each other.

export interface ClientOrders {
  readonly target: string;
  /** Shown as the owner; also the name of its memory file, so that what is left over can be told. */
  readonly name: string;
  readonly memoryFile: string;
  readonly devices: readonly string[];
  readonly seed: number;
}

/** Found wrong by a client: an answered change that is not there, an effect twice, memory or a device that is not its own. */
export interface Breach {
  readonly kind: "lost" | "doubled" | "foreign";
  readonly client: string;
  readonly what: string;
}

export interface ClientReport {
  readonly breaches: readonly Breach[];
  /** Calls answered since the last report. */
  readonly answered: number;
  /** Calls that a death of the daemon left without an answer, since the last report. */
  readonly unanswered: number;
  /** Sessions that were given up while setting up, since a retry there has nothing to be fenced by. */
  readonly restarted: number;
  readonly holds: number;
  /** Times it was passed descriptors of a device, since the last report. */
  readonly fetched: number;
}

export type ToClient = { readonly kind: "verify" } | { readonly kind: "go" } | { readonly kind: "end" };
export type FromClient = { readonly kind: "set-up" } | { readonly kind: "verified"; readonly report: ClientReport };
