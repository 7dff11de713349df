// A relay between a client and a daemon's socket that a test can cut, and mend again.

import { rmSync } from "node:fs";
import { createConnection, createServer, type Server, type Socket } from "node:net";

export class CutConnection {
  /** What the client connects to. */
  readonly target: string;
  readonly #path: string;
  readonly #daemon: string;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;

  /** @param daemon  "unix:…" @param path  of the relay's own socket */
  constructor(daemon: string, path: string) {
    this.target = `unix:${path}`;
    this.#path = path;
    this.#daemon = daemon.replace(/^unix:/, "");
  }

  async mend(): Promise<void> {
    const server = createServer((near) => {
      const far = createConnection(this.#daemon);
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(one);
        one.on("error", () => undefined); // its end is what counts
        one.on("close", () => other.destroy());
        one.pipe(other);
      }
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.#path, resolve));
  }

  cut(): void {
    this.#server?.close();
    rmSync(this.#path, { force: true });
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }
}
