// Durable records as they come back from the disk: checked field by field, since a checksum says only that the bytes are
// the ones that some version wrote. What is written is what core hands over; what is read must be exactly that.

import { z } from "zod";
import { BrokerError } from "../../backends/errors.ts";
import type { DurableRecord } from "../core/durable.ts";
import { LOSS_REASONS } from "../core/session.ts";
import { STAGE_STATES } from "../core/stage-state.ts";

const id = z.string().min(1).max(128);
const count = z.int().min(0);
const word = z.string().regex(/^0x[0-9a-f]{1,16}$/);
const register = z.int().min(0).max(0xffff_ffff);

/** Characters; bytes are counted where procfs is read. */
const PATH_MAX = 4096;

const caller = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("process"),
    uid: count,
    gid: count,
    pid: count,
    connection: z.string(),
    executable: z.string().max(PATH_MAX).exactOptional(),
    cgroup: z.string().max(PATH_MAX).exactOptional(),
    startTime: count.exactOptional(),
  }),
  z.strictObject({ kind: z.literal("certificate"), name: z.string().min(1).max(2048), connection: z.string() }),
  z.strictObject({ kind: z.literal("unknown"), connection: z.string() }),
]);

/** Characters; bytes are counted where a call is decoded. */
const requestID = z.string().min(1).max(256);
const digest = z.string().min(1).max(64);

const issue = z.strictObject({ scope: z.string().max(PATH_MAX), requestID, digest, isUsed: z.boolean() });

const session = z.strictObject({
  id,
  displayName: z.string(),
  caller,
  tokenDigest: z.string(),
  liveness: z.enum(["peer-process", "ttl"]),
  ttlMs: count,
  process: z.strictObject({ pid: count, birth: z.string() }).nullable(),
  graceMs: count,
  transferableTo: z.array(z.string()),
  openedMs: z.number().min(0),
  state: z.enum(["live", "lost"]),
  lossReason: z.enum(LOSS_REASONS).nullable(),
  aborted: z.array(z.strictObject({ group: count, generation: count })),
  issue: issue.optional(),
});

const answer = z.strictObject({ session: id, requestID, digest, answer: z.base64().nullable() });

const group = z.strictObject({
  id: count,
  state: z.enum(STAGE_STATES),
  generation: count,
  owner: id.nullable(),
  virtualIommu: id.nullable(),
  vste: z.tuple([word, word]).nullable(),
  pageTable: z
    .strictObject({ root: word, addressBits: count, sre: z.boolean(), eafe: z.boolean(), wpe: z.boolean() })
    .optional(),
  handedOut: z.boolean().optional(),
});

const device = z.strictObject({ id, attached: z.boolean(), virtualStreamID: count.nullable() });

const addressSpace = z.strictObject({
  id,
  session: id,
  pinning: z.enum(["eager", "on-first-bind"]),
  populated: z.boolean(),
});

const mapping = z.strictObject({
  ipa: count,
  bytes: count,
  path: z.string(),
  offset: count,
  readable: z.boolean(),
  writable: z.boolean(),
  passed: z.strictObject({ label: id, bytes: count }).optional(),
});

const registers = z.strictObject({
  idr0: register,
  idr1: register,
  idr2: register,
  idr3: register,
  idr4: register,
  idr5: register,
  idr6: register,
  iidr: register,
  aidr: register,
});

const virtualIommu = z.strictObject({
  id,
  session: id,
  addressSpace: id,
  registers,
  declared: z.array(id),
  parts: z.array(id),
});

const hostDevice = z.strictObject({
  id,
  iommu: id,
  group: count,
  streamIDs: z.array(count),
  pasidBits: count,
  ats: z.boolean(),
  pri: z.boolean().optional(),
  stall: z.boolean().optional(),
});

const RECORD: z.ZodType<DurableRecord> = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("session"), value: session }),
  z.strictObject({ type: z.literal("sessionGone"), id }),
  z.strictObject({ type: z.literal("answer"), value: answer }),
  z.strictObject({ type: z.literal("sessionAbsence"), id, usedMs: z.number().min(0) }),
  z.strictObject({ type: z.literal("group"), value: group }),
  z.strictObject({ type: z.literal("groupGone"), id: count, generation: count }),
  z.strictObject({ type: z.literal("generationFloor"), value: count }),
  z.strictObject({ type: z.literal("device"), value: device }),
  z.strictObject({ type: z.literal("addressSpace"), value: addressSpace }),
  z.strictObject({ type: z.literal("addressSpaceGone"), id }),
  z.strictObject({ type: z.literal("mappings"), id, removed: z.array(count), added: z.array(mapping) }),
  z.strictObject({ type: z.literal("virtualIommu"), value: virtualIommu }),
  z.strictObject({ type: z.literal("virtualIommuGone"), id }),
  z.strictObject({ type: z.literal("deviceAdded"), value: hostDevice }),
  z.strictObject({ type: z.literal("inventoryEpoch"), value: count }),
  z.strictObject({ type: z.literal("deviceRemoved"), id }),
  z.strictObject({ type: z.literal("faultNumbers"), id, value: count }),
  z.strictObject({ type: z.literal("faultNumberFloor"), value: count }),
]);

/** A stage change's intent or outcome: history for whoever reads the file; nothing is rebuilt from it. */
const HISTORY = z.object({ kind: z.enum(["intent", "outcome"]) });

/**
 * The records of one frame or image. `directory` is for the error.
 * @throws BrokerError backend_failed when one is not what this version writes
 */
export function recordsOf(payload: unknown, directory: string): DurableRecord[] {
  const list = z.array(z.unknown()).safeParse(payload);
  if (!list.success) throw unreadable("a frame is no list of records", directory);
  const records: DurableRecord[] = [];
  for (const each of list.data) {
    if (HISTORY.safeParse(each).success) continue;
    const parsed = RECORD.safeParse(each);
    if (!parsed.success) throw unreadable(firstProblem(parsed.error), directory);
    records.push(parsed.data);
  }
  return records;
}

function firstProblem({ issues: [issue] }: z.ZodError): string {
  return issue === undefined
    ? "a record is not known"
    : `in a record, ${issue.path.join(".") || "all of it"}: ${issue.message}`;
}

function unreadable(why: string, directory: string): BrokerError {
  return new BrokerError(
    "backend_failed",
    `${directory} was written by another version: start that one, or move the directory away to begin without sessions (${why})`,
    { directory },
  );
}
