// What a client of the kill test knows of a device, and what it asks to have changed.

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
