// Names and secrets that cannot be guessed, from the system's random source. Implements core's Identifiers port.

import { hash, randomBytes, randomUUID } from "node:crypto";
import type { Identifiers } from "./core/ports.ts";

const TOKEN_BYTES = 32;

const TICKET_BYTES = 16;

/** 32 hexadecimal digits. */
export function randomTicket(): string {
  return randomBytes(TICKET_BYTES).toString("hex");
}

export const cryptoIdentifiers: Identifiers = {
  uuid: () => randomUUID(),
  token: () => randomBytes(TOKEN_BYTES).toString("base64url"),
  digest: (token) => hash("sha256", token, "base64url"),
};
