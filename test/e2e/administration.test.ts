// What is decided over clients' heads, by the daemon as its users run it: a device taken for a session of higher priority, a
// session handed on, a device put into quarantine and out of it. Each told to whom it concerns, and in the audit log.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { Channel } from "../../src/client/channel.ts";
import { type BrokerClient, type BrokerSession, connect, type Notice, StageState } from "../../src/client/client.ts";
import { cryptoIdentifiers } from "../../src/server/identifiers.ts";
import { ADMIN } from "../../src/server/rpc/services.ts";
import { DaemonDirectory } from "../support/e2e-daemon.ts";
import { refusal } from "../support/rpc-server.ts";

const SMMU = { id: "smmu0", registers: { idr0: 0x0d4c_101b, idr1: 0x0273_0510, idr3: 0x1414, idr5: 0x75, aidr: 0x1 } };
const NVME = "devices/nvme";
const STUCK = "devices/stuck";
const ABSENT = "devices/absent";
const SIMULATED = {
  iommus: [SMMU],
  devices: [
    { id: "nvme", iommu: "smmu0", group: 1, stream_ids: [0x8] },
    { id: "stuck", iommu: "smmu0", group: 2, stream_ids: [0x10], reset: "fails" },
    { id: "absent", iommu: "smmu0", group: 3, stream_ids: [0x18], reset: "absent" },
  ],
};
const GRACE_MS = 400;
/** On TCP, so that they are two identities, whoever runs the tests. */
const URGENT = { name: "urgent", who: { tcp_unauthenticated: true }, verbs: ["all"], priority: 5, may_preempt: true };

async function daemon() {
  const directory = new DaemonDirectory({
    simulated: SIMULATED,
    limits: { preempt_grace_ms: GRACE_MS },
    policy: { rules: [URGENT] },
  });
  const audit = join(directory.path, "audit.log");
  directory.configure({
    audit: { destination: audit },
    listen: { socket: directory.socket, tcp: "127.0.0.1:0", tcp_insecure: true },
  });
  const { log } = await directory.start();
  const [tcp = ""] = log.flatMap((line) => /"address":"(127[^"]+)"/.exec(line)?.[1] ?? []);
  const [client, urgent] = [connect(directory.target), connect(tcp)];
  const admin = new Channel(`unix:${directory.adminSocket}`, {});
  onTestFinished(() => {
    for (const each of [client, urgent, admin]) each.close();
  });
  return { admin, client, urgent, audit: (): AuditFile => new AuditFile(readFileSync(audit, "utf8")) };
}

interface Line {
  readonly event: string;
  readonly [fact: string]: unknown;
}

class AuditFile {
  readonly text: string;
  readonly lines: readonly Line[];

  constructor(text: string) {
    this.text = text;
    this.lines = text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
  }

  /** The lines that agree with these facts. */
  matching(facts: Readonly<Record<string, unknown>>): readonly Line[] {
    return this.lines.filter((line) => Object.entries(facts).every(([key, value]) => line[key] === value));
  }

  expectWithout(...tokens: readonly string[]): void {
    for (const token of tokens) {
      for (const secret of [token, cryptoIdentifiers.digest(token)]) expect(this.text).not.toContain(secret);
    }
  }
}

interface Guest {
  readonly session: BrokerSession;
  readonly virtualIommu: string;
  readonly notices: Notice[];
}

async function guest(client: BrokerClient, displayName: string, transferableTo: string[] = []): Promise<Guest> {
  const notices: Notice[] = [];
  const onNotice = (notice: Notice): void => {
    notices.push(notice);
  };
  const session = await client.openSession({ displayName, transferableTo, onNotice });
  const { name: addressSpace } = await session.createAddressSpace();
  const { name: virtualIommu } = await session.createVirtualIommu({ addressSpace, iommus: ["iommus/smmu0"] });
  return { session, virtualIommu, notices };
}

const attach = ({ session, virtualIommu }: Guest, device: string, preempt = false) =>
  session.attachDevice({ device, virtualIommu, preempt });

