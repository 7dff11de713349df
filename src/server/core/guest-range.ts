// A range of a guest's addresses as the memory files behind it.

import { invalidField } from "../../backends/errors.ts";
import type { GuestMapping } from "../../backends/guest-memory.ts";
import { hex } from "../../spec/u64.ts";
import { exactNumber } from "./mapping-request.ts";
import { mappingAt } from "./mapping-table.ts";
import type { AddressSpaceRecord } from "./registry.ts";

/** The guest memory behind [ipa, ipa + bytes), mapping by mapping, or argument_invalid at the first hole. */
export function guestRange(
  space: AddressSpaceRecord,
  ipa: bigint,
  bytes: number,
): readonly { mapping: GuestMapping; ipa: number; bytes: number }[] {
  const start = exactNumber(ipa, "ipa");
  const parts: { mapping: GuestMapping; ipa: number; bytes: number }[] = [];
  for (let at = start; at < start + bytes; ) {
    const mapping = mappingAt(space.table, at);
    if (!mapping) throw invalidField("ipa", `nothing is mapped at ${hex(at)}`, { ipa: hex(at) });
    const until = Math.min(start + bytes, mapping.ipa + mapping.bytes);
    parts.push({ mapping, ipa: at, bytes: until - at });
    at = until;
  }
  return parts;
}
