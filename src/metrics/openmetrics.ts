// OpenMetrics text from Prometheus text. A counter's family there is its name without _total, and # EOF ends the text.
// prom-client can write it too, but renames the counters of its registry for good when it does.
// Source: OpenMetrics 1.0.0 (RFC draft), "Text Format", "Counter", "Unknown".

export const OPENMETRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const MEDIA_TYPE = "application/openmetrics-text";
const VERSIONS = new Set(["1.0.0", "0.0.1", undefined]);
const TOTAL = /_total$/;

/** @param text  in Prometheus' text format, the metadata of each family before its samples */
export function openMetricsOf(text: string): string {
  const lines = text.split("\n").filter((line) => line !== "");
  const counters = new Set(lines.flatMap((line) => /^# TYPE (\S+) counter$/.exec(line)?.[1] ?? []));
  return `${lines.map((line) => lineOf(line, counters)).join("\n")}\n# EOF\n`;
}

function lineOf(line: string, counters: ReadonlySet<string>): string {
  const [, keyword = "", name = "", rest = ""] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
  if (keyword === "") return line;
  const family = counters.has(name) ? name.replace(TOTAL, "") : name;
  if (keyword === "HELP") return `# HELP ${family} ${rest.replaceAll('"', '\\"')}`;
  const isNamedOtherwise = rest === "counter" && !TOTAL.test(name); // its samples would have to end in _total
  return `# TYPE ${family} ${isNamedOtherwise ? "unknown" : rest}`;
}

/** Whether a client asks for OpenMetrics at least as much as for plain text. Source: RFC 9110 §12.5.1. */
export function prefersOpenMetrics(accept: string | undefined): boolean {
  const ranges = (accept ?? "").split(",").map(mediaRange);
  const weightOf = (matches: (range: MediaRange) => boolean): number =>
    Math.max(0, ...ranges.filter(matches).map(({ weight }) => weight));
  const wanted = weightOf(({ type, version }) => type === MEDIA_TYPE && VERSIONS.has(version));
  return wanted > 0 && wanted >= weightOf(({ type }) => type === "text/plain");
}

interface MediaRange {
  readonly type: string;
  readonly version: string | undefined;
  readonly weight: number;
}

function mediaRange(text: string): MediaRange {
  const [type = "", ...parameters] = text.split(";").map((part) => part.trim().toLowerCase());
  const parameterOf = (name: string): string | undefined =>
    parameters.find((parameter) => parameter.startsWith(`${name}=`))?.slice(name.length + 1);
  const weight = Number(parameterOf("q") ?? 1);
  return { type, version: parameterOf("version"), weight: weight >= 0 && weight <= 1 ? weight : 0 };
}