describe("preemption by policy", () => {
  test("tells the owner the deadline, and takes the device when the grace is over, not before", async () => {
    const { audit, client, urgent } = await daemon();
    const batch = await guest(client, "batch");
    const first = await guest(urgent, "first");
    await attach(batch, NVME);
    await batch.session.unbindGuestStage({ device: NVME });
    await attach(batch, ABSENT);
    const beganMs = performance.now();
    const taking = attach(first, NVME, true);
    await expect.poll(() => batch.notices).toHaveLength(1);
    expect(batch.notices).toEqual([
      {
        kind: "preempted",
        device: NVME,
        deadlineMs: GRACE_MS,
        by: "first",
        reason: "a session of higher priority asked for the device",
      },
    ]);
    const taken = await taking;
    expect(performance.now() - beganMs).toBeGreaterThanOrEqual(GRACE_MS);
    expect([taken.ownerDisplayName, taken.generation]).toEqual(["first", 5n]); // attach, unbind, abort, release, attach
    expect((await refusal(batch.session.unbindGuestStage({ device: NVME }))).reason).toBe("DEVICE_OWNED");
    expect((await client.getDevice(ABSENT)).ownerDisplayName).toBe("batch");

    const told = audit();
    expect(told.matching({ event: "device", change: "preempted" })).toMatchObject([
      { device: "nvme", by: first.session.name.replace("sessions/", ""), owner: "batch", pid: process.pid },
    ]);
    const stages = told.lines.filter(({ devices, event }) => event === "stage" && String(devices) === "nvme");
    expect(stages.map(({ owner, to, trigger }) => [owner, trigger, to])).toEqual([
      ["batch", "attachAborted", "guest-abort"],
      ["batch", "unbind", "nest-parent"],
      ["batch", "ownerLost", "guest-abort"],
      ["batch", "release", "default-domain"],
      ["first", "attachAborted", "guest-abort"],
    ]);
    told.expectWithout(batch.session.token, first.session.token);
  });

  test("is refused to whom the policy does not rank higher, and the owner hears nothing of it", async () => {
    const { audit, client, urgent } = await daemon();
    const [batch, first] = [await guest(client, "batch"), await guest(urgent, "first")];
    await attach(first, NVME);
    expect((await refusal(attach(batch, NVME, true))).reason).toBe("POLICY_DENIED");
    expect((await refusal(attach(await guest(urgent, "second"), NVME, true))).reason).toBe("POLICY_DENIED");
    expect(first.notices).toEqual([]);
    expect(audit().matching({ event: "device", change: "preempted" })).toEqual([]);
  });
});

describe("quarantine", () => {
  test("of a device that knows no reset is ended by an administrator, who vouches for it", async () => {
    const { admin, audit, client } = await daemon();
    const one = await guest(client, "one");
    await attach(one, ABSENT);
    const released = await one.session.detachDevice({ device: ABSENT });
    expect(released.state).toBe(StageState.STAGE_STATE_QUARANTINED);
    expect((await refusal(attach(one, ABSENT))).reason).toBe("DEVICE_QUARANTINED");
    const reason = "wiped by hand";
    const { device } = await admin.unary(ADMIN.unquarantineDevice, { device: ABSENT, reason }, undefined);
    expect([device?.state, device?.generation]).toEqual([
      StageState.STAGE_STATE_DEFAULT_DOMAIN,
      released.generation + 1n,
    ]);
    expect((await attach(one, ABSENT)).ownerDisplayName).toBe("one");

    const told = audit();
    expect(told.matching({ event: "device", change: "quarantined" })).toMatchObject([
      { device: "absent", group: 3, reason: "it has no function-level reset" },
    ]);
    expect(told.matching({ event: "call", verb: "UnquarantineDevice" })).toMatchObject([
      { subjects: [ABSENT], reason, code: 0, outcome: "done", identity: `uid:${process.getuid?.()}` },
    ]);
    expect(told.matching({ event: "stage", from: "quarantined" })).toMatchObject([
      { devices: ["absent"], trigger: "release", to: "default-domain" },
    ]);
    told.expectWithout(one.session.token);
  });

  test("of a device that does not come out of its reset stays, and so does the refusal in the audit log", async () => {
    const { admin, audit, client } = await daemon();
    const one = await guest(client, "one");
    await attach(one, STUCK);
    await one.session.close();
    const asked = { device: STUCK, reason: "try again" };
    expect((await refusal(admin.unary(ADMIN.unquarantineDevice, asked, undefined))).reason).toBe("BACKEND_FAILED");
    expect((await client.getDevice(STUCK)).state).toBe(StageState.STAGE_STATE_QUARANTINED);
    const idle = { device: NVME, reason: "why not" };
    expect((await refusal(admin.unary(ADMIN.unquarantineDevice, idle, undefined))).reason).toBe("TRANSITION_ILLEGAL");
    expect(
      audit()
        .matching({ event: "call", verb: "UnquarantineDevice" })
        .map(({ outcome, subjects }) => [outcome, subjects]),
    ).toEqual([
      ["backend_failed", [STUCK]],
      ["transition_illegal", [NVME]],
    ]);
  });
});

describe("ClaimSession", () => {
  test("stands in the audit log with who has it now, and with neither token", async () => {
    const { audit, client } = await daemon();
    const orchestrator = await guest(client, "reserved", [`uid:${process.getuid?.()}`]);
    await attach(orchestrator, NVME);
    const { holdings, session } = await client.claimSession(orchestrator.session.name);
    expect(holdings.devices.map(({ device }) => device)).toEqual([NVME]);
    expect(session.token).not.toBe(orchestrator.session.token);
    await expect.poll(() => orchestrator.notices.map(({ kind }) => kind)).toEqual(["transferred"]);
    expect((await refusal(orchestrator.session.detachDevice({ device: NVME }))).metadata.reason).toBe("transferred");
    expect((await session.detachDevice({ device: NVME })).owner).toBe("");

    const told = audit();
    const id = session.name.replace("sessions/", "");
    expect(told.matching({ event: "session", change: "claimed" })).toMatchObject([
      { session: id, owner: "reserved", pid: process.pid },
    ]);
    expect(told.matching({ event: "call", verb: "ClaimSession" })).toMatchObject([{ code: 0, outcome: "done" }]);
    told.expectWithout(orchestrator.session.token, session.token);
  });
});
