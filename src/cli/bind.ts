// iommuctl bind and unbind: a guest's stage 1 for a device, as raw doublewords of its STE or as fields.
// Source: IHI 0070G.b §5.2 (STE); the broker checks what is in them.

import { type Command, InvalidArgumentError, Option } from "commander";
import { type BindGuestStage, type BindOutcome, Stage1Mode } from "../client/client.ts";
import { boundedBy, deviceName, parseAddress } from "./argument-values.ts";
import { addConnectionOptions, type ConnectionOptions } from "./connection.ts";
import { summaryOf } from "./device-text.ts";
import { UsageError } from "./failure.ts";
import { withHandSession } from "./hand-session.ts";
import { deviceJson, jsonDocument } from "./json-output.ts";
import type { Surroundings } from "./program.ts";
import { type Lesson, taught } from "./teaching.ts";
import { grouped, printable } from "./terminal.ts";

interface Fields {
  readonly s1ContextPtr?: bigint;
  readonly s1Fmt?: number;
  readonly s1CdMax?: number;
  readonly s1Dss?: number;
  readonly s1Cir?: number;
  readonly s1Cor?: number;
  readonly s1Csh?: number;
  readonly s1Stalld?: boolean;
  readonly eats?: number;
}
interface BindOptions extends ConnectionOptions, Fields {
  readonly vsid?: number;
  readonly ste?: readonly [bigint, bigint];
  readonly mode?: keyof typeof MODES;
  readonly validateOnly?: boolean;
  readonly generation?: bigint;
  readonly json?: boolean;
}

const MODES = {
  translate: Stage1Mode.STAGE1_MODE_TRANSLATE,
  bypass: Stage1Mode.STAGE1_MODE_BYPASS,
  abort: Stage1Mode.STAGE1_MODE_ABORT,
} as const;
const VSID_MAX = 2 ** 32 - 1;
const GENERATION = "refuse unless the group's generation is this one";

const BIND: Lesson = {
  summary: "Installs a guest's stage 1 for a device.",
  text: [
    "Either --ste, the first two doublewords of the guest's stream table entry as it wrote them, or --mode with the fields; --s1-context-ptr alone means --mode translate. TRANSLATE needs the guest's StreamID, once. With --validate-only nothing is installed: the answer is the host's entry that would be, and what the hardware would say to the device's first transaction.",
  ],
  examples: [
    [
      "iommuctl bind 0000:01:00.0 --vsid 0x42 --s1-context-ptr 0x4000_0000 --token-file hand.token",
      "one context descriptor",
    ],
    [
      "iommuctl bind 0000:01:00.0 --ste 0x4000_000b,0x0 --vsid 0x42 --validate-only --token-file hand.token",
      "ask first",
    ],
    ["iommuctl bind 0000:01:00.0 --mode bypass --token-file hand.token", "input addresses are guest physical ones"],
  ],
  json: '{"device": Device, "mode", "hostSte": [doubleword], "wouldFault": [{"eventType", "reason"}]}; the last two with --validate-only',
  exit: "0 also where --validate-only finds that the hardware would record a fault",
  seeAlso: ["unbind", "explain", "faults"],
};
const UNBIND: Lesson = {
  summary: "Takes a guest's stage 1 away: stage 1 bypass, stage 2 translate.",
  text: ["Unbinding what is not bound succeeds."],
  examples: [["iommuctl unbind 0000:01:00.0 --token-file hand.token", "the device stays attached"]],
  json: '{"device": Device}',
  seeAlso: ["bind", "detach"],
};

