// A TCP proxy whose connections can fall silent: they stay open, and nothing is passed on either way. New ones work, unless
// some are to be silent too.

import { once } from "node:events";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { onTestFinished } from "vitest";

export class SilentProxy {
  /** Connections that were ever made. */
  connections = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #silentToCome = 0;

  private constructor(port: number) {
    this.#server = createServer((near) => {
      this.connections += 1;
      const far = createConnection(port, "127.0.0.1");
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(one);
        one.on("error", () => undefined); // its end is what counts
        one.on("close", () => other.destroy());
        if (this.#silentToCome === 0) one.pipe(other);
      }
      this.#silentToCome = Math.max(0, this.#silentToCome - 1);
    });
  }

  /** @param address  "127.0.0.1:9400" */
  static async before(address: string): Promise<SilentProxy> {
    const proxy = new SilentProxy(Number(address.split(":").at(-1)));
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    onTestFinished(() => proxy.#close());
    return proxy;
  }

  /** What the client connects to. */
  get target(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the proxy does not listen");
    return `127.0.0.1:${address.port}`;
  }

  /** On the connections that there are. */
  silence(): void {
    for (const socket of this.#sockets) {
      socket.unpipe();
      socket.pause();
    }
  }

  /** The next so many connections pass on nothing from the start. */
  silenceNew(count: number): void {
    this.#silentToCome = count;
  }

  #close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
