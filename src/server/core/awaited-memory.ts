// Guest memory that was passed as a descriptor before a restart, and that nobody can open again but its owner.
// Until it is presented every access is a bus error, so nothing of the guest's tables is believed and no DMA arrives; the
// stage in force stays as it was. Once presented it is the file it was.

import { BrokerError } from "../../backends/errors.ts";
import { type GuestMemoryFile, type MemoryView, writeRefusalOf } from "../../backends/guest-memory.ts";
import { assert } from "../../spec/assert.ts";

/** Two guests' memory may have one label; it must never be taken for one file. */
let serial = 0;

export class AwaitedMemory implements GuestMemoryFile {
  readonly label: string;
  readonly bytes: number;
  readonly #serial = ++serial;
  #references = 1;
  #file: GuestMemoryFile | undefined;

  constructor({ label, bytes }: { readonly label: string; readonly bytes: number }) {
    this.label = label;
    this.bytes = bytes;
  }

  get isMissing(): boolean {
    return this.#file === undefined;
  }

  get key(): string {
    return this.#file?.key ?? `awaited:${this.#serial}`;
  }

  get path(): string {
    return `ticket:${this.label}`;
  }

  get descriptor(): number | undefined {
    return this.#file?.descriptor;
  }

  get isSealed(): boolean | undefined {
    return this.#file?.isSealed;
  }

  get writeRefusal(): string | undefined {
    return this.#file?.writeRefusal;
  }

  get pwriteRefusal(): string | undefined {
    return this.#file?.pwriteRefusal;
  }

  get pinRefusal(): string | undefined {
    return this.#file?.pinRefusal;
  }

  /**
   * Retains `file` and is it from now on.
   * @param written  a mapping lets devices write, by calls of this process or by themselves
   * @throws BrokerError argument_invalid when it cannot be what was mapped
   */
  present(file: GuestMemoryFile, written: "no" | "by-call" | "by-hardware"): void {
    assert(this.#file === undefined, `memory ${this.label} was presented twice`);
    if (file.bytes !== this.bytes) {
      const facts = { label: this.label, bytes: file.bytes, expected_bytes: this.bytes };
      const why = `has ${file.bytes} bytes, what was mapped as ${this.label} had ${this.bytes}: put that`;
      throw new BrokerError("argument_invalid", `the memory ${why}`, facts);
    }
    const refusal = written === "no" ? undefined : writeRefusalOf(file, written === "by-call");
    if (refusal !== undefined) {
      const why = `devices may write ${this.label}, but the memory ${refusal}`;
      throw new BrokerError("argument_invalid", why, { label: this.label });
    }
    file.retain();
    this.#file = file;
  }

  /** Takes present() back: it could not be mapped. */
  withdraw(): void {
    const file = this.#file;
    this.#file = undefined;
    file?.release();
  }

  read(offset: number, into: Uint8Array): boolean {
    return this.#file?.read(offset, into) ?? false;
  }

  write(offset: number, from: Uint8Array): boolean {
    return this.#file?.write(offset, from) ?? false;
  }

  view(offset: number): MemoryView | undefined {
    return this.#file?.view?.(offset);
  }

  retain(): void {
    assert(this.#references > 0, `memory ${this.label} retained after its last release`);
    this.#references += 1;
  }

  release(): void {
    assert(this.#references > 0, `memory ${this.label} released more often than retained`);
    this.#references -= 1;
    if (this.#references === 0) this.#file?.release();
  }
}

/** The labels in a table whose memory is still to be presented. */
export function missingLabels(files: Iterable<GuestMemoryFile>): readonly string[] {
  const labels = new Set<string>();
  for (const file of files) if (file instanceof AwaitedMemory && file.isMissing) labels.add(file.label);
  return [...labels].sort();
}

/**
 * A label stands for one file in an address space: after a restart it is how its memory is known again.
 * @throws BrokerError argument_invalid when one of `added` has the label of another file
 */
export function requireOwnLabels(known: Iterable<GuestMemoryFile>, added: readonly GuestMemoryFile[]): void {
  const keys = new Map<string, string>();
  for (const { label, key } of known) if (label !== undefined) keys.set(label, key);
  for (const { label, key } of added) {
    if (label === undefined) continue;
    if ((keys.get(label) ?? key) !== key) {
      const why = `label ${label} already stands for other memory of this address space: put it under another`;
      throw new BrokerError("argument_invalid", why, { label });
    }
    keys.set(label, key);
  }
}
