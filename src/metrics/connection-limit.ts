// Keeps a server's connections to a number. For a new one room is made by the one that has been without a request for
// longest, or by the one that has left its answer lying for longest: whoever opens connections and says nothing, or does not
// read, would otherwise keep out the prober, whose failure ends the daemon.

import type { Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

export function limitConnections(server: Server, maximum: number): void {
  const open = new Set<Socket>();
  /** Without a request, the longest first. */
  const idle = new Set<Socket>();
  /** What was asked and is not taken, the oldest first. */
  const answers = new Map<Socket, ServerResponse>();
  const drop = (socket: Socket): void => {
    open.delete(socket);
    idle.delete(socket);
    answers.delete(socket);
  };
  const untaken = (): Socket | undefined => [...answers].find(([, { writableEnded }]) => writableEnded)?.[0];
  server.on("connection", (socket) => {
    open.add(socket);
    idle.add(socket);
    socket.once("close", () => drop(socket));
    if (open.size <= maximum) return;
    const [silent] = [...idle].filter((each) => each !== socket);
    const longest = silent ?? untaken() ?? socket;
    drop(longest);
    longest.destroy();
  });
  server.on("request", ({ socket }, response) => {
    idle.delete(socket);
    if (!answers.has(socket)) answers.set(socket, response);
    response.once("close", () => {
      answers.delete(socket);
      if (open.has(socket)) idle.add(socket);
    });
  });
}
