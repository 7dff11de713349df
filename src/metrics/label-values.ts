// Bounds on the values of a label: what is beyond them is counted together.

/** Stands for all that have no series of their own: no device id and no rule's name begins so. */
export const OVERFLOW = "_overflow";

/** Gives the first `maximum` distinct values as they are, and OVERFLOW for every later one. */
export function boundedValues(maximum: number): (value: string) => string {
  const known = new Set<string>();
  return (value) => {
    if (known.size < maximum) known.add(value);
    return known.has(value) ? value : OVERFLOW;
  };
}
