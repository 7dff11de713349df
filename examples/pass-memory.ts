// A client that hands over guest memory by descriptor: no memory root, no path the broker could open.
// A VMM has a memfd, sealed against shrinking; Node has no call for one, so this is a file of tmpfs that has lost its name.
// Usage: node examples/pass-memory.ts unix:/run/iommu-broker/broker.sock

import { closeSync, ftruncateSync, openSync, unlinkSync } from "node:fs";
import { connect } from "../src/client/client.ts";

const RAM_BYTES = 2 ** 21;

const [target] = process.argv.slice(2);
if (!target) {
  console.error("usage: node examples/pass-memory.ts unix:/path/to/broker.sock");
  process.exit(2);
}

const path = `/dev/shm/guest-ram-${process.pid}`;
const fd = openSync(path, "wx+", 0o600);
unlinkSync(path);
ftruncateSync(fd, RAM_BYTES);

const client = connect(target);
const session = await client.openSession({ displayName: "pass-memory" });
const space = await session.createAddressSpace();
const { ticket, expiresMs } = await client.putMemory({ fd, label: "guest-ram" });
console.log(`put, and given a ticket for ${expiresMs} ms`);
const mapping = { ipa: 0x4000_0000n, bytes: BigInt(RAM_BYTES), source: 0, offset: 0n, readable: true, writable: true };
const { mappedBytes } = await session.mapMemory({
  addressSpace: space.name,
  sources: [{ ticket }],
  mappings: [mapping],
});
console.log(`mapped ${mappedBytes} bytes at IPA 0x4000_0000`);
await session.close();
client.close();
closeSync(fd);
