// iommuctl map and unmap: guest memory of the session, from a file that the daemon may open.

import { resolve } from "node:path";
import { type Command, Option } from "commander";
import type { AddressSpace } from "../client/client.ts";
import { parseAddress, parseSize } from "./argument-values.ts";
import { addConnectionOptions, type ConnectionOptions } from "./connection.ts";
import { UsageError } from "./failure.ts";
import { type HandSession, holdingsOf, onlyOne, withHandSession } from "./hand-session.ts";
import { addressSpaceJson, jsonDocument } from "./json-output.ts";
import type { Surroundings } from "./program.ts";
import { bytesText } from "./sessions.ts";
import { type Lesson, taught } from "./teaching.ts";
import { printable } from "./terminal.ts";

interface RangeOptions extends ConnectionOptions {
  readonly ipa: bigint;
  readonly bytes: bigint;
  readonly addressSpace?: string;
  readonly json?: boolean;
}
interface MapOptions extends RangeOptions {
  readonly file: string;
  readonly offset: bigint;
  readonly access: keyof typeof ACCESSES;
}

const ACCESSES = {
  rw: { readable: true, writable: true },
  ro: { readable: true, writable: false },
  wo: { readable: false, writable: true },
} as const;

const MAP: Lesson = {
  summary: "Maps a file as guest memory, for the session's devices.",
  text: [
    "The file must lie beneath one of the daemon's memory_roots and belong to the caller. Without --address-space it goes to the session's only one; where there is none, one is made.",
  ],
  examples: [
    ["iommuctl map --file /dev/shm/guests/ram --ipa 0x4000_0000 --bytes 2M --token-file hand.token", "2 MiB of RAM"],
    [
      "iommuctl map --file ram --ipa 0x8000_0000 --bytes 64K --offset 1M --access ro --token-file hand.token",
      "read only",
    ],
  ],
  json: '{"addressSpace": AddressSpace}',
  seeAlso: ["unmap", "attach"],
};
const UNMAP: Lesson = {
  summary: "Unmaps guest memory.",
  text: ["A range covers whole mappings; holes in it are fine. Caches are invalidated before the answer."],
  examples: [["iommuctl unmap --ipa 0x4000_0000 --bytes 2M --token-file hand.token", "what map has mapped"]],
  json: '{"addressSpace": AddressSpace, "unmappedBytes"}',
  seeAlso: ["map"],
};

export function addMap(program: Command, surroundings: Surroundings): void {
  const { environment, out } = surroundings;
  const map = taught(program.command("map"), MAP).requiredOption("--file <path>", "the file that is the memory");
  addRangeOptions(map)
    .option("--offset <size>", "where in the file it begins", parseSize, 0n)
    .addOption(
      new Option("--access <what>", "what devices may do: read, write").choices(Object.keys(ACCESSES)).default("rw"),
    );
  addConnectionOptions(map).action(async (options: MapOptions) =>
    withHandSession(options, environment, async (hand) => {
      const addressSpace = await mapped(hand, options);
      out(
        options.json === true
          ? jsonDocument({ addressSpace: addressSpaceJson(addressSpace) })
          : `mapped: ${spaceText(addressSpace)}\n`,
      );
    }),
  );
  const unmap = addRangeOptions(taught(program.command("unmap"), UNMAP));
  addConnectionOptions(unmap).action(async (options: RangeOptions) =>
    withHandSession(options, environment, async (hand) => {
      const { ipa, bytes } = options;
      const name = await spaceOf(hand, options);
      if (name === undefined) throw new UsageError("the session has no address space: nothing is mapped");
      const request = { addressSpace: name, ranges: [{ ipa, bytes }] };
      const { addressSpace, unmappedBytes } = await hand.session.unmapMemory(request);
      const text = `unmapped ${bytesText(unmappedBytes)}: ${spaceText(addressSpace)}\n`;
      const json = { addressSpace: addressSpaceJson(addressSpace), unmappedBytes };
      out(options.json === true ? jsonDocument(json) : text);
    }),
  );
}

function addRangeOptions(command: Command): Command {
  return command
    .requiredOption("--ipa <address>", "first guest physical address, a multiple of 4096", parseAddress)
    .requiredOption("--bytes <size>", "how much, a multiple of 4096: 2M, 1GiB, 0x1000", parseSize)
    .option("--address-space <name>", "in this one (default: the session's only one)")
    .option("--json", "print JSON");
}

async function spaceOf(hand: HandSession, { addressSpace }: RangeOptions): Promise<string | undefined> {
  if (addressSpace !== undefined) return addressSpace;
  return onlyOne((await holdingsOf(hand, "--address-space")).addressSpaces, "address spaces", "--address-space");
}

async function mapped(hand: HandSession, options: MapOptions): Promise<AddressSpace> {
  const { access, bytes, file, ipa, offset } = options;
  const present = await spaceOf(hand, options);
  const addressSpace = present ?? (await hand.session.createAddressSpace()).name;
  const mapping = { ipa, bytes, source: 0, offset, ...ACCESSES[access] };
  try {
    const sources = [{ path: resolve(file) }];
    return await hand.session.mapMemory({ addressSpace, sources, mappings: [mapping] });
  } catch (error) {
    if (present === undefined) await hand.session.deleteAddressSpace(addressSpace);
    throw error;
  }
}

function spaceText({ mappedBytes, mappingCount, name }: AddressSpace): string {
  return printable(
    `${name} has ${bytesText(mappedBytes)} in ${mappingCount === 1 ? "1 mapping" : `${mappingCount} mappings`}`,
  );
}
