// Keeps a server's connections to a number. For a new one room is made by the one that has been without a request for
// longest: whoever opens connections and says nothing would otherwise keep out the prober, whose failure ends the daemon.

import type { Server } from "node:http";
import type { Socket } from "node:net";

export function limitConnections(server: Server, maximum: number): void {
  const open = new Set<Socket>();
  /** Without a request, the longest first. */
  const idle = new Set<Socket>();
  const drop = (socket: Socket): void => {
    open.delete(socket);
    idle.delete(socket);
  };
  server.on("connection", (socket) => {
    open.add(socket);
    idle.add(socket);
    socket.once("close", () => drop(socket));
    if (open.size <= maximum) return;
    const [longest = socket] = idle;
    drop(longest);
    longest.destroy();
  });
  server.on("request", ({ socket }, response) => {
    idle.delete(socket);
    response.once("close", () => {
      if (open.has(socket)) idle.add(socket);
    });
  });
}
