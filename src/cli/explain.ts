// iommuctl explain: where one address of one device goes, and why.

import { type Command, InvalidArgumentError, Option } from "commander";
import { AccessKind } from "../client/client.ts";
import { addConnectionOptions, type ConnectionOptions, sessionTokenOf, withBroker } from "./connection.ts";
import { explanationJson } from "./explain-json.ts";
import { explanationText } from "./explain-text.ts";
import type { Surroundings } from "./program.ts";

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

const EXAMPLES = `
Shows the STE, the context descriptor and every table descriptor on the way, each with its guest physical address, its value
and the fields that are not 0; what stage 2 made of each address; and where and why it ends. It is computed from the tables
as they are now: a TLB that was not invalidated may still have something older. Exit 0 whether it translates or faults.

Examples:
  iommuctl explain 0000:01:00.0 0x7fff_dead_b000 --access write --token-file vmm.token
  iommuctl explain devices/0000:01:00.0 4096 --substream 3 --json | jq .end`;

export function addExplain(program: Command, surroundings: Surroundings): void {
  const command = program
    .command("explain")
    .description("Explains how one access of a device of the session is translated.")
    .helpOption("--help", "show this")
    .argument("<device>", 'the device: "0000:01:00.0" or "devices/0000:01:00.0"')
    .argument("<iova>", "the address that the device uses, 64 bits: 0x… or decimal", parseAddress)
    .option("--substream <number>", "the access has this SubstreamID (PASID)", boundedBy(2 ** 20 - 1))
    .addOption(new Option("--access <kind>", "what it does").choices(Object.keys(ACCESSES)).default("read"))
    .option("--privileged", "it is privileged")
    .option("--stream-index <number>", "which of the device's StreamIDs", boundedBy(7), 0)
    .option("--host-addresses", "show the host's structures too; where the Simulator service is served")
    .option("--json", "print the answer as JSON: 64-bit values as decimal strings, enums by name");
  addConnectionOptions(command)
    .addHelpText("after", EXAMPLES)
    .action(async (device: string, iova: bigint, options: ExplainOptions) =>
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
    device: device.startsWith("devices/") ? device : `devices/${device}`,
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

/** 0x… or decimal, with _ between digits. */
function parseAddress(text: string): bigint {
  if (!/^(?:0[xX][\da-fA-F]+(?:_[\da-fA-F]+)*|\d+(?:_\d+)*)$/.test(text) || text.length > 64) {
    throw new InvalidArgumentError("Write it as 0x7fff_dead_b000 or as decimal.");
  }
  const value = BigInt(text.replaceAll("_", ""));
  if (value >= 2n ** 64n) throw new InvalidArgumentError("It must fit 64 bits.");
  return value;
}

function boundedBy(max: number): (text: string) => number {
  return (text) => {
    const isNumber = /^(?:0[xX][\da-fA-F]{1,8}|\d{1,8})$/.test(text);
    if (!isNumber || Number(text) > max) throw new InvalidArgumentError(`It must be 0 to ${max}.`);
    return Number(text);
  };
}
