// The bytes on the descriptor socket, both directions; docs/fd-exchange.md is their contract for clients in any language.
// Request: "IOFD", version, operation, kind, length of the label, the label; put with exactly one descriptor (SCM_RIGHTS),
// take with none, and the ticket for a label.
// Answer: "IOFD", version, status, length of the rest (16 bits, little-endian); then of put the ticket as 32 hexadecimal
// digits and the milliseconds that it lasts (32 bits, little-endian), of take a count and as many labels, each with its
// length before it, with the descriptors in that order; or a text that says why not.

const MAGIC = "IOFD";
const VERSION = 1;
const PUT = 1;
const TAKE = 2;
const MEMORY = 1;
const DEVICE = 2;
const HEADER_BYTES = 8;
const LABEL_BYTES_MAX = 64;
const REASON_BYTES_MAX = 1024;
const TICKET_DIGITS = 32;
const TICKET = /^[0-9a-f]{32}$/;
/** What a request may have; one byte more is a mistake. */
export const REQUEST_BYTES_MAX = HEADER_BYTES + LABEL_BYTES_MAX;

const STATUSES = ["ok", "invalid", "denied", "limit", "unsupported", "failed"] as const;
type Status = (typeof STATUSES)[number];
export type Refusal = Exclude<Status, "ok">;

export type Request =
  | { readonly kind: "put"; readonly label: string }
  | { readonly kind: "take"; readonly ticket: string }
  /** More is to come. */
  | { readonly kind: "partial" }
  | { readonly kind: "bad"; readonly status: Refusal; readonly why: string };

export function parseRequest(bytes: Uint8Array): Request {
  const buffer = Buffer.from(bytes);
  const magic = buffer.toString("latin1", 0, MAGIC.length);
  if (!MAGIC.startsWith(magic)) return bad("invalid", `a request begins with "${MAGIC}"`);
  if (buffer.length < HEADER_BYTES) return { kind: "partial" };
  const [version, operation, kind, labelBytes = 0] = buffer.subarray(MAGIC.length);
  if (version !== VERSION) return bad("unsupported", `version ${version} is not spoken here: use ${VERSION}`);
  if (operation !== PUT && operation !== TAKE) {
    return bad(
      "unsupported",
      `operation ${operation} is not known: ${PUT} puts a descriptor, ${TAKE} takes a device's`,
    );
  }
  const wanted = operation === PUT ? MEMORY : DEVICE;
  if (kind !== wanted) {
    return bad("unsupported", `kind ${kind} is not known: put has ${MEMORY} for memory, take ${DEVICE} for a device`);
  }
  if (labelBytes === 0 || labelBytes > LABEL_BYTES_MAX) {
    return bad("invalid", `a label has 1 to ${LABEL_BYTES_MAX} bytes, this one ${labelBytes}`);
  }
  const end = HEADER_BYTES + labelBytes;
  if (buffer.length < end) return { kind: "partial" };
  if (buffer.length > end) return bad("invalid", "more bytes came than the label has: one request for a connection");
  const label = buffer.toString("latin1", HEADER_BYTES, end);
  if (!isLabel(label)) return bad("invalid", "a label is printable ASCII without spaces");
  if (operation === PUT) return { kind: "put", label };
  return TICKET.test(label) ? { kind: "take", ticket: label } : bad("invalid", `a ticket is ${TICKET_DIGITS} digits`);
}

export function isLabel(text: string): boolean {
  return /^[!-~]{1,64}$/.test(text);
}

/** @param label  as isLabel() says */
export function putRequest(label: string): Uint8Array {
  return request(PUT, MEMORY, label);
}

/** @param ticket  as GetDeviceDescriptor or VendDevice answered it */
export function takeRequest(ticket: string): Uint8Array {
  return request(TAKE, DEVICE, ticket);
}

function request(operation: number, kind: number, label: string): Uint8Array {
  const header = Buffer.from([VERSION, operation, kind, label.length]);
  return Buffer.concat([Buffer.from(MAGIC, "latin1"), header, Buffer.from(label, "latin1")]);
}

/** @param labels  of the descriptors that go with it, in their order */
export function descriptorsAnswer(labels: readonly string[]): Uint8Array {
  const named = labels.flatMap((label) => [Buffer.from([label.length]), Buffer.from(label, "latin1")]);
  return answer("ok", Buffer.concat([Buffer.from([labels.length]), ...named]));
}

/** What came of a take. Undefined: it is not all there, or not an answer of this protocol. */
export function parseTaken(bytes: Uint8Array): TakenAnswer | undefined {
  const parsed = parseBody(bytes);
  if (parsed === undefined || parsed.kind === "refused") return parsed;
  const { body } = parsed;
  const labels: string[] = [];
  let at = 1;
  for (let left = body[0] ?? 0; left > 0; left -= 1) {
    const end = at + 1 + (body[at] ?? 0);
    if (end > body.length) return undefined;
    labels.push(body.toString("latin1", at + 1, end));
    at = end;
  }
  return { kind: "taken", labels };
}

export type TakenAnswer =
  | { readonly kind: "taken"; readonly labels: readonly string[] }
  | { readonly kind: "refused"; readonly status: string; readonly why: string };

export function ticketAnswer(ticket: string, expiresMs: number): Uint8Array {
  const body = Buffer.alloc(TICKET_DIGITS + 4);
  body.write(ticket, "latin1");
  body.writeUInt32LE(expiresMs, TICKET_DIGITS);
  return answer("ok", body);
}

export function refusalAnswer(status: Refusal, why: string): Uint8Array {
  return answer(status, Buffer.from(why).subarray(0, REASON_BYTES_MAX));
}

export type Answer =
  | { readonly kind: "ticket"; readonly ticket: string; readonly expiresMs: number }
  | { readonly kind: "refused"; readonly status: string; readonly why: string };

/** Undefined: it is not all there, or not an answer of this protocol. */
export function parseAnswer(bytes: Uint8Array): Answer | undefined {
  const parsed = parseBody(bytes);
  if (parsed === undefined || parsed.kind === "refused") return parsed;
  const { body } = parsed;
  if (body.length < TICKET_DIGITS + 4) return undefined;
  return {
    kind: "ticket",
    ticket: body.toString("latin1", 0, TICKET_DIGITS),
    expiresMs: body.readUInt32LE(TICKET_DIGITS),
  };
}

type Body =
  | { readonly kind: "ok"; readonly body: Buffer }
  | { readonly kind: "refused"; readonly status: string; readonly why: string };

function parseBody(bytes: Uint8Array): Body | undefined {
  const buffer = Buffer.from(bytes);
  if (buffer.length < HEADER_BYTES || buffer.toString("latin1", 0, MAGIC.length) !== MAGIC) return undefined;
  const body = buffer.subarray(HEADER_BYTES, HEADER_BYTES + buffer.readUInt16LE(6));
  if (body.length < buffer.readUInt16LE(6)) return undefined;
  const status = STATUSES[buffer[5] ?? 0] ?? `status ${buffer[5]}`;
  return status === "ok" ? { kind: "ok", body } : { kind: "refused", status, why: body.toString() };
}

function answer(status: Status, body: Uint8Array): Uint8Array {
  const header = Buffer.alloc(HEADER_BYTES);
  header.write(MAGIC, "latin1");
  header[4] = VERSION;
  header[5] = STATUSES.indexOf(status);
  header.writeUInt16LE(body.length, 6);
  return Buffer.concat([header, body]);
}

function bad(status: Refusal, why: string): Request {
  return { kind: "bad", status, why };
}
