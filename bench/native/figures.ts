// What the guest's program measured, a line of the console each, and how a thing is measured.

/** Of one call or batch, in nanoseconds; Number.NaN: not measured. */
export interface Figure {
  /** "c bind", "broker invalidate-64", "stream invalidate-1" */
  readonly name: string;
  readonly cpu: number;
  readonly p50: number;
  readonly p99: number;
}

export const FIGURE_MARK = "@bench ";

export function figureLine({ cpu, name, p50, p99 }: Figure): string {
  return `${FIGURE_MARK}${[cpu, p50, p99].map((each) => Math.round(each)).join(" ")} ${name}`;
}

/** Undefined: the line is something else. */
export function figureOf(line: string): Figure | undefined {
  const at = line.indexOf(FIGURE_MARK);
  if (at === -1) return undefined;
  const [cpu, p50, p99, ...name] = line.slice(at + FIGURE_MARK.length).split(" ");
  return { name: name.join(" "), cpu: Number(cpu), p50: Number(p50), p99: Number(p99) };
}

/** The nanoseconds that each act took, one after the other. */
export async function timed(count: number, act: () => Promise<unknown> | undefined): Promise<readonly number[]> {
  const took: number[] = [];
  for (let done = 0; done < count; done++) {
    const from = process.hrtime.bigint();
    await act();
    took.push(Number(process.hrtime.bigint() - from));
  }
  return took;
}

/** CMD_TLBI_NH_VA of ASID 0x42, a page each, as in the guest's queue (IHI 0070G.b §4.4.2). */
export function commandBytes(count: number): Uint8Array {
  const words = new BigUint64Array(2 * count);
  for (let index = 0; index < count; index++) {
    words[2 * index] = 0x12n | (0x42n << 48n);
    words[2 * index + 1] = 0x1000_0000n + BigInt(4096 * index);
  }
  return new Uint8Array(words.buffer);
}
