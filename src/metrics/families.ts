// Metrics whose series are as many as devices: a scrape writes them anew, straight into its text.
// prom-client keeps a record of every series and hashes its labels at each change; with ten thousand of them a scrape cost
// more than four times what its text does. Where a metric has few series, instruments.ts is the way.
// Source: Prometheus text exposition format 0.0.4 (escaping of HELP and of label values).

interface Row<L extends string> {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly labels: readonly L[];
}

/** One metric during one scrape. */
export class Family<L extends string> {
  readonly #row: Row<L>;
  /** By name and labels as they are written. */
  readonly #values = new Map<string, number>();

  constructor(row: Row<L>) {
    this.#row = row;
  }

  /** Series are as they are added from here on. */
  reset(): void {
    this.#values.clear();
  }

  /** What is added under the same labels is summed up. */
  inc(labels: Readonly<Record<L, string>>, value: number): void {
    let words = "";
    for (const label of this.#row.labels) words += `${words === "" ? "" : ","}${label}="${escaped(labels[label])}"`;
    this.#values.set(words, (this.#values.get(words) ?? 0) + value);
  }

  text(): string {
    const { help, name, type } = this.#row;
    let text = `# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}\n# TYPE ${name} ${type}\n`;
    for (const [words, value] of this.#values) text += `${name}{${words}} ${value}\n`;
    return text;
  }
}

export class Families {
  readonly #all: { text(): string }[] = [];

  of<L extends string>(row: Row<L>): Family<L> {
    const family = new Family(row);
    this.#all.push(family);
    return family;
  }

  /** Of all families; a line break before each, as prom-client has it. */
  text(): string {
    return this.#all.map((family) => `\n${family.text()}`).join("");
  }
}

const SPECIAL = /[\\\n"]/;

function escaped(word: string): string {
  if (!SPECIAL.test(word)) return word;
  return word.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}
