// What devices beyond `metrics.devices_max` count, as one series each of their counters. A device's counters begin at 0 when
// it is attached and go with it; a sum of what is there would fall then, which a scraper takes for a restart and all that is
// left of the sum for new. So what each has counted since the last scrape is added to a total that stays.

interface Carried {
  total: number;
  /** By device, as the last scrape found it. */
  before: Map<string, number>;
  now: Map<string, number>;
  readonly write: (total: number) => void;
}

/** Totals of counters that come and go. A series is there from its first device on. */
export class CarriedTotals {
  readonly #series = new Map<string, Carried>();

  /** What a device's counter stands at. @param write  sets the series; as it was given at first */
  note(series: string, device: string, count: number, write: (total: number) => void): void {
    let carried = this.#series.get(series);
    if (carried === undefined) {
      carried = { total: 0, before: new Map(), now: new Map(), write };
      this.#series.set(series, carried);
    }
    const before = carried.before.get(device) ?? 0;
    carried.total += count >= before ? count - before : count; // lower: it was attached anew
    carried.now.set(device, count);
  }

  /** Writes every total, and forgets devices of which nothing was noted since the last time. */
  flush(): void {
    for (const carried of this.#series.values()) {
      carried.write(carried.total);
      carried.before = carried.now;
      carried.now = new Map();
    }
  }
}

/** Which of many names have series of their own: who has one keeps it until it is gone. */
export class ShownNames {
  readonly #maximum: number;
  #shown: ReadonlySet<string> = new Set();

  constructor(maximum: number) {
    this.#maximum = maximum;
  }

  /** Free places go to the others in order of name. */
  among(names: readonly string[]): ReadonlySet<string> {
    const there = new Set(names);
    const shown = new Set([...this.#shown].filter((name) => there.has(name)));
    if (shown.size < this.#maximum && shown.size < there.size) {
      for (const name of [...there].sort()) {
        if (shown.size >= this.#maximum) break;
        shown.add(name);
      }
    }
    this.#shown = shown;
    return shown;
  }
}
