// A client as a process of its own, to be run under another uid: makes each call, and says how that ended.
// Usage: call-process.ts TARGET RPC...

import { Channel } from "../../src/client/channel.ts";
import { BrokerCallError } from "../../src/client/client.ts";
import { ADMIN, BROKER } from "../../src/server/rpc/services.ts";

const [target, ...names] = process.argv.slice(2);
const channel = new Channel(target!, {});
const CALLS: Readonly<Record<string, () => Promise<unknown>>> = {
  ListDevices: () => channel.unary(BROKER.listDevices, {}, undefined),
  OpenSession: () => channel.unary(BROKER.openSession, { displayName: "another user's" }, undefined),
  Drain: () => channel.unary(ADMIN.drain, { reason: "because" }, undefined),
  GetLogLevel: () => channel.unary(ADMIN.getLogLevel, {}, undefined),
};
const outcomes: string[] = [];
for (const name of names) {
  try {
    await CALLS[name]!();
    outcomes.push("OK");
  } catch (error) {
    if (!(error instanceof BrokerCallError)) throw error;
    outcomes.push([error.codeName, error.metadata.rule].filter((word) => word !== undefined).join(" "));
  }
}
channel.close();
process.stdout.write(`${JSON.stringify(outcomes)}\n`);
