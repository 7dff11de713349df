// What the records of before a restart add up to, oldest first: pure, and the same whether they are a journal or a snapshot.

import type {
  DurableAddressSpace,
  DurableAnswer,
  DurableDevice,
  DurableGroup,
  DurableHostDevice,
  DurableMapping,
  DurableRecord,
  DurableSession,
  DurableVirtualIommu,
} from "./durable.ts";
import { endsAbsence } from "./session.ts";

/** What the records add up to. */
export interface DurableState {
  readonly sessions: ReadonlyMap<string, DurableSession>;
  /** By session, by request_id, oldest first. */
  readonly answers: ReadonlyMap<string, ReadonlyMap<string, DurableAnswer>>;
  /** By session: how much of its time to come back is used. */
  readonly absences: ReadonlyMap<string, number>;
  readonly groups: ReadonlyMap<number, DurableGroup>;
  readonly devices: ReadonlyMap<string, DurableDevice>;
  readonly addressSpaces: ReadonlyMap<string, DurableAddressSpace>;
  /** By address space, by first IPA. */
  readonly mappings: ReadonlyMap<string, ReadonlyMap<number, DurableMapping>>;
  readonly virtualIommus: ReadonlyMap<string, DurableVirtualIommu>;
  readonly addedDevices: ReadonlyMap<string, DurableHostDevice>;
  readonly removedDevices: ReadonlySet<string>;
  /** Groups that were removed, oldest first: where their generations go on. */
  readonly goneGroups: ReadonlyMap<number, number>;
  readonly generationFloor: number;
  /** The latest one; 0: none yet. */
  readonly inventoryEpoch: number;
  /** By device, the last number of a fault that may have been told. */
  readonly faultNumbers: ReadonlyMap<string, number>;
  /** Where those of a device begin of which nothing is known. */
  readonly faultNumberFloor: number;
}

/** Adds the records up, oldest first. */
export function foldRecords(records: Iterable<DurableRecord>): DurableState {
  const sessions = new Map<string, DurableSession>();
  const answers = new Map<string, Map<string, DurableAnswer>>();
  const absences = new Map<string, number>();
  const groups = new Map<number, DurableGroup>();
  const devices = new Map<string, DurableDevice>();
  const addressSpaces = new Map<string, DurableAddressSpace>();
  const mappings = new Map<string, Map<number, DurableMapping>>();
  const virtualIommus = new Map<string, DurableVirtualIommu>();
  const addedDevices = new Map<string, DurableHostDevice>();
  const removedDevices = new Set<string>();
  const goneGroups = new Map<number, number>();
  let generationFloor = 0;
  const faultNumbers = new Map<string, number>();
  let faultNumberFloor = 0;
  let inventoryEpoch = 0;
  for (const record of records) {
    switch (record.type) {
      case "session": {
        const { id, tokenDigest } = record.value;
        const before = sessions.get(id);
        if (before?.tokenDigest !== tokenDigest) answers.delete(id); // claimed: they were told to somebody else
        if (endsAbsence(before, record.value)) absences.delete(id);
        sessions.set(id, record.value);
        break;
      }
      case "sessionGone":
        sessions.delete(record.id);
        answers.delete(record.id);
        absences.delete(record.id);
        break;
      case "answer": {
        const { requestID, session } = record.value;
        const kept = answers.get(session) ?? new Map<string, DurableAnswer>();
        kept.delete(requestID);
        if (sessions.has(session)) answers.set(session, kept.set(requestID, record.value));
        break;
      }
      case "sessionAbsence":
        if (sessions.has(record.id)) absences.set(record.id, record.usedMs);
        break;
      case "group":
        groups.set(record.value.id, record.value);
        goneGroups.delete(record.value.id);
        break;
      case "groupGone":
        groups.delete(record.id);
        goneGroups.delete(record.id);
        goneGroups.set(record.id, record.generation);
        break;
      case "generationFloor":
        generationFloor = Math.max(generationFloor, record.value);
        break;
      case "device":
        devices.set(record.value.id, record.value);
        break;
      case "addressSpace":
        addressSpaces.set(record.value.id, record.value);
        break;
      case "addressSpaceGone":
        addressSpaces.delete(record.id);
        mappings.delete(record.id);
        break;
      case "mappings": {
        const table = mappings.get(record.id) ?? new Map<number, DurableMapping>();
        mappings.set(record.id, table);
        for (const ipa of record.removed) table.delete(ipa);
        for (const mapping of record.added) table.set(mapping.ipa, mapping);
        break;
      }
      case "virtualIommu":
        virtualIommus.set(record.value.id, record.value);
        break;
      case "virtualIommuGone":
        virtualIommus.delete(record.id);
        break;
      case "deviceAdded":
        addedDevices.set(record.value.id, record.value);
        break;
      case "deviceRemoved":
        devices.delete(record.id);
        if (!addedDevices.delete(record.id)) removedDevices.add(record.id);
        break;
      case "inventoryEpoch":
        inventoryEpoch = record.value;
        break;
      case "faultNumbers":
        faultNumbers.delete(record.id); // the latest is last
        faultNumbers.set(record.id, record.value);
        break;
      case "faultNumberFloor":
        faultNumberFloor = Math.max(faultNumberFloor, record.value);
        break;
    }
  }
  return {
    sessions,
    answers,
    absences,
    groups,
    devices,
    addressSpaces,
    mappings,
    virtualIommus,
    addedDevices,
    removedDevices,
    goneGroups,
    generationFloor,
    inventoryEpoch,
    faultNumbers,
    faultNumberFloor,
  };
}
