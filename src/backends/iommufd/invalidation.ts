// A guest's invalidations on the parts of its virtual IOMMU: one call of the kernel for each part, complete on return.
// Names and VMIDs are the kernel's to put in: what comes is what a guest may issue, with virtual StreamIDs.
// Source: Linux arm_vsmmu_cache_invalidate; IHI 0070G.b §4.3 to §4.5.

import { CMD_CFGI, COMMAND } from "../../spec/commands.ts";
import { get, wordsOf } from "../../spec/layout.ts";
import type { InvalidationCommand } from "../backend.ts";
import { BrokerError } from "../errors.ts";
import { bytesOfPairs } from "./doublewords.ts";
import { hwptInvalidate } from "./ioctl.ts";
import type { Part } from "./part.ts";
import { INVALIDATE_DATA, IOMMU_VIOMMU_ARM_SMMUV3_INVALIDATE } from "./structs.ts";

const NAMES_STREAM: ReadonlySet<number> = new Set([COMMAND.CMD_CFGI_CD, COMMAND.CMD_CFGI_CD_ALL, COMMAND.CMD_ATC_INV]);
const ENTRY_BYTES = IOMMU_VIOMMU_ARM_SMMUV3_INVALIDATE.bytes;
/** What a payload of 1 MiB holds. */
export const COMMANDS_PER_IOCTL_MAX = 65_536;

interface Indexed {
  readonly command: InvalidationCommand;
  /** In the batch as it came. */
  readonly index: number;
}

/** @throws BrokerError with the fact `index`: the command that the kernel refused; those before it may have been executed */
export function invalidateParts(parts: readonly Part[], commands: readonly InvalidationCommand[]): void {
  for (const part of parts) {
    const { nesting } = part;
    if (nesting === undefined) continue; // no guest's tables were ever used there
    const own = commands.flatMap((command, index): Indexed[] => (isFor(part, command) ? [{ command, index }] : []));
    for (let from = 0; from < own.length; from += COMMANDS_PER_IOCTL_MAX) {
      issue(part, nesting.viommu, own.slice(from, from + COMMANDS_PER_IOCTL_MAX));
    }
  }
}

/** A command that names a stream goes where the stream is. */
function isFor(part: Part, { dword0, dword1, opcode }: InvalidationCommand): boolean {
  if (!NAMES_STREAM.has(opcode)) return true;
  const named = get(wordsOf([dword0, dword1]), 0, CMD_CFGI.StreamID);
  for (const name of part.names.keys()) if (name === named) return true;
  return false;
}

function issue({ space }: Part, viommu: number, own: readonly Indexed[]): void {
  const entries = bytesOfPairs(own.map(({ command }) => command));
  try {
    const dataType = INVALIDATE_DATA.ARM_SMMUV3;
    hwptInvalidate(space.file, { target: viommu, dataType, entryBytes: ENTRY_BYTES, entries });
  } catch (error) {
    if (!(error instanceof BrokerError) || error.code !== "argument_invalid") throw error;
    const index = own[Number(error.facts.handled ?? 0)]?.index ?? 0;
    const why = `commands[${index}]: ${error.message}`;
    const options = { cause: error, fields: [{ path: `commands[${index}]`, description: error.message }] };
    throw new BrokerError("argument_invalid", why, { ...error.facts, index }, options);
  }
}
