// iommuctl explain: where one address of one device goes, and why.

import { type Command, Option } from "commander";
import { AccessKind } from "../client/client.ts";
import { boundedBy, deviceName, parseAddress } from "./argument-values.ts";
import { addConnectionOptions, type ConnectionOptions, sessionTokenOf, withBroker } from "./connection.ts";
import { explanationJson } from "./explain-json.ts";
import { explanationText } from "./explain-text.ts";
import type { Surroundings } from "./program.ts";
import { type Lesson, taught } from "./teaching.ts";

interface ExplainOptions extends ConnectionOptions {
  readonly substream?: number;
  readonly access: keyof typeof ACCESSES;
  readonly privileged?: boolean;
  readonly streamIndex: number;
  readonly hostAddresses?: boolean;
  readonly json?: boolean;
}

const ACCESSES = {
  read: AccessKind.ACCESS_KIND_READ,
  write: AccessKind.ACCESS_KIND_WRITE,
  execute: AccessKind.ACCESS_KIND_EXECUTE,
} as const;

const LESSON: Lesson = {
  summary: "Explains how one access of a device of the session is translated.",
  text: [
    "Shows the STE, the context descriptor and every table descriptor on the way, each with its guest physical address, its value and the fields that are not 0; what stage 2 made of each address; and where and why it ends. It is computed from the tables as they are now: a TLB that was not invalidated may still have something older.",
  ],
  examples: [
    ["iommuctl explain 0000:01:00.0 0x7fff_dead_b000 --access write --token-file vmm.token", "a write, step by step"],
    ["iommuctl explain devices/0000:01:00.0 4096 --substream 3 --json | jq .end", "only where it ends"],
  ],
  json: "the answer of ExplainTranslation",
  exit: "0 whether it translates or faults",
  seeAlso: ["faults", "bind"],
};

export function addExplain(program: Command, surroundings: Surroundings): void {
  const command = taught(program.command("explain"), LESSON)
    .argument("<device>", 'the device: "0000:01:00.0" or "devices/0000:01:00.0"')
    .argument("<iova>", "the address that the device uses, 64 bits: 0x… or decimal", parseAddress)
    .option("--substream <number>", "the access has this SubstreamID (PASID)", boundedBy(2 ** 20 - 1))
    .addOption(new Option("--access <kind>", "what it does").choices(Object.keys(ACCESSES)).default("read"))
    .option("--privileged", "it is privileged")
    .option("--stream-index <number>", "which of the device's StreamIDs", boundedBy(7), 0)
    .option("--host-addresses", "show the host's structures too; where the Simulator service is served")
    .option("--json", "print the answer as JSON: 64-bit values as decimal strings, enums by name");
  addConnectionOptions(command).action(async (device: string, iova: bigint, options: ExplainOptions) =>
    explain(device, iova, options, surroundings),
  );
}

async function explain(
  device: string,
  iova: bigint,
  options: ExplainOptions,
  { environment, out, terminal }: Surroundings,
): Promise<void> {
  const request = {
    device: deviceName(device),
    iova,
    substreamId: options.substream,
    access: ACCESSES[options.access],
    privileged: options.privileged,
    streamIndex: options.streamIndex,
    includeHostAddresses: options.hostAddresses,
  };
  const token = sessionTokenOf(options, environment);
  const answer = await withBroker(options, environment, (client) => client.explainTranslation(token, request));
  const asked = { ...options, iova };
  out(options.json === true ? explanationJson(answer) : explanationText(answer, asked, terminal));
}
