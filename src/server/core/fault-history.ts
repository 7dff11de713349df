// What the rings still hold, the newest first, over many devices: ListFaults.
// A page ends at a position, and the next one begins before it: what comes meanwhile is newer, what goes is not missed
// twice. The work of a page is bounded; a page may be short, or empty, and still have a next one.

import { invalidField } from "../../backends/errors.ts";
import type { FaultFeed } from "./fault-feed.ts";
import type { FaultListRequest, FaultPage, SequencedFault } from "./fault-verbs.ts";
import type { Identifiers } from "./ports.ts";

/** Events in a page, whatever was asked for. */
export const PAGE_EVENTS_MAX = 1000;
/** Events looked at for a page, each once for every device. */
const LOOKS_MAX = 2 ** 20;

/** A feed, and from which position on it may be seen. */
export interface VisibleFeed {
  readonly feed: FaultFeed;
  readonly from: number;
}

interface Head {
  readonly events: Iterator<{ readonly position: number; readonly event: SequencedFault }>;
  position: number;
  event: SequencedFault;
}

export class FaultHistory {
  readonly #identifiers: Identifiers;
  readonly #secret: string;

  constructor(identifiers: Identifiers) {
    this.#identifiers = identifiers;
    this.#secret = identifiers.token();
  }

  /** @throws BrokerError argument_invalid: the token is not of an answer to this request, or of before a restart */
  page(session: string | undefined, feeds: readonly VisibleFeed[], request: FaultListRequest): FaultPage {
    const asked = JSON.stringify([session ?? "", [...request.devices].sort(), [...request.types].sort()]);
    const before = request.pageToken === "" ? Number.POSITIVE_INFINITY : this.#positionOf(request.pageToken, asked);
    const size = Math.max(1, Math.min(request.pageSize, PAGE_EVENTS_MAX));
    const heads = feeds.flatMap(({ feed, from }) => headOf(feed, before, from));
    const types = new Set(request.types);
    const events: SequencedFault[] = [];
    let last = before;
    for (let looks = 0; heads.length > 0 && events.length < size && looks < LOOKS_MAX; looks += heads.length) {
      const newest = heads.reduce((a, b) => (a.position > b.position ? a : b));
      if (types.size === 0 || types.has(newest.event.fault.type)) events.push(newest.event);
      last = newest.position;
      const next = newest.events.next();
      if (next.done === true) heads.splice(heads.indexOf(newest), 1);
      else Object.assign(newest, next.value);
    }
    return { events, nextPageToken: heads.length === 0 ? "" : this.#tokenOf(last, asked) };
  }

  #tokenOf(position: number, asked: string): string {
    return `${position.toString(36)}.${this.#identifiers.digest(`${this.#secret} ${position} ${asked}`)}`;
  }

  #positionOf(token: string, asked: string): number {
    const position = Number.parseInt(token.slice(0, token.indexOf(".")), 36);
    if (Number.isSafeInteger(position) && token === this.#tokenOf(position, asked)) return position;
    throw invalidField(
      "page_token",
      "must be the next_page_token of an earlier answer to the same request, since the broker was started; leave it empty to begin anew",
    );
  }
}

function headOf(feed: FaultFeed, before: number, from: number): Head[] {
  const events = feed.backwards(before, from);
  const first = events.next();
  return first.done === true ? [] : [{ events, ...first.value }];
}
