// The simulated host's own RAM: page frames for stream tables, queues and stage-2 tables, given out and taken back.
// A frame given out is zero.

import { limitReached } from "../errors.ts";
import { PAGE_BYTES } from "../guest-memory.ts";
import type { MemoryMap } from "../smmuv3/memory.ts";
import { RamRegion } from "../smmuv3/memory.ts";

/** Where the host's RAM stands, and how much there is: it is the daemon's own memory, so not too much of it. */
const HOST_RAM_BASE = 0x8000_0000;
const HOST_RAM_BYTES = 2 ** 30;

export class Frames {
  readonly #memory: MemoryMap;
  readonly #free: number[] = [];
  #next = HOST_RAM_BASE;

  constructor(memory: MemoryMap) {
    this.#memory = memory;
    memory.add(new RamRegion(HOST_RAM_BASE, HOST_RAM_BYTES));
  }

  /** Physical address of one zeroed frame. Throws limit_reached when the host has none left. */
  take(): number {
    const reused = this.#free.pop();
    if (reused === undefined) return this.takeContiguous(PAGE_BYTES);
    this.#memory.writeBytes(reused, new Uint8Array(PAGE_BYTES));
    return reused;
  }

  give(frame: number): void {
    this.#free.push(frame);
  }

  /** A zeroed block of `bytes` (a power of two), aligned to its size; it is never given back. */
  takeContiguous(bytes: number): number {
    const base = Math.ceil(this.#next / bytes) * bytes;
    if (base + bytes > HOST_RAM_BASE + HOST_RAM_BYTES) {
      throw limitReached("simulated_host_ram_bytes", HOST_RAM_BYTES, "unmap memory, or map larger ranges");
    }
    this.#next = base + bytes;
    return base;
  }
}

/** What may take frames and gives them back. */
export type FrameSource = Pick<Frames, "take" | "give">;

/** One user's part of the frames, so that nobody takes them all. */
export class FrameShare implements FrameSource {
  readonly #frames: FrameSource;
  readonly #max: number;
  #taken = 0;

  constructor(frames: FrameSource, max: number) {
    this.#frames = frames;
    this.#max = max;
  }

  take(): number {
    if (this.#taken >= this.#max) {
      const remedy = "map memory that lies closer together, or in larger ranges";
      throw limitReached("stage2_tables_per_virtual_iommu", this.#max, remedy);
    }
    const frame = this.#frames.take();
    this.#taken += 1;
    return frame;
  }

  give(frame: number): void {
    this.#taken -= 1;
    this.#frames.give(frame);
  }
}
