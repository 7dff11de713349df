// A gRPC client of bytes: what it sends is encoded beforehand and what it gets is left as it came, so that it costs the
// same against every server.

import * as grpc from "@grpc/grpc-js";
import { TOKEN_KEY } from "../src/server/rpc/token.ts";

export class RawClient {
  readonly #client: grpc.Client;
  readonly #metadata = new grpc.Metadata();

  constructor(target: string, token: string | undefined) {
    this.#client = new grpc.Client(target, grpc.credentials.createInsecure(), {
      "grpc.default_authority": "localhost",
    });
    if (token !== undefined) this.#metadata.set(TOKEN_KEY, token);
  }

  async call(path: string, request: Buffer): Promise<Buffer> {
    return await new Promise((resolve, reject) => {
      const same = (bytes: Buffer): Buffer => bytes;
      this.#client.makeUnaryRequest(path, same, same, request, this.#metadata, (error, response) => {
        if (response === undefined) reject(error ?? new Error(`${path} answered nothing`));
        else resolve(response);
      });
    });
  }

  /** Makes `count` calls, `concurrency` at a time. */
  async load(path: string, request: Buffer, count: number, concurrency: number): Promise<void> {
    let left = count;
    const one = async (): Promise<void> => {
      while (left-- > 0) await this.call(path, request);
    };
    await Promise.all(Array.from({ length: concurrency }, one));
  }

  close(): void {
    this.#client.close();
  }
}