export function addBind(program: Command, surroundings: Surroundings): void {
  const { environment, out } = surroundings;
  const bind = taught(program.command("bind"), BIND)
    .argument("<device>", 'the device: "0000:01:00.0" or "devices/0000:01:00.0"')
    .option("--vsid <number>", "the guest's StreamID for it (default: as it was)", boundedBy(VSID_MAX))
    .addOption(new Option("--ste <doublewords>", "0x…,0x…: doublewords 0 and 1").argParser(parseSte).conflicts("mode"))
    .addOption(new Option("--mode <mode>", "what stage 1 does").choices(Object.keys(MODES)))
    .option("--s1-context-ptr <ipa>", "guest physical address of the CD or the CD table", parseAddress)
    .option("--s1-fmt <number>", "CD table: 0 linear, 1 or 2 two-level with leaves of 4 or 64 KiB", boundedBy(3))
    .option("--s1-cd-max <number>", "log2 of the number of CDs", boundedBy(31))
    .option("--s1-dss <number>", "without SubstreamID: 0 terminate, 1 bypass, 2 CD 0", boundedBy(3))
    .option("--s1-cir <number>", "inner cacheability of CD fetches", boundedBy(3))
    .option("--s1-cor <number>", "outer cacheability of CD fetches", boundedBy(3))
    .option("--s1-csh <number>", "shareability of CD fetches", boundedBy(3))
    .option("--s1-stalld", "forbid stage 1 to stall")
    .option("--eats <number>", "ATS: 0 off, 1 on", boundedBy(3))
    .option("--validate-only", "install nothing, tell what would be")
    .option("--generation <number>", GENERATION, parseAddress)
    .option("--json", "print JSON");
  addConnectionOptions(bind).action(async (device: string, options: BindOptions) => {
    const request = requestOf(deviceName(device), options);
    await withHandSession(options, environment, async ({ session }) => {
      const outcome = await session.bindGuestStage(request);
      out(options.json === true ? outcomeJson(outcome) : outcomeText(outcome, options.validateOnly === true));
    });
  });
  const unbind = taught(program.command("unbind"), UNBIND)
    .argument("<device>", 'the device: "0000:01:00.0" or "devices/0000:01:00.0"')
    .option("--generation <number>", GENERATION, parseAddress)
    .option("--json", "print JSON");
  addConnectionOptions(unbind).action(async (name: string, options: BindOptions) =>
    withHandSession(options, environment, async ({ session }) => {
      const request = { device: deviceName(name), expectedGeneration: options.generation };
      const device = await session.unbindGuestStage(request);
      out(options.json === true ? jsonDocument({ device: deviceJson(device) }) : `${summaryOf(device)}\n`);
    }),
  );
}

function requestOf(device: string, options: BindOptions): BindGuestStage {
  const { eats, s1CdMax, s1Cir, s1ContextPtr, s1Cor, s1Csh, s1Dss, s1Fmt, s1Stalld } = options;
  const fields: Fields = given({ s1ContextPtr, s1Fmt, s1CdMax, s1Dss, s1Cir, s1Cor, s1Csh, s1Stalld, eats });
  const common = {
    device,
    virtualStreamId: options.vsid,
    validateOnly: options.validateOnly,
    expectedGeneration: options.generation,
  };
  if (options.ste !== undefined) {
    if (Object.keys(fields).length > 0)
      throw new UsageError("--ste has all fields in it: give it without --s1-… and --eats");
    const [doubleword0, doubleword1] = options.ste;
    return { ...common, raw: { doubleword0, doubleword1 } };
  }
  const mode = options.mode ?? (s1ContextPtr === undefined ? undefined : "translate");
  if (mode === undefined) throw new UsageError("nothing to bind: give --ste, --s1-context-ptr or --mode");
  return { ...common, fields: { mode: MODES[mode], ...fields } };
}

function given(fields: { readonly [K in keyof Fields]: Fields[K] | undefined }): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function parseSte(text: string): readonly [bigint, bigint] {
  const [first, second, ...more] = text.split(",");
  if (first === undefined || second === undefined || more.length > 0) {
    throw new InvalidArgumentError("Write both doublewords as 0x4000_000b,0x0.");
  }
  return [parseAddress(first), parseAddress(second)];
}

function outcomeJson({ device, hostSte, mode, wouldFault }: BindOutcome): string {
  return jsonDocument({ device: device && deviceJson(device), mode: Stage1Mode[mode], hostSte, wouldFault });
}

function outcomeText({ device, hostSte, mode, wouldFault }: BindOutcome, isPreview: boolean): string {
  const name = (Stage1Mode[mode] ?? String(mode)).replace(/^STAGE1_MODE_/, "").toLowerCase();
  const summary = device === undefined ? "" : summaryOf(device);
  if (!isPreview) return `${summary}, stage 1 ${name}\n`;
  const lines = [
    `nothing installed; stage 1 would ${name}`,
    ...hostSte.map((doubleword, at) => `  host STE [${at}] ${grouped(doubleword, 16)}`),
    ...wouldFault.map(({ eventType, reason }) => `  would fault: ${eventType}, ${reason}`),
    ...(wouldFault.length === 0 ? ["  no configuration fault for its first transaction without SubstreamID"] : []),
    `  now: ${summary}`,
  ];
  return `${lines.map((line) => printable(line)).join("\n")}\n`;
}
