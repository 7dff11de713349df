// Where the last transaction went, so that the next one of the same stream and substream need not look for its
// configuration again.

import type { StreamConfig } from "./config-cache.ts";
import type { ContextConfig } from "./context.ts";
import type { Request } from "./verdict.ts";

/** Holds while the configuration cache has this version. */
export class Route {
  version = -1;
  streamID = -1;
  substreamID: number | undefined;
  stream: StreamConfig | undefined;
  context: ContextConfig | undefined;

  set(tx: Request, stream: StreamConfig, context: ContextConfig, version: number): void {
    this.version = version;
    this.streamID = tx.streamID;
    this.substreamID = tx.substreamID;
    this.stream = stream;
    this.context = context;
  }
}
