// The inventory as a watch: the list, then each change once, in order, with a version to resume from.
// One bounded ring of changes serves every watcher; each has a cursor. Who falls out of it, or resumes from before it, is
// given the list anew: the latest state of each device, however much it missed.
// Changes of one moment are one change of a device, and nobody is told what would not outlive a crash.

import { limitReached } from "../../backends/errors.ts";
import type { DeviceID } from "../../backends/ids.ts";
import { assert } from "../../spec/assert.ts";
import type { DeviceBatch, DeviceChange, DeviceSubscription, DeviceWatchRequest } from "./device-verbs.ts";
import type { DurableRecord } from "./durable.ts";
import type { BrokerEvents } from "./events.ts";
import type { CoreLimits } from "./limits.ts";
import type { Clock, Journal } from "./ports.ts";
import type { Registry } from "./registry.ts";
import type { DeviceView, WatchCensus } from "./views.ts";

export interface WatchDeps {
  readonly registry: Registry;
  readonly events: BrokerEvents;
  readonly limits: CoreLimits;
  readonly journal: Journal;
  readonly clock: Clock;
  view(device: DeviceID): DeviceView;
}

/** Change n stands at ring[n % capacity]. */
interface Entry {
  readonly number: number;
  readonly kind: "changed" | "removed";
  readonly device: DeviceView;
  /** Session that owned it before this change. */
  readonly ownerBefore: string | undefined;
}

/** Reading the list: the devices after `after` are still to come, and show what is so when they do. */
interface Listing {
  after: DeviceID | undefined;
  /** Up to which device what was shown as of which change: older changes of those are known already. */
  readonly shown: { readonly upTo: DeviceID; readonly asOf: number }[];
}

interface Watcher {
  readonly viewer: string | undefined;
  readonly request: DeviceWatchRequest;
  listing: Listing | undefined;
  /** What of the list newer changes must not be overtaken by; empty once they are told. */
  shown: Listing["shown"];
  /** Number of the last change told. */
  cursor: number;
  /** The list is complete once the cursor has come here; undefined: it was said already. */
  syncedAt: number | undefined;
  owesResync: boolean;
  /** Of the last batch that was handed out, or of changes since that are none of the watcher's. */
  version: string | undefined;
  wake: (() => void) | undefined;
  isClosed: boolean;
}

export class InventoryWatch {
  readonly #deps: WatchDeps;
  readonly #watchers = new Set<Watcher>();
  readonly #ring: Entry[] = [];
  readonly #owners = new Map<DeviceID, string>();
  readonly #dirty = new Set<DeviceID>();
  /** Number of the latest change; the first one is 1. */
  #latest = 0;
  #epoch: number;
  #resyncs = 0;
  #listener: (records: readonly DurableRecord[]) => void = () => {};

  constructor(deps: WatchDeps) {
    this.#deps = deps;
    this.#epoch = Math.floor(deps.clock.wallMs());
    deps.registry.onDevice((device, change) => {
      if (change === "leaving") this.#removed(device);
      else this.#changed(device);
    });
    deps.events.subscribe((event) => {
      if (event.type === "sessionEnded") this.#endSession(event.session);
    });
  }

  /** One listener for what shall outlive the daemon: the recorder. */
  onChange(listener: (records: readonly DurableRecord[]) => void): void {
    this.#listener = listener;
  }

