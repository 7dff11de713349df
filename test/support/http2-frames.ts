// HTTP/2 frames by hand, for clients that no library would be: thousands of requests at once, answers that nobody reads.
// Source: RFC 9113 §3.4, §4.1, §6.1, §6.2, §6.5; RFC 7541 §6.2.2 (literal header field without indexing).

const DATA = 0x0;
const HEADERS = 0x1;
const SETTINGS = 0x4;
const END_STREAM = 0x1;
const END_HEADERS = 0x4;

export function preface(): Buffer {
  return Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(SETTINGS, 0, 0, Buffer.alloc(0))]);
}

/** A whole gRPC request with an empty message. @param index  from 0; a connection's requests in order */
export function emptyRequest(path: string, index: number): Buffer {
  const stream = 2 * index + 1;
  const fields = [
    [":method", "POST"],
    [":scheme", "http"],
    [":path", path],
    [":authority", "localhost"],
    ["content-type", "application/grpc"],
    ["te", "trailers"],
  ] as const;
  const block = Buffer.concat(fields.map(([name, value]) => Buffer.concat([Buffer.of(0), text(name), text(value)])));
  return Buffer.concat([
    frame(HEADERS, END_HEADERS, stream, block),
    frame(DATA, END_STREAM, stream, Buffer.alloc(5)), // gRPC's prefix: not compressed, no bytes
  ]);
}

/** Shorter than 127 bytes: the length is one byte. */
function text(value: string): Buffer {
  return Buffer.concat([Buffer.of(value.length), Buffer.from(value)]);
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}
