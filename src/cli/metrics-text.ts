// Prometheus's text format as numbers: of each series its name, labels and value. What is no sample is passed over.
// Source: prometheus.io, exposition formats, text format 0.0.4.

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})?[ \t]+(\S+)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** @param prefix  only series whose name begins so */
export function samplesOf(text: string, prefix: string): readonly Sample[] {
  const samples: Sample[] = [];
  for (const line of text.split("\n")) {
    if (!line.startsWith(prefix)) continue;
    const [, name, labels = "", value] = SAMPLE.exec(line) ?? [];
    if (name !== undefined && value !== undefined)
      samples.push({ name, labels: labelsOf(labels), value: Number(value) });
  }
  return samples;
}

function labelsOf(text: string): Readonly<Record<string, string>> {
  const found = [...text.matchAll(LABEL)].map(([, name = "", value = ""]) => [name, unescaped(value)]);
  return Object.fromEntries(found);
}

function unescaped(value: string): string {
  return value.replace(/\\(.)/g, (_, character: string) => (character === "n" ? "\n" : character));
}