  durable(): readonly DurableRecord[] {
    return [{ type: "inventoryEpoch", value: this.#epoch }];
  }

  /** Versions of this life of the daemon are told from those of earlier ones, and are greater. */
  begin(lastEpoch: number): void {
    this.#seal();
    this.#epoch = Math.max(this.#epoch, lastEpoch + 1);
    this.#listener(this.durable());
  }

  /** @throws BrokerError limit_reached when there are too many watches, iommu_unknown */
  subscribe(viewer: string | undefined, request: DeviceWatchRequest): DeviceSubscription {
    const max = this.#deps.limits.deviceWatchesMax;
    if (this.#watchers.size >= max)
      throw limitReached("device_watches_max", max, "end another WatchDevices stream first");
    if (request.iommu !== undefined) this.#deps.registry.iommu(request.iommu);
    this.#seal();
    const resumed = request.resumeAfter === undefined ? undefined : this.#numberOf(request.resumeAfter);
    const watcher: Watcher = {
      viewer,
      request,
      listing: undefined,
      shown: [],
      cursor: resumed ?? this.#latest,
      syncedAt: undefined,
      owesResync: false,
      version: undefined,
      wake: undefined,
      isClosed: false,
    };
    if (request.resumeAfter === undefined) watcher.listing = { after: undefined, shown: [] };
    else if (resumed === undefined || resumed < this.#oldest() - 1) this.#resync(watcher);
    else watcher.syncedAt = resumed;
    this.#watchers.add(watcher);
    return {
      next: () => this.#next(watcher),
      version: () => watcher.version,
      close: () => this.#close(watcher),
    };
  }

  census(): WatchCensus {
    return { subscribers: this.#watchers.size, resyncs: this.#resyncs };
  }

  #changed(device: DeviceID): void {
    if (this.#dirty.size === 0) void Promise.resolve().then(() => this.#seal());
    this.#dirty.add(device);
  }

  /** The last that was known of it; called while it is still there. */
  #removed(device: DeviceID): void {
    this.#dirty.delete(device);
    this.#seal();
    this.#append("removed", this.#deps.view(device));
  }

  /** Gives what changed since the last look its numbers. */
  #seal(): void {
    const devices = [...this.#dirty];
    this.#dirty.clear();
    for (const device of devices) {
      if (this.#deps.registry.findDevice(device) !== undefined) this.#append("changed", this.#deps.view(device));
    }
  }

  #append(kind: Entry["kind"], device: DeviceView): void {
    this.#latest += 1;
    const number = this.#latest;
    const ownerBefore = this.#owners.get(device.id);
    this.#ring[number % this.#deps.limits.deviceChangesMax] = { number, kind, device, ownerBefore };
    if (kind === "removed" || device.owner === undefined) this.#owners.delete(device.id);
    else this.#owners.set(device.id, device.owner.id);
    for (const watcher of this.#watchers) watcher.wake?.();
  }

  #oldest(): number {
    return Math.max(1, this.#latest - this.#deps.limits.deviceChangesMax + 1);
  }

  async #next(watcher: Watcher): Promise<DeviceBatch | undefined> {
    assert(watcher.wake === undefined, "only one next() of a subscription at a time");
    while (!watcher.isClosed) {
      this.#seal();
      const batch = this.#collect(watcher);
      if (batch !== undefined) {
        await this.#deps.journal.durable();
        watcher.version = batch.version;
        return watcher.isClosed ? undefined : batch;
      }
      watcher.version = this.#versionOf(watcher.cursor); // nothing is to be told up to there
      await new Promise<void>((resolve) => {
        watcher.wake = resolve;
      });
      watcher.wake = undefined;
    }
    return undefined;
  }

  /** The next batch; undefined: there is nothing to tell. */
  #collect(watcher: Watcher): DeviceBatch | undefined {
    if (watcher.cursor < this.#oldest() - 1) this.#resync(watcher);
    if (watcher.owesResync) {
      watcher.owesResync = false;
      return { mark: "resync", changes: [], version: undefined };
    }
    if (watcher.listing !== undefined) {
      const changes = this.#listed(watcher, watcher.listing);
      if (changes.length > 0) return { mark: "none", changes, version: undefined };
    }
    const changes = this.#news(watcher);
    if (changes.length > 0) {
      return { mark: "none", changes, version: isListing(watcher) ? undefined : this.#versionOf(watcher.cursor) };
    }
    if (watcher.syncedAt === undefined) return undefined;
    watcher.syncedAt = undefined;
    watcher.shown = [];
    return { mark: "synced", changes: [], version: this.#versionOf(watcher.cursor) };
  }

  /** The next page of the list; empty: it is complete. */
  #listed(watcher: Watcher, listing: Listing): DeviceChange[] {
    const { pageSize } = watcher.request;
    const changes: DeviceChange[] = [];
    const asOf = this.#latest;
    let last = listing.after;
    let isComplete = true;
    for (const { host } of this.#deps.registry.devices()) {
      if (listing.after !== undefined && host.id <= listing.after) continue;
      if (changes.length === pageSize) {
        isComplete = false;
        break;
      }
      last = host.id;
      const device = this.#deps.view(host.id);
      if (isWatched(watcher, device, device.owner?.id)) {
        changes.push({ kind: "listed", device, version: this.#versionOf(asOf) });
      }
    }
    if (last !== undefined) listing.shown.push({ upTo: last, asOf });
    listing.after = last;
    if (isComplete) {
      watcher.listing = undefined;
      watcher.shown = listing.shown;
      watcher.syncedAt = this.#latest;
    }
    return changes;
  }

  #news(watcher: Watcher): DeviceChange[] {
    const changes: DeviceChange[] = [];
    while (watcher.cursor < (watcher.syncedAt ?? this.#latest) && changes.length < watcher.request.pageSize) {
      watcher.cursor += 1;
      const entry = this.#ring[watcher.cursor % this.#deps.limits.deviceChangesMax];
      assert(entry?.number === watcher.cursor, `the ring does not hold change ${watcher.cursor}`);
      const change = this.#changeFor(watcher, entry);
      if (change !== undefined) changes.push(change);
    }
    return changes;
  }

  #changeFor(watcher: Watcher, { number, kind, device, ownerBefore }: Entry): DeviceChange | undefined {
    const shown = watcher.shown.find(({ upTo }) => device.id <= upTo);
    if (shown !== undefined && number <= shown.asOf) return undefined;
    const wasWatched = isWatched(watcher, device, ownerBefore);
    const version = this.#versionOf(number);
    if (kind === "removed") return wasWatched ? { kind: "removed", device, version } : undefined;
    if (isWatched(watcher, device, device.owner?.id)) return { kind: "changed", device, version };
    return wasWatched ? { kind: "left", device, version } : undefined;
  }

  /** What the watcher knows is void: the list begins anew, from now. */
  #resync(watcher: Watcher): void {
    this.#resyncs += 1;
    watcher.owesResync = true;
    watcher.listing = { after: undefined, shown: [] };
    watcher.shown = [];
    watcher.syncedAt = undefined;
    watcher.cursor = this.#latest;
  }

  #versionOf(number: number): string {
    return `${this.#epoch}-${number}`;
  }

  /** Undefined: of another life of the daemon. */
  #numberOf(version: string): number | undefined {
    const [epoch, number] = version.split("-").map(Number);
    return epoch === this.#epoch && number !== undefined && number <= this.#latest ? number : undefined;
  }

  #endSession(session: string): void {
    for (const watcher of this.#watchers) if (watcher.viewer === session) this.#close(watcher);
  }

  #close(watcher: Watcher): void {
    watcher.isClosed = true;
    this.#watchers.delete(watcher);
    watcher.wake?.();
  }
}

function isListing(watcher: Watcher): boolean {
  return watcher.listing !== undefined || watcher.syncedAt !== undefined;
}

/** @param owner  session that owns the device, at the time in question */
function isWatched({ request, viewer }: Watcher, device: DeviceView, owner: string | undefined): boolean {
  if (request.iommu !== undefined && device.iommu !== request.iommu) return false;
  if (request.group !== undefined && device.group !== request.group) return false;
  return !request.ownedByViewer || (owner !== undefined && owner === viewer);
}
