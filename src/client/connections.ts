// The connection that calls go over, and a new one in its place where it has fallen silent.
// grpc-js makes no second connection while it takes the first for good: that is until a ping has had no answer for its time.
// A stream with a clock of its own knows sooner, and says so here.

import { type Client, connectivityState } from "@grpc/grpc-js";

export class Connections {
  readonly #make: (isFirst: boolean) => Client;
  /** Replaced, and kept until their pings fail: calls under way may have been carried out, and cannot be made again here. */
  readonly #replaced = new Set<Client>();
  #current: Client;

  constructor(make: (isFirst: boolean) => Client) {
    this.#make = make;
    this.#current = make(true);
  }

  get current(): Client {
    return this.#current;
  }

  /** What is sent over it reaches somebody, as far as anybody knows; false: it is still being made, and silence says nothing. */
  stands(connection: Client): boolean {
    return connection !== this.#current || stateOf(connection) === connectivityState.READY;
  }

  /** Calls from now on go over a new connection, where nobody has seen to that yet. */
  replace(silent: Client): void {
    if (silent !== this.#current) return;
    this.#current = this.#make(false);
    this.#replaced.add(silent);
    silent.getChannel().watchConnectivityState(stateOf(silent), Number.POSITIVE_INFINITY, () => {
      this.#replaced.delete(silent);
      silent.close();
    });
  }

  close(): void {
    for (const each of this.#replaced) each.close();
    this.#current.close();
  }
}

function stateOf(connection: Client): connectivityState {
  return connection.getChannel().getConnectivityState(false);
}
