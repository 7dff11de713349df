// iommuctl sessions: everybody's sessions, as an administrator sees them.

import type { Command } from "commander";
import { type AdminSession, AdminSessionState, Liveness } from "../client/client.ts";
import { idOf } from "./argument-values.ts";
import { addAdminOptions, type ConnectionOptions, withAdmin } from "./connection.ts";
import { adminSessionJson, jsonDocument } from "./json-output.ts";
import type { Surroundings } from "./program.ts";
import { tableText } from "./table-text.ts";
import { type Lesson, taught } from "./teaching.ts";
import type { Terminal } from "./terminal.ts";

interface SessionsOptions extends ConnectionOptions {
  readonly json?: boolean;
}

const LESSON: Lesson = {
  summary: "Lists every session: whose it is, what it holds, how long its lease lasts.",
  text: [
    "It asks on the admin socket, which is for the uids of admin.uids. A session lives with its process, or until its lease lapses; one that is lost has its devices at abort until its grace is over.",
  ],
  examples: [
    ["iommuctl sessions", "all of them"],
    ["iommuctl sessions --json | jq '.sessions[] | select(.state != \"ADMIN_SESSION_STATE_LIVE\")'", "what is ending"],
  ],
  json: '{"sessions": [AdminSession]}',
  seeAlso: ["devices", "session"],
};
const HEADS = ["SESSION", "NAME", "WHOSE", "STATE", "LEASE", "MAPPED", "DEVICES"];

export function addSessions(program: Command, surroundings: Surroundings): void {
  const command = taught(program.command("sessions"), LESSON).option("--json", "print JSON");
  addAdminOptions(command).action(async (options: SessionsOptions) => {
    const { environment, out, terminal } = surroundings;
    const sessions = await withAdmin(options, environment, (client) => client.listSessions());
    if (options.json === true) out(jsonDocument({ sessions: sessions.map(adminSessionJson) }));
    else out(sessionsText(sessions, terminal));
  });
}

export function sessionsText(sessions: readonly AdminSession[], terminal: Terminal): string {
  const rows = sessions.map(({ devices, identity, leaseRemainingMs, mappedBytes, session, state }) => [
    idOf(session?.name ?? ""),
    session?.displayName ?? "",
    identity,
    (AdminSessionState[state] ?? String(state)).replace(/^ADMIN_SESSION_STATE_/, "").toLowerCase(),
    session?.liveness === Liveness.LIVENESS_PEER_PROCESS ? "its process" : durationText(leaseRemainingMs),
    bytesText(mappedBytes),
    devices.map(idOf).join(" ") || "-",
  ]);
  return `${tableText(HEADS, rows, terminal).join("\n")}\n`;
}

/** "9m59s"; what is left, rounded down. */
export function durationText(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m${seconds % 60}s`;
  return `${Math.floor(minutes / 60)}h${minutes % 60}m`;
}

/** In the largest unit that divides it. */
export function bytesText(bytes: bigint): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (bytes !== 0n && bytes % 1024n === 0n && unit < units.length - 1) {
    bytes /= 1024n;
    unit += 1;
  }
  return `${bytes} ${units[unit]}`;
}
