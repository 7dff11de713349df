// What the kernel test cannot have on this machine, and what would give it: a skip, or with IOMMU_E2E_REQUIRED=1 a failure.

export class Unavailable extends Error {
  override readonly name = "Unavailable";

  constructor(what: string, remedy: string, options?: ErrorOptions) {
    super(`${what}; ${remedy}`, options);
  }
}

/** What a step says while it works, a line at a time. */
export type Say = (line: string) => void;

/** What is fetched or built here may not be had: then that is the reason, with the remedy. */
export async function orUnavailable<T>(what: string, remedy: string, get: () => Promise<T>): Promise<T> {
  try {
    return await get();
  } catch (error) {
    if (error instanceof Unavailable) throw error;
    const lines = String(error instanceof Error ? error.message : error).split("\n");
    const why = [...new Set([lines[0], lines.at(-1)])].join(": ");
    throw new Unavailable(`${what} cannot be had (${why})`, remedy, { cause: error });
  }
}
