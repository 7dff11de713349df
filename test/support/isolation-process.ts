// Makes calls as another user and prints how each ended, as JSON. Usage: isolation-process.ts TARGET TOKEN REQUESTS
// TOKEN "own": of a session that this process opens; "none": no token.

import { connect } from "../../src/client/client.ts";
import { RawClient } from "./e2e-refusal.ts";
import { attempt, type RawRequest } from "./isolation-call.ts";

const [target = "", given = "", text = "[]"] = process.argv.slice(2);
const requests: readonly RawRequest[] = JSON.parse(text);
const client = connect(target);
const raw = new RawClient(target);
const session = given === "own" ? await client.openSession({ displayName: "another user" }) : undefined;
const ends: string[] = [];
for (const request of requests)
  ends.push(await attempt(raw, request, given === "none" ? undefined : (session?.token ?? given)));
await session?.close();
process.stdout.write(JSON.stringify(ends));
raw.close();
client.close();
