// Resource names on the wire ("devices/0000:01:00.0") to the ids that core knows, and back. Strict: nothing is trimmed,
// folded or guessed, so that two spellings never name one thing.

import { invalidField } from "../../backends/errors.ts";
import { type DeviceID, deviceID, type IommuID, iommuID } from "../../backends/ids.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const SHOWN_CHARACTERS_MAX = 80;

export function deviceName(id: DeviceID): string {
  return `devices/${id}`;
}

export function iommuName(id: IommuID): string {
  return `iommus/${id}`;
}

export function sessionName(id: string): string {
  return `sessions/${id}`;
}

export function addressSpaceName(id: string): string {
  return `addressSpaces/${id}`;
}

export function virtualIommuName(id: string): string {
  return `virtualIommus/${id}`;
}

/** "devices/{id}". */
export function parseDevice(name: string, path: string): DeviceID {
  return parseChecked(name, path, "devices/", deviceID);
}

/** "iommus/{id}". */
export function parseIommu(name: string, path: string): IommuID {
  return parseChecked(name, path, "iommus/", iommuID);
}

/** "addressSpaces/{uuid}". */
export function parseAddressSpace(name: string, path: string): string {
  return parseUUID(name, path, "addressSpaces/");
}

/** "sessions/{uuid}". */
export function parseSession(name: string, path: string): string {
  return parseUUID(name, path, "sessions/");
}

/** "virtualIommus/{uuid}". */
export function parseVirtualIommu(name: string, path: string): string {
  return parseUUID(name, path, "virtualIommus/");
}

function parseChecked<T>(name: string, path: string, prefix: string, checked: (id: string) => T): T {
  if (!name.startsWith(prefix)) throw notAName(name, path, `${prefix}{id}`);
  try {
    return checked(name.slice(prefix.length));
  } catch {
    throw notAName(name, path, `${prefix}{id}, the id 1 to 63 of A-Z a-z 0-9 . _ : - after a letter or digit`);
  }
}

function parseUUID(name: string, path: string, prefix: string): string {
  const id = name.slice(prefix.length);
  if (!name.startsWith(prefix) || !UUID.test(id)) throw notAName(name, path, `${prefix}{uuid}`);
  return id;
}

function notAName(name: string, path: string, expected: string): Error {
  const shown = name === "" ? "empty" : JSON.stringify(name.slice(0, SHOWN_CHARACTERS_MAX));
  return invalidField(path, `must be ${expected}; it is ${shown}`);
}
