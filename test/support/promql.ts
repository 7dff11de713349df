// The names of series that a PromQL expression asks for. Knows the language as far as our rules and dashboards use it.

const STRINGS = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g;
const LABEL_LISTS = /\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g;
const KEYWORDS = new Set(["and", "or", "unless", "bool", "offset", "group_left", "group_right", "inf", "nan"]);

export function seriesOf(expression: string): string[] {
  const bare = expression
    .replaceAll(STRINGS, '""')
    .replaceAll(/\{[^}]*\}/g, " ")
    .replaceAll(/\[[^\]]*\]/g, " ")
    .replaceAll(LABEL_LISTS, " ");
  const names = [...bare.matchAll(/(?<![\w:.])([a-zA-Z_:][\w:]*)\s*(\(?)/g)];
  return [
    ...new Set(names.flatMap(([, name, call]) => (call === "(" || KEYWORDS.has(name!.toLowerCase()) ? [] : name!))),
  ];
}

/** Of a histogram's series, the histogram's name. */
export function metricOf(series: string): string {
  return series.replace(/_(?:bucket|sum|count)$/, "");
}
