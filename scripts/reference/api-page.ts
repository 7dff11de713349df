// docs/api.md from the protos and their comments: each service, message and enum once, in the order of the files.

import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import protobuf from "protobufjs";

const FOLDER = join(import.meta.dirname, "../../proto/iommubroker/v1");
const PACKAGE = "iommubroker.v1";

const INTRODUCTION = `# API reference

<!-- Generated from proto/iommubroker/v1 by npm run generate. Do not edit. -->

Package \`${PACKAGE}\`. \`grpc.health.v1.Health\` and server reflection are served beside it on every listener.
[errors.md](errors.md) lists what a call can be refused with, [concepts.md](concepts.md) explains the words, and
[first-five-minutes.md](first-five-minutes.md) shows the calls in their order.
`;

export function apiPage(): string {
  const files = globSync("*.proto", { cwd: FOLDER })
    .toSorted()
    .map((name) => ({ name, items: itemsOf(readFileSync(join(FOLDER, name), "utf8")) }));
  const services = files
    .flatMap(({ items }) => items.filter((item) => item instanceof protobuf.Service))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const messages = files.map(({ name, items }) => ({ name, text: items.map(itemText).join("") }));
  return [
    INTRODUCTION,
    ...services.map(serviceText),
    ...messages.filter(({ text }) => text !== "").map(({ name, text }) => `\n## Messages of ${name}\n${text}`),
  ].join("");
}

function itemsOf(source: string): readonly protobuf.ReflectionObject[] {
  const { root } = protobuf.parse(source, new protobuf.Root(), { keepCase: true, alternateCommentMode: true });
  const found = root.lookup(PACKAGE);
  return found instanceof protobuf.Namespace ? found.nestedArray : [];
}

function serviceText(service: protobuf.Service): string {
  const methods = service.methodsArray.map((method) => {
    const stream = (streams: boolean | undefined): string => (streams === true ? "stream of " : "");
    const request = `${stream(method.requestStream)}${linked(method.requestType)}`;
    const response = `${stream(method.responseStream)}${linked(method.responseType)}`;
    return `\n### ${service.name}.${method.name}\n\n${request} → ${response}\n\n${commentOf(method)}\n`;
  });
  return `\n## Service ${service.name}\n\n${commentOf(service)}\n${methods.join("")}`;
}

function itemText(item: protobuf.ReflectionObject): string {
  if (item instanceof protobuf.Enum) return enumText(item);
  if (!(item instanceof protobuf.Type)) return "";
  const rows = item.fieldsArray.map(fieldRow);
  const table = rows.length === 0 ? [] : ["| field | type | |", "|---|---|---|", ...rows, ""];
  return [`\n### ${item.name}`, "", commentOf(item), "", ...table, ...item.nestedArray.map(itemText)].join("\n");
}

function fieldRow(field: protobuf.Field): string {
  const group = field.partOf !== null && !field.partOf.isProto3Optional ? `one of ${field.partOf.name}: ` : "";
  const label = field.repeated ? "repeated " : field.partOf?.isProto3Optional === true ? "optional " : "";
  const type =
    field instanceof protobuf.MapField ? `map of ${field.keyType} to ${linked(field.type)}` : linked(field.type);
  return `| \`${field.name}\` | ${group}${label}${type} | ${cell(commentOf(field))} |`;
}

function enumText(item: protobuf.Enum): string {
  const rows = Object.entries(item.values).map(([name, number]) => {
    return `| \`${name}\` | ${number} | ${cell(item.comments[name] ?? "")} |`;
  });
  return [`\n### ${item.name}`, "", commentOf(item), "", "| value | number | |", "|---|---|---|", ...rows, ""].join(
    "\n",
  );
}

/** A type's name, with a link to where it is where that is on this page. */
function linked(type: string): string {
  if (/^[a-z]/.test(type)) return type;
  return `[${type}](#${type.toLowerCase()})`;
}

function commentOf(item: protobuf.ReflectionObject): string {
  return (item.comment ?? "").replaceAll(/[<>]/g, (bracket) => (bracket === "<" ? "&lt;" : "&gt;"));
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}
