// The SMMU's own message signalled interrupts: a 32-bit write of data to an address, and the global error when it aborts.
// Where the address and the data come from is the source's business: registers, or the CMD_SYNC itself.
// Source: IHI 0070G.b §3.18, §3.4.3, §6.3.21 to §6.3.23, §6.3.34 to §6.3.36, §7.5.

import type { Field } from "../../spec/layout.ts";
import { GERROR, REGISTER } from "../../spec/registers.ts";
import { joinNumber, pow2 } from "../../spec/u64.ts";
import type { GlobalErrors } from "./gerror.ts";
import type { Features } from "./id-registers.ts";
import type { PhysicalMemory } from "./memory.ts";

/** A set of SMMU_*_IRQ_CFG registers, and the error that tells of its aborted writes. */
export interface MsiSource {
  /** Offset of *_IRQ_CFG0. */
  readonly address: number;
  /** Offset of *_IRQ_CFG1. */
  readonly data: number;
  readonly error: Field;
}

export const MSI_SOURCE = {
  gerror: {
    address: REGISTER.GERROR_IRQ_CFG0,
    data: REGISTER.GERROR_IRQ_CFG1,
    error: GERROR.MSI_GERROR_ABT_ERR,
  },
  eventQueue: {
    address: REGISTER.EVENTQ_IRQ_CFG0,
    data: REGISTER.EVENTQ_IRQ_CFG1,
    error: GERROR.MSI_EVENTQ_ABT_ERR,
  },
  priQueue: {
    address: REGISTER.PRIQ_IRQ_CFG0,
    data: REGISTER.PRIQ_IRQ_CFG1,
    error: GERROR.MSI_PRIQ_ABT_ERR,
  },
} as const satisfies Readonly<Record<string, MsiSource>>;

export class MsiWriter {
  readonly #memory: PhysicalMemory;
  readonly #features: Features;
  readonly #errors: GlobalErrors;

  constructor(parts: { memory: PhysicalMemory; features: Features; errors: GlobalErrors }) {
    this.#memory = parts.memory;
    this.#features = parts.features;
    this.#errors = parts.errors;
  }

  /** An interrupt whose MSI is configured in registers; ADDR=0 sends none. Bits of ADDR above the OAS are RES0. */
  signal(source: MsiSource, read: (offset: number) => number): void {
    const hi = read(source.address + 4) % pow2(this.#features.oasBits - 32); // ADDR has 56 bits, a number holds 53
    const address = joinNumber(hi, read(source.address));
    if (address !== 0) this.write(address, read(source.data), source.error);
  }

  /** @param address  within the OAS: whoever holds a wider one truncates it (§3.4.3) */
  write(address: number, data: number, error: Field): void {
    if (!this.#features.msi) return;
    const bytes = new Uint8Array(Uint32Array.of(data).buffer);
    if (!this.#memory.writeBytes(address, bytes)) this.#errors.raise(error);
  }
}
