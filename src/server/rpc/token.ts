// The session token in a call's metadata: exactly one, of sane length. Whether it is a good one is core's to say.

import type { Metadata } from "@grpc/grpc-js";
import { BrokerError } from "../../backends/errors.ts";

/** Metadata key of the session token. */
export const TOKEN_KEY = "iommubroker-session-token";
const TOKEN_CHARACTERS_MAX = 256;
/** HTTP/2 joins a header sent twice with a comma, so a comma is how a second token shows. */
const TOKEN = /^[^\s,]+$/;

/**
 * Undefined: the caller sent none.
 * @throws BrokerError unauthenticated with the remedy; never repeats what was sent
 */
export function optionalToken(metadata: Metadata): string | undefined {
  const values = metadata.get(TOKEN_KEY);
  const [value] = values;
  if (value === undefined) return undefined;
  const token = value.toString();
  if (values.length > 1 || token.includes(",")) throw refused(`more than one session token in ${TOKEN_KEY}: send one`);
  if (token.length > TOKEN_CHARACTERS_MAX || !TOKEN.test(token)) {
    throw refused(`what ${TOKEN_KEY} carries is no session token: send the one of OpenSession`);
  }
  return token;
}

/** @throws BrokerError unauthenticated as above, and when there is none */
export function sessionToken(metadata: Metadata): string {
  const token = optionalToken(metadata);
  if (token !== undefined) return token;
  throw refused(`no session token: send the one of OpenSession in the metadata ${TOKEN_KEY}`);
}

function refused(message: string): BrokerError {
  return new BrokerError("unauthenticated", message, { metadata_key: TOKEN_KEY });
}
