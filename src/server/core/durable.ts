// What outlives the daemon, record by record: plain values that JSON can hold, 64-bit ones as hexadecimal text.
// Each record says how one thing is now, so that the last one of each counts; mappings alone are told as differences,
// because a table may be long. A Recorder turns the registry's and the sessions' changes into records.

import type { GuestMapping } from "../../backends/guest-memory.ts";
import type { HostDevice, IdRegisters } from "../../backends/inventory.ts";
import type { PageTable } from "../../backends/page-table.ts";
import { checkVSTE, type VSTE } from "../../backends/vste.ts";
import { hex } from "../../spec/u64.ts";
import type { Answers } from "./answers.ts";
import type { Caller } from "./caller.ts";
import type { DeviceRecord } from "./device.ts";
import type { FaultNumbers } from "./fault-numbers.ts";
import type { GroupRecord } from "./group.ts";
import type { InventoryWatch } from "./inventory-watch.ts";
import type { Journal, WatchedProcess } from "./ports.ts";
import type { AddressSpaceRecord, Registry, VirtualIommuRecord } from "./registry.ts";
import type { AbortedGroup, Liveness, LossReason, SessionRecord } from "./session.ts";
import type { Sessions } from "./sessions.ts";
import type { StageState } from "./stage-state.ts";
import type { TokenIssue } from "./token-issue.ts";
import type { Pinning } from "./views.ts";

export interface DurableSession {
  readonly id: string;
  readonly displayName: string;
  readonly caller: Caller;
  readonly tokenDigest: string;
  readonly liveness: Liveness;
  readonly ttlMs: number;
  /** What it hangs on; null with a lease. */
  readonly process: WatchedProcess | null;
  readonly graceMs: number;
  readonly transferableTo: readonly string[];
  readonly openedMs: number;
  /** A session that is restored once more is as live as it was. */
  readonly state: "live" | "lost";
  readonly lossReason: LossReason | null;
  readonly aborted: readonly AbortedGroup[];
  /** Present: its token was given to a call with a request_id. */
  readonly issue?: TokenIssue | undefined;
}

/** The answer to a call of a session that had a request_id. */
export interface DurableAnswer {
  readonly session: string;
  readonly requestID: string;
  readonly digest: string;
  /** Base64; null: too long. */
  readonly answer: string | null;
}

export interface DurableGroup {
  readonly id: number;
  readonly state: StageState;
  readonly generation: number;
  readonly owner: string | null;
  readonly virtualIommu: string | null;
  /** Doublewords 0 and 1. */
  readonly vste: readonly [string, string] | null;
  /** Present: a guest's bare page table is in force. */
  readonly pageTable?: DurablePageTable | undefined;
  /** Absent, as in records of before there was such a thing: no. */
  readonly handedOut?: boolean | undefined;
}

/** As PageTable, its root in hexadecimal. */
export interface DurablePageTable {
  readonly root: string;
  readonly addressBits: number;
  readonly sre: boolean;
  readonly eafe: boolean;
  readonly wpe: boolean;
}

export interface DurableDevice {
  readonly id: string;
  readonly attached: boolean;
  readonly virtualStreamID: number | null;
}

export interface DurableMapping {
  readonly ipa: number;
  readonly bytes: number;
  readonly path: string;
  readonly offset: number;
  readonly readable: boolean;
  readonly writable: boolean;
  /** Present: no path leads to it; its owner passed it as a descriptor and must do so again. */
  readonly passed?: { readonly label: string; readonly bytes: number } | undefined;
}

export interface DurableAddressSpace {
  readonly id: string;
  readonly session: string;
  readonly pinning: Pinning;
  readonly populated: boolean;
}

export interface DurableVirtualIommu {
  readonly id: string;
  readonly session: string;
  readonly addressSpace: string;
  readonly registers: IdRegisters;
  readonly declared: readonly string[];
  /** Host IOMMUs with a part. */
  readonly parts: readonly string[];
}

export interface DurableHostDevice {
  readonly id: string;
  readonly iommu: string;
  readonly group: number;
  readonly streamIDs: readonly number[];
  readonly pasidBits: number;
  readonly ats: boolean;
  /** Absent, as in records of before there were such devices: no. */
  readonly pri?: boolean | undefined;
  readonly stall?: boolean | undefined;
}

export type DurableRecord =
  | { readonly type: "session"; readonly value: DurableSession }
  | { readonly type: "sessionGone"; readonly id: string }
  | { readonly type: "answer"; readonly value: DurableAnswer }
  /** How much of the time to come back a session has used in the lives of the daemon since its owner was last there. */
  | { readonly type: "sessionAbsence"; readonly id: string; readonly usedMs: number }
  | { readonly type: "group"; readonly value: DurableGroup }
  /** A group whose last device was removed: should it come again, its generation begins here. */
  | { readonly type: "groupGone"; readonly id: number; readonly generation: number }
  /** Where the generation of a group begins of which nothing is known. */
  | { readonly type: "generationFloor"; readonly value: number }
  | { readonly type: "device"; readonly value: DurableDevice }
  | { readonly type: "addressSpace"; readonly value: DurableAddressSpace }
  | { readonly type: "addressSpaceGone"; readonly id: string }
  | {
      readonly type: "mappings";
      readonly id: string;
      /** First IPAs of what is no longer mapped. */
      readonly removed: readonly number[];
      readonly added: readonly DurableMapping[];
    }
  | { readonly type: "virtualIommu"; readonly value: DurableVirtualIommu }
  | { readonly type: "virtualIommuGone"; readonly id: string }
  /** A device that the Simulator service added. */
  | { readonly type: "deviceAdded"; readonly value: DurableHostDevice }
  /** A device that the Simulator service removed. */
  | { readonly type: "deviceRemoved"; readonly id: string }
  /** Tells versions of the inventory from those of earlier lives of the daemon. */
  | { readonly type: "inventoryEpoch"; readonly value: number }
  /** Numbers of the device's faults up to this one may have been told. */
  | { readonly type: "faultNumbers"; readonly id: string; readonly value: number }
  /** Where the numbers of a device's faults begin of which nothing is known. */
  | { readonly type: "faultNumberFloor"; readonly value: number };

