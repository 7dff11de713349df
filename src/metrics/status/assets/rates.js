// What a counter did per second over the last few seconds, from what it was at each look.
// A counter that went back has begun anew: what was seen before is forgotten.

const SPAN_MS = 5000;

export class Rates {
  /** By name: what was seen, the oldest first. One look from before the span is kept, so that it is covered. */
  #seen = new Map();

  /** Takes in one look at all counters; those that are not in it, or that nobody counts (null), are forgotten. */
  look(atMs, counters) {
    const seen = new Map();
    for (const [name, value] of counters) {
      if (value === null) continue;
      const before = this.#seen.get(name) ?? [];
      const last = before.at(-1);
      const goesOn = last !== undefined && last.value <= value && last.atMs <= atMs;
      const samples = goesOn ? before.filter((sample) => sample.atMs < atMs) : [];
      while (samples.length > 1 && atMs - samples[1].atMs >= SPAN_MS) samples.shift();
      seen.set(name, [...samples, { atMs, value }]);
    }
    this.#seen = seen;
  }

  /** Per second; undefined: nobody counts it, or it was seen only once. */
  of(name) {
    const gone = this.#passed(name);
    return gone && (gone.value * 1000) / gone.ms;
  }

  /** The part of `name` in the sum of both; undefined where neither moved. */
  part(name, other) {
    const [own, rest] = [this.of(name), this.of(other)];
    return own === undefined || rest === undefined || own + rest === 0 ? undefined : own / (own + rest);
  }

  #passed(name) {
    const samples = this.#seen.get(name) ?? [];
    if (samples.length < 2) return undefined;
    const [first, last] = [samples[0], samples.at(-1)];
    return { value: last.value - first.value, ms: last.atMs - first.atMs };
  }
}
