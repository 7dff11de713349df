// The pages of a kill test's guest that come and go. Mapping one a second time, or unmapping it, would be refused: a retry
// has the request_id of the first try.

import { randomUUID } from "node:crypto";
import type { BrokerSession } from "../../src/client/client.ts";

const CALL = { deadlineMs: 10_000 };

export interface LoosePagesOptions {
  readonly ipa: bigint;
  readonly pageBytes: bigint;
  /** Where the file's first page is in memory. */
  readonly fileIpa: bigint;
  readonly path: string;
  readonly session: () => BrokerSession;
  readonly addressSpace: () => string;
  /** Asks until there is an answer. */
  readonly again: <T>(call: () => Promise<T>) => Promise<T>;
}

export class LoosePages {
  readonly #options: LoosePagesOptions;
  readonly #mapped = new Set<number>();

  constructor(options: LoosePagesOptions) {
    this.#options = options;
  }

  has(page: number): boolean {
    return this.#mapped.has(page);
  }

  addressOf(page: number): bigint {
    return this.#options.ipa + BigInt(page) * this.#options.pageBytes;
  }

  async map(page: number): Promise<void> {
    if (this.#mapped.has(page)) return;
    const { addressSpace, again, fileIpa, pageBytes, path, session } = this.#options;
    const ipa = this.addressOf(page);
    const mapping = { ipa, bytes: pageBytes, source: 0, offset: ipa - fileIpa, readable: true, writable: true };
    const request = { addressSpace: addressSpace(), sources: [{ path }], mappings: [mapping] };
    const requestId = randomUUID();
    await again(() => session().mapMemory({ ...request, requestId }, CALL));
    this.#mapped.add(page);
  }

  async unmap(page: number): Promise<void> {
    if (!this.#mapped.has(page)) return;
    const { addressSpace, again, pageBytes, session } = this.#options;
    const request = { addressSpace: addressSpace(), ranges: [{ ipa: this.addressOf(page), bytes: pageBytes }] };
    const requestId = randomUUID();
    await again(() => session().unmapMemory({ ...request, requestId }, CALL));
    this.#mapped.delete(page);
  }
}
