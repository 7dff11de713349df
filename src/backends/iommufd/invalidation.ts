// A guest's invalidations on the parts of its virtual IOMMU: one call of the kernel for each part, complete when it
// is answered.
// Names and VMIDs are the kernel's to put in: what comes is what a guest may issue, with virtual StreamIDs.
// Source: Linux arm_vsmmu_cache_invalidate; IHI 0070G.b §4.3 to §4.5.

import { assert } from "../../spec/assert.ts";
import { COMMAND } from "../../spec/commands.ts";
import { hiOf } from "../../spec/u64.ts";
import type { InvalidationCommand } from "../backend.ts";
import { BrokerError } from "../errors.ts";
import { bytesOfPairs } from "./doublewords.ts";
import { hwptInvalidate, hwptInvalidateInPool, type Invalidation } from "./ioctl.ts";
import type { Part } from "./part.ts";
import { INVALIDATE_DATA, IOMMU_VIOMMU_ARM_SMMUV3_INVALIDATE } from "./structs.ts";

const NAMES_STREAM: ReadonlySet<number> = new Set([COMMAND.CMD_CFGI_CD, COMMAND.CMD_CFGI_CD_ALL, COMMAND.CMD_ATC_INV]);
const ENTRY_BYTES = IOMMU_VIOMMU_ARM_SMMUV3_INVALIDATE.bytes;
/** What a payload of 1 MiB holds. */
export const COMMANDS_PER_IOCTL_MAX = 65_536;

/**
 * What is longer goes to the pool. Linux gives its queue 63 commands at a time (CMDQ_BATCH_ENTRIES - 1) and polls for the
 * CMD_SYNC behind them. As many such lists as take no longer than the trip to the pool and back (npm run bench:native: a command
 * 0.45 µs, the trip 155 to 170, as long as 345 to 375 of them: five whole lists) delay others less than the trip would the batch.
 */
export const COMMANDS_NOW_MAX = 5 * 63;

/**
 * In the order of the calls as long as one is awaited before the next: what is short overtakes what is in the pool. Core's
 * queue of the virtual IOMMU sees to that.
 * @returns nothing where it is complete already
 * @throws BrokerError with the fact `index`: the command that the kernel refused; those before it may have been executed
 */
export function invalidateParts(
  parts: readonly Part[],
  commands: readonly InvalidationCommand[],
): Promise<void> | undefined {
  const wanting = parts.filter(({ nesting }) => nesting !== undefined); // elsewhere no guest's tables were ever used
  if (commands.length > COMMANDS_NOW_MAX || commands.some(waitsForEndpoint)) return inPool(wanting, commands);
  for (const part of wanting) {
    const own = commandsFor(part, commands);
    if (own.length === 0) continue;
    try {
      hwptInvalidate(part.space.file, invalidation(part, own));
    } catch (error) {
      throw placed(error, part, commands, 0);
    }
  }
  return undefined;
}

/** A CMD_SYNC behind it waits for the device's answer, and for one that gives none until the queue's time is over. */
function waitsForEndpoint({ opcode }: InvalidationCommand): boolean {
  return opcode === COMMAND.CMD_ATC_INV;
}

async function inPool(parts: readonly Part[], commands: readonly InvalidationCommand[]): Promise<void> {
  for (const part of parts) {
    const own = commandsFor(part, commands);
    for (let from = 0; from < own.length; from += COMMANDS_PER_IOCTL_MAX) {
      try {
        const some = own.slice(from, from + COMMANDS_PER_IOCTL_MAX);
        await hwptInvalidateInPool(part.space.file, invalidation(part, some));
      } catch (error) {
        throw placed(error, part, commands, from);
      }
    }
  }
}

function invalidation({ nesting }: Part, own: readonly InvalidationCommand[]): Invalidation {
  assert(nesting !== undefined, "the part nests");
  const dataType = INVALIDATE_DATA.ARM_SMMUV3;
  return { target: nesting.viommu, dataType, entryBytes: ENTRY_BYTES, entries: bytesOfPairs(own) };
}

/** A command that names a stream goes where the stream is. */
function goesTo(part: Part): (command: InvalidationCommand) => boolean {
  const names = new Set<number>(part.names.keys());
  return ({ dword0, opcode }) => !NAMES_STREAM.has(opcode) || names.has(hiOf(dword0)); // StreamID is [63:32] in all of them
}

function commandsFor(part: Part, commands: readonly InvalidationCommand[]): readonly InvalidationCommand[] {
  return commands.some(({ opcode }) => NAMES_STREAM.has(opcode)) ? commands.filter(goesTo(part)) : commands;
}

/** The error of a command, by its place in the batch as it came. @param from  the first of the part's that were given */
function placed(error: unknown, part: Part, commands: readonly InvalidationCommand[], from: number): unknown {
  if (!(error instanceof BrokerError) || error.code !== "argument_invalid") return error;
  const isOwn = goesTo(part);
  const places = commands.flatMap((command, index) => (isOwn(command) ? [index] : []));
  const index = places[from + Number(error.facts.handled ?? 0)] ?? 0;
  const why = `commands[${index}]: ${error.message}`;
  const options = { cause: error, fields: [{ path: `commands[${index}]`, description: error.message }] };
  return new BrokerError("argument_invalid", why, { ...error.facts, index }, options);
}
