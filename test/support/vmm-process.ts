// A VMM as a process of its own, to be killed: attaches and binds a device, says so, and then only keeps its lease.
// Usage: vmm-process.ts TARGET MEMORY_FILE LEASE_TTL_MS [GRACE_MS]; a lease of 0 is none: the session hangs on the process.

import { closeSync, ftruncateSync, openSync } from "node:fs";
import { connect, Stage1Mode } from "../../src/client/client.ts";

const [target, memoryFile, leaseTtlMs, graceMs] = process.argv.slice(2);
const RAM_IPA = 0x4000_0000n;
const RAM_BYTES = 0x20_0000;

const file = openSync(memoryFile!, "wx", 0o600);
ftruncateSync(file, RAM_BYTES);
closeSync(file);

const client = connect(target!);
const session = await client.openSession({
  displayName: "doomed VMM",
  leaseTtlMs: Number(leaseTtlMs),
  graceMs: Number(graceMs ?? 0),
});
const space = await session.createAddressSpace();
await session.mapMemory({
  addressSpace: space.name,
  sources: [{ path: memoryFile! }],
  mappings: [{ ipa: RAM_IPA, bytes: BigInt(RAM_BYTES), source: 0, offset: 0n, readable: true, writable: true }],
});
const virtual = await session.createVirtualIommu({ addressSpace: space.name, iommus: ["iommus/smmu0"] });
const device = "devices/0000:01:00.0";
await session.attachDevice({ device, virtualIommu: virtual.name });
await session.bindGuestStage({
  device,
  virtualStreamId: 1,
  fields: { mode: Stage1Mode.STAGE1_MODE_TRANSLATE, s1ContextPtr: RAM_IPA },
});
process.stdout.write(`${session.token}\n`);
setInterval(() => {}, 60_000);
