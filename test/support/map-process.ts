// A VMM as a process of its own, to be run under another uid: maps each file, and says how that ended.
// Usage: map-process.ts TARGET FILE...

import { BrokerCallError, connect } from "../../src/client/client.ts";

const [target, ...files] = process.argv.slice(2);
const client = connect(target!);
const session = await client.openSession({ displayName: "VMM of another user", keepAlive: false });
const outcomes: (readonly string[])[] = [];
for (const [index, path] of files.entries()) {
  const space = await session.createAddressSpace();
  const mapping = { ipa: BigInt(index) * 4096n, bytes: 4096n, source: 0, offset: 0n, readable: true, writable: true };
  try {
    await session.mapMemory({ addressSpace: space.name, sources: [{ path }], mappings: [mapping] });
    outcomes.push(["mapped"]);
  } catch (error) {
    if (!(error instanceof BrokerCallError)) throw error;
    outcomes.push([error.codeName, error.reason, error.metadata.file_uid ?? "", error.metadata.caller_uid ?? ""]);
  }
}
await session.close();
client.close();
process.stdout.write(`${JSON.stringify(outcomes)}\n`);
