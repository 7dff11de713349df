// docs/configuration.md from the schema that the daemon checks its configuration with: every setting, its default, its
// bounds and the variable that sets it.

import { z } from "zod";
import { SETTINGS } from "../../src/server/config/settings.ts";
import { variableOf } from "../../src/server/config/sources.ts";

/** What the pages need of a JSON schema (draft 2020-12), as zod writes it. */
export interface SettingSchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, SettingSchema>>;
  readonly items?: SettingSchema;
}

const INTRODUCTION = `# Configuration

<!-- Generated from src/server/config/settings.ts by npm run generate. Do not edit. -->

One YAML file, named by \`--config\` or \`IOMMU_BROKER_CONFIG\`; without one the defaults hold. Later sources win, setting by
setting:

1. the defaults below,
2. the file,
3. the environment: \`${variableOf(["log", "level"])}\` is \`log.level\`, and so on for every setting but \`simulated\` and
   \`policy.rules\`; a list is written with commas,
4. \`--set KEY=VALUE\` and the flags of \`iommu-brokerd --help\`.

A key that is no setting, a value out of its bounds and settings that contradict each other are refused before anything is
opened, each with its line and the nearest name.

| to see | run |
|---|---|
| whether a file is right | \`iommu-brokerd --check-config --config FILE\` |
| what is in force, and where each value comes from | \`iommu-brokerd --print-config\` |
| what the policy says of a caller | \`iommu-brokerd --explain-policy\`, see [policy.md](policy.md) |

SIGHUP reads it all again and puts \`policy\`, \`admin.uids\` and \`log.level\` in force; the rest needs a restart, which sessions
survive ([sessions-and-arbitration.md](sessions-and-arbitration.md)). Units end the names: \`_ms\` milliseconds, \`_bytes\`, \`_mib\`. A
path is absolute, or \`runtime:NAME\` for a name in the runtime directory: \`$RUNTIME_DIRECTORY\`, else
\`$XDG_RUNTIME_DIR/iommu-broker\`, else a directory in the temporary directory.

A limit that a client runs into is named by its key in the error, as [errors.md](errors.md) says of LIMIT_REACHED.
`;

/** Defaults that depend on who runs the daemon, as the schema computes them. */
const COMPUTED: Readonly<Record<string, string>> = {
  "admin.uids": "0 and the daemon's uid",
  memory_owner_uids: "the daemon's uid",
  simulated: "two SMMUs, eight devices: [deploy/simulated.yaml](../deploy/simulated.yaml)",
};

/** Lists whose items have a page of their own. */
const DESCRIBED_ELSEWHERE: ReadonlySet<string> = new Set(["policy.rules"]);

interface Setting {
  readonly key: string;
  readonly schema: SettingSchema;
}

export function configurationPage(): string {
  const schema: SettingSchema = JSON.parse(JSON.stringify(z.toJSONSchema(SETTINGS, { io: "input" })));
  const sections = Object.entries(schema.properties ?? {});
  const alone = sections.filter(([, { type }]) => type !== "object").map(([key, of]) => ({ key, schema: of }));
  const grouped = sections.filter(([, { type }]) => type === "object");
  return [
    INTRODUCTION,
    sectionText("At the top", "", alone),
    ...grouped.map(([key, of]) => sectionText(`\`${key}\``, of.description ?? "", [...settingsOf(of, key)])),
  ].join("");
}

/** The settings below `schema`, down to what is one value or a list. */
function* settingsOf(schema: SettingSchema, prefix: string): Generator<Setting> {
  for (const [name, of] of Object.entries(schema.properties ?? {})) {
    const key = `${prefix}.${name}`;
    if (of.type === "object" && of.properties !== undefined) {
      yield* settingsOf(of, key);
      continue;
    }
    yield { key, schema: of };
    if (of.items?.properties !== undefined && !DESCRIBED_ELSEWHERE.has(key)) yield* settingsOf(of.items, `${key}[]`);
  }
}

function sectionText(title: string, purpose: string, settings: readonly Setting[]): string {
  const intro = purpose === "" ? [] : [purpose, ""];
  const rows = settings.map(rowOf);
  return ["", `## ${title}`, "", ...intro, "| setting | default | may be | |", "|---|---|---|---|", ...rows, ""].join(
    "\n",
  );
}

function rowOf({ key, schema }: Setting): string {
  return `| \`${key}\` | ${defaultOf(key, schema)} | ${allowed(schema)} | ${cell(schema.description ?? "")} |`;
}

function defaultOf(key: string, schema: SettingSchema): string {
  const computed = COMPUTED[key];
  if (computed !== undefined) return computed;
  if (schema.default === undefined) return "";
  const text = typeof schema.default === "string" ? schema.default : JSON.stringify(schema.default);
  return `\`${cell(text)}\``;
}

/** The values that a setting may have, in words. */
function allowed(schema: SettingSchema): string {
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${String(value)}\``).join(", ");
  if (schema.type === "integer") return `${grouped(schema.minimum)} to ${grouped(schema.maximum)}`;
  if (schema.type === "array")
    return schema.maxItems === undefined ? "a list" : `a list of at most ${grouped(schema.maxItems)}`;
  return schema.type === "boolean" ? "`true`, `false`" : "";
}

function grouped(bound: number | undefined): string {
  return bound === undefined ? "any" : bound.toLocaleString("en");
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}