/** Everything at one moment, as the records that would lead to it. */
export type DurableImage = readonly DurableRecord[];

export function vsteOf(words: readonly [string, string] | null): VSTE | undefined {
  return words === null ? undefined : checkVSTE(BigInt(words[0]), BigInt(words[1]));
}

export function pageTableOf({ root, ...table }: DurablePageTable): PageTable {
  return { ...table, root: BigInt(root) };
}

/** Follows the registry and the sessions, and tells the journal. Off until recovery is over. */
export class Recorder {
  readonly #registry: Registry;
  readonly #sessions: Sessions;
  readonly #watch: InventoryWatch;
  readonly #answers: Answers;
  readonly #numbers: FaultNumbers;
  readonly #journal: Journal;
  #isOn = false;

  constructor(deps: {
    registry: Registry;
    sessions: Sessions;
    watch: InventoryWatch;
    answers: Answers;
    numbers: FaultNumbers;
    journal: Journal;
  }) {
    this.#registry = deps.registry;
    this.#sessions = deps.sessions;
    this.#watch = deps.watch;
    this.#answers = deps.answers;
    this.#numbers = deps.numbers;
    this.#journal = deps.journal;
    deps.registry.onChange((records) => this.#note(records));
    deps.sessions.onChange((records) => this.#note(records));
    deps.watch.onChange((records) => this.#note(records));
    deps.answers.onChange((records) => this.#note(records));
    deps.numbers.onChange((records) => this.#note(records));
  }

  /** @param corrections  what recovery changed */
  start(corrections: readonly DurableRecord[]): void {
    this.#isOn = true;
    this.#note(corrections);
  }

  image(): DurableImage {
    return [
      ...this.#sessions.durable(),
      ...this.#answers.durable(), // after the sessions that they belong to
      ...this.#registry.durable(),
      ...this.#watch.durable(),
      ...this.#numbers.durable(),
    ];
  }

  #note(records: readonly DurableRecord[]): void {
    if (this.#isOn) for (const record of records) this.#journal.note(record);
  }
}

export function sessionRecord({ deadlineMs: _, ...session }: SessionRecord): DurableRecord {
  return {
    type: "session",
    value: {
      ...session,
      process: session.process ?? null,
      state: session.state === "lost" ? "lost" : "live",
      lossReason: session.lossReason ?? null,
    },
  };
}

export function groupRecord(group: GroupRecord): DurableRecord {
  const { id, state, generation, owner, virtualIommu, vste, pageTable, handedOut } = group;
  return {
    type: "group",
    value: {
      id,
      state,
      generation,
      owner: owner ?? null,
      virtualIommu: virtualIommu ?? null,
      vste: vste === undefined ? null : [hex(vste.dword0), hex(vste.dword1)],
      ...(pageTable && { pageTable: { ...pageTable, root: hex(pageTable.root) } }),
      ...(handedOut ? { handedOut } : {}),
    },
  };
}

export function deviceRecord({ host, attached, virtualStreamID }: DeviceRecord): DurableRecord {
  return { type: "device", value: { id: host.id, attached, virtualStreamID: virtualStreamID ?? null } };
}

/** Differs from a device as it is found. */
export function isNoteworthy(device: DeviceRecord): boolean {
  return device.attached || device.virtualStreamID !== undefined;
}

export function addressSpaceRecords(
  before: AddressSpaceRecord | undefined,
  { id, session, pinning, populated, table }: AddressSpaceRecord,
): DurableRecord[] {
  const records: DurableRecord[] = [];
  if (before === undefined || before.populated !== populated) {
    records.push({ type: "addressSpace", value: { id, session, pinning, populated } });
  }
  const known = new Set(before?.table);
  const added = table.filter((mapping) => !known.delete(mapping)).map(durableMapping);
  const removed = [...known].map(({ ipa }) => ipa);
  if (added.length > 0 || removed.length > 0) records.push({ type: "mappings", id, removed, added });
  return records;
}

export function virtualIommuRecord(virtual: VirtualIommuRecord): DurableRecord {
  const { id, session, addressSpace, registers, declared, parts } = virtual;
  return {
    type: "virtualIommu",
    value: { id, session, addressSpace, registers, declared, parts: [...parts.keys()] },
  };
}

export function hostDeviceRecord(device: HostDevice): DurableRecord {
  const { id, iommu, group, streamIDs, pasidBits, ats, pri, stall } = device;
  return { type: "deviceAdded", value: { id, iommu, group, streamIDs, pasidBits, ats, pri, stall } };
}

function durableMapping({ ipa, bytes, file, offset, readable, writable }: GuestMapping): DurableMapping {
  const mapping = { ipa, bytes, path: file.path, offset, readable, writable };
  return file.label === undefined ? mapping : { ...mapping, passed: { label: file.label, bytes: file.bytes } };
}
