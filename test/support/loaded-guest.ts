// A guest with two devices whose accesses are known in advance: what each step does to the counters is in EACH_STEP.

import type { BrokerProcess } from "../../examples/support/broker-process.ts";
import { type BrokerClient, type BrokerSession, Stage1Mode } from "../../src/client/client.ts";
import { FILE_BYTES, mapping, RAM_BYTES, RAM_IPA, sparseFile } from "./e2e-world.ts";

/** In bypass: an IPA of guest memory is translated, any other faults in stage 2. */
export const PLAIN = "0000:00:02.0";
/** Nested on a CD of zeroes: every access is a C_BAD_CD. */
export const BROKEN = "0000:01:00.0";
export const EACH_STEP = { ok: 60, wild: 6, broken: 4 } as const;

const READ = { read: true };
const INSIDE = Array.from({ length: EACH_STEP.ok }, (_, page) => ({ ...READ, iova: RAM_IPA + BigInt(page * 4096) }));
const WILD = Array.from({ length: EACH_STEP.wild }, (_, page) => ({
  ...READ,
  iova: RAM_IPA + RAM_BYTES + BigInt(page * 4096),
}));

export async function startLoadedGuest(
  broker: BrokerProcess,
  client: BrokerClient,
  displayName: string,
): Promise<BrokerSession> {
  const session = await client.openSession({ displayName });
  const { name: addressSpace } = await session.createAddressSpace();
  const path = sparseFile(broker, "ram", FILE_BYTES);
  await session.mapMemory({ addressSpace, sources: [{ path }], mappings: [mapping()] });
  const { name: virtualIommu } = await session.createVirtualIommu({ addressSpace, iommus: ["iommus/smmu0"] });
  for (const device of [PLAIN, BROKEN]) await session.attachDevice({ device: `devices/${device}`, virtualIommu });
  const bypass = { mode: Stage1Mode.STAGE1_MODE_BYPASS };
  await session.bindGuestStage({ device: `devices/${PLAIN}`, virtualStreamId: 1, fields: bypass });
  await bindBroken(session);
  return session;
}

export async function bindBroken(session: BrokerSession): Promise<void> {
  const fields = { mode: Stage1Mode.STAGE1_MODE_TRANSLATE, s1ContextPtr: RAM_IPA };
  await session.bindGuestStage({ device: `devices/${BROKEN}`, virtualStreamId: 2, fields });
}

/** The same accesses every time. */
export async function loadStep(session: BrokerSession): Promise<void> {
  await session.simulator.translate(`devices/${PLAIN}`, [...INSIDE, ...WILD]);
  await session.simulator.translate(`devices/${BROKEN}`, INSIDE.slice(0, EACH_STEP.broken));
}
