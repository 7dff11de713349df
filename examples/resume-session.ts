// A VMM that its supervisor starts anew after a crash: the session waits for it, with its devices at abort.
// The first start opens a session, takes a device and keeps the token in a file; the next one goes on with it.
// Usage: node examples/resume-session.ts unix:/run/iommu-broker/broker.sock devices/0000:01:00.0 TOKEN_FILE

import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { BrokerCallError, type BrokerSession, connect, type Notice, Stage1Mode } from "../src/client/client.ts";

const GRACE_MS = 60_000;

const [target, device, tokenFile] = process.argv.slice(2);
if (!target || !device || !tokenFile) {
  console.error("usage: node examples/resume-session.ts unix:/path/to/broker.sock devices/ID TOKEN_FILE");
  process.exit(2);
}

const client = connect(target, { retryForMs: 10_000 });
const ended = Promise.withResolvers<void>();
process.once("SIGTERM", () => ended.resolve());
/** What the broker tells of the session while it lives. */
const listeners = {
  onLost: (error: BrokerCallError) => ended.reject(error),
  onNotice: (notice: Notice) => console.log(`notice: ${notice.kind}`),
};

async function begin(): Promise<BrokerSession> {
  const session = await client.openSession({ displayName: "resume-session", graceMs: GRACE_MS, ...listeners });
  writeFileSync(tokenFile!, session.token, { mode: 0o600 }); // a secret: whoever has it is this session
  const { iommu } = await client.getDevice(device!);
  const addressSpace = (await session.createAddressSpace({ requestId: "memory" })).name;
  const virtualIommu = (await session.createVirtualIommu({ addressSpace, iommus: [iommu], requestId: "vsmmu" })).name;
  await session.attachDevice({ device: device!, virtualIommu, initialMode: Stage1Mode.STAGE1_MODE_BYPASS });
  console.log(`attached ${device}`);
  return session;
}

async function goOn(token: string): Promise<BrokerSession | undefined> {
  try {
    const { holdings, session } = await client.resumeSession(token, listeners);
    for (const held of holdings.devices) {
      console.log(`still has ${held.device}${held.rebindRequired ? ", to be bound again" : ""}`);
    }
    return session;
  } catch (error) {
    if (!(error instanceof BrokerCallError) || error.isUnavailable) throw error;
    console.log(`the session is over (${error.reason}): a new one`);
    return undefined;
  }
}

const token = existsSync(tokenFile) ? readFileSync(tokenFile, "utf8") : undefined;
const session = (token === undefined ? undefined : await goOn(token)) ?? (await begin());
await ended.promise;
await session.close();
rmSync(tokenFile, { force: true });
client.close();
console.log("closed");
