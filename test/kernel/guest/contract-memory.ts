// Guest memory of the contract: a memfd as it would come from a VMM. What a device writes there is found by looking for it.

import { closeSync } from "node:fs";
import { openPassed, PassedMemoryFile } from "../../../src/os/passed-memory.ts";
import type { ContractFile } from "../../contract/subject.ts";
import { memfd, SEAL } from "../../support/memfd.ts";
import { type Mapping, mapShared } from "./native.ts";

const WORD = 4;
const CHUNK = 4096;

export class ContractMemory extends PassedMemoryFile implements ContractFile {
  references = 1;
  readonly #mapping: Mapping;
  /** What it holds now. */
  readonly #memory: Buffer;
  /** What it is known to hold. */
  readonly #known: Buffer;

  constructor(bytes: number) {
    const fd = memfd(bytes, SEAL.shrink);
    super(openPassed(fd), "contract", () => {});
    this.#mapping = mapShared(fd, bytes, 0);
    closeSync(fd);
    this.#memory = Buffer.from(this.#mapping.buffer);
    this.#known = Buffer.alloc(bytes);
  }

  override retain(): void {
    super.retain();
    this.references += 1;
  }

  override release(): void {
    super.release();
    this.references -= 1;
  }

  poke(offset: number, value: bigint): void {
    this.#memory.writeBigUint64LE(value, offset);
    this.#known.writeBigUint64LE(value, offset);
  }

  /** Every aligned word that has changed since, which is put back. */
  takeChanges(): string[] {
    if (this.#memory.equals(this.#known)) return [];
    const changes: string[] = [];
    for (let chunk = 0; chunk < this.#known.length; chunk += CHUNK) {
      if (this.#isKnown(chunk, CHUNK)) continue;
      for (let at = chunk; at < chunk + CHUNK; at += WORD) {
        if (!this.#isKnown(at, WORD)) changes.push(this.#memory.toString("latin1", at, at + WORD));
      }
    }
    this.#known.copy(this.#memory);
    return changes;
  }

  /** The test's own hold on it. */
  end(): void {
    this.#mapping.unmap();
    this.release();
  }

  #isKnown(at: number, bytes: number): boolean {
    return this.#memory.subarray(at, at + bytes).equals(this.#known.subarray(at, at + bytes));
  }
}
