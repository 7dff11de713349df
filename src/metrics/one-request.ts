// One request at a time on a connection: who sends the next one before he has his answer is cut off.
// Node would hand out all that it has read, thousands in a piece, and keep an answer for each until the ones before it are
// taken. Nobody who scrapes or probes pipelines; and a client that does has to reckon with it (RFC 9112 §9.3.2).

import type { RequestListener } from "node:http";
import type { Socket } from "node:net";

export function oneRequestAtATime(listener: RequestListener): RequestListener {
  const waiting = new WeakSet<Socket>();
  return (request, response) => {
    const { socket } = request;
    if (socket.destroyed) return; // the rest of a piece whose sender is cut off
    if (waiting.has(socket)) return void socket.destroy();
    waiting.add(socket);
    response.once("close", () => waiting.delete(socket));
    listener(request, response);
  };
}
