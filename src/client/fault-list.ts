// What the broker still holds of the devices' faults, the newest first, page after page as it is read.

import { BROKER } from "../server/rpc/services.ts";
import type { CallOptions, Channel } from "./channel.ts";
import type { FaultEvent } from "./messages.ts";

export interface FaultQuery {
  /** "devices/{id}"; none: all there are to see. */
  readonly devices?: readonly string[];
  /** Event names; none: all. */
  readonly types?: readonly string[];
  /** Events that are asked for at once. */
  readonly pageSize?: number;
  /** Each event with why it happened, from the tables as they are now. */
  readonly diagnose?: boolean;
}

/** @param token  of a session; undefined: as an observer, on the admin socket */
export async function* listFaults(
  channel: Channel,
  token: string | undefined,
  query: FaultQuery,
  options?: CallOptions,
): AsyncGenerator<FaultEvent, void, undefined> {
  let pageToken = "";
  do {
    const page = await channel.unary(BROKER.listFaults, { ...query, pageToken }, token, options);
    yield* page.events;
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
}
