// Names and secrets that cannot be guessed, from the system's random source. Implements core's Identifiers port.

import { createHash, randomBytes, randomUUID } from "node:crypto";
import type { Identifiers } from "./core/ports.ts";

const TOKEN_BYTES = 32;

export const cryptoIdentifiers: Identifiers = {
  uuid: () => randomUUID(),
  token: () => randomBytes(TOKEN_BYTES).toString("base64url"),
  digest: (token) => createHash("sha256").update(token).digest("base64url"),
};
