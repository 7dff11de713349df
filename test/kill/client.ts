// A client process of the kill test: works until it is told to verify, or until it is killed.

import { setImmediate as turn } from "node:timers/promises";
import { connect } from "../../src/client/client.ts";
import { KilledGuest } from "./guest.ts";
import type { ClientOrders, FromClient, ToClient } from "./orders.ts";

const LEASE_MS = Number(process.argv[3]);
const orders: ClientOrders = JSON.parse(process.argv[2]!);
const guest = new KilledGuest(connect(orders.target), orders);
let next: ToClient["kind"] = "go";
let wake = (): void => {};

process.on("message", ({ kind }: ToClient) => {
  next = kind;
  wake();
});
process.on("disconnect", () => process.exit(0));

function tell(message: FromClient): void {
  process.send?.(message);
}

await guest.setUp(LEASE_MS);
tell({ kind: "set-up" });
for (;;) {
  if (next === "go") {
    await guest.step();
    await turn();
    continue;
  }
  await guest.verify();
  if (next === "end") await guest.end();
  tell({ kind: "verified", report: guest.report() });
  if (next === "end") break;
  await new Promise<void>((resolve) => {
    wake = resolve;
  });
}
process.disconnect();
