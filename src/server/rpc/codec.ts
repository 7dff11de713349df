// Messages to bytes and back: the one door to the generated code, for the server and for src/client.
// The generated decoders take malformed UTF-8 as it comes; the reader here refuses it, so that every string in the
// broker is text. Decoding throws MalformedMessage and nothing else.

import protobuf from "protobufjs/minimal.js";

export { google, iommubroker } from "./generated/messages.js";

/** Bytes that are not the message they should be: cut short, nested too deep, or with a string that is not UTF-8. */
export class MalformedMessage extends Error {
  override readonly name = "MalformedMessage";
}

/** One message type. `M` is what decoding gives (every field there), `I` what encoding takes (every field optional). */
export interface Codec<M, I> {
  encode(message: I): Buffer;
  /** @throws MalformedMessage */
  decode(bytes: Uint8Array): M;
}

interface GeneratedMessage<M, I> {
  encode(message: I): protobuf.Writer;
  decode(reader: protobuf.Reader): M;
}

export function codec<M, I>(generated: GeneratedMessage<M, I>): Codec<M, I> {
  return {
    encode: (message) => Buffer.from(generated.encode(message).finish()),
    decode(bytes) {
      try {
        return generated.decode(new StrictReader(bytes));
      } catch (error) {
        throw new MalformedMessage(error instanceof Error ? error.message : String(error), { cause: error });
      }
    },
  };
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

class StrictReader extends protobuf.Reader {
  override string(): string {
    return UTF8.decode(this.bytes());
  }
}
