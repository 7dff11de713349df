// A guest's invalidations on the parts of its virtual IOMMU: each command as the hardware takes it, through the real
// command queue, in turns.
// Source: IHI 0070G.b §4.3, §4.4, §4.5.

import { CMD_CFGI, CMD_TLBI, COMMAND } from "../../spec/commands.ts";
import { doublewordsOf, get, set, wordsOf } from "../../spec/layout.ts";
import type { InvalidationCommand } from "../backend.ts";
import type { DeviceID } from "../ids.ts";
import type { Part } from "./objects.ts";
import type { RawCommand } from "./smmu-driver.ts";
import { Turns } from "./turns.ts";

/**
 * Commands that go into a command queue together, and what one costs in units of a turn: those that look at every entry of
 * the TLBs take a tenth of a millisecond each, and nothing runs between those that go together.
 */
const COMMANDS_AT_ONCE = 32;
const UNITS_PER_COMMAND = 512;

/** The host's StreamID of a device that is named in a part. */
export type StreamOf = (device: DeviceID) => number;

export async function invalidateParts(
  parts: readonly Part[],
  commands: readonly InvalidationCommand[],
  streamOf: StreamOf,
): Promise<void> {
  const turns = new Turns();
  for (const part of parts) {
    for (let from = 0; from < commands.length; from += COMMANDS_AT_ONCE) {
      const slice = commands.slice(from, from + COMMANDS_AT_ONCE);
      part.driver.issue(slice.flatMap((command) => forPart(part, command, streamOf)));
      await turns.spend(slice.length * UNITS_PER_COMMAND);
    }
  }
}

/** The command as the hardware takes it: the part's VMID, the host's StreamID; none for a stream it does not have. */
function forPart(part: Part, command: InvalidationCommand, streamOf: StreamOf): RawCommand[] {
  const words = wordsOf([command.dword0, command.dword1]);
  switch (command.opcode) {
    case COMMAND.CMD_TLBI_NSNH_ALL:
      set(words, 0, CMD_TLBI.Opcode, COMMAND.CMD_TLBI_NH_ALL);
      set(words, 0, CMD_TLBI.VMID, part.vmid);
      break;
    case COMMAND.CMD_CFGI_CD:
    case COMMAND.CMD_CFGI_CD_ALL:
    case COMMAND.CMD_ATC_INV: {
      const named = [...part.names].find(([virtual]) => virtual === get(words, 0, CMD_CFGI.StreamID));
      if (!named) return [];
      set(words, 0, CMD_CFGI.StreamID, streamOf(named[1]));
      break;
    }
    default:
      set(words, 0, CMD_TLBI.VMID, part.vmid);
  }
  const [dword0, dword1] = doublewordsOf(words);
  return [{ dword0: dword0!, dword1: dword1! }];
}
