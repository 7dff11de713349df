// iommuctl session: a session for work by hand, which outlives each command: opened with a lease, kept, shown, closed.

import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import type { BrokerClient, SessionHoldings } from "../client/client.ts";
import { idOf, parseDuration } from "./argument-values.ts";
import {
  addConnectionOptions,
  addTargetOptions,
  type ConnectionOptions,
  sessionTokenOf,
  withBroker,
} from "./connection.ts";
import { isLate, UsageError } from "./failure.ts";
import { holdingsOf, RENEWALS_PER_LEASE, withHandSession } from "./hand-session.ts";
import { jsonDocument, jsonLine } from "./json-output.ts";
import type { Surroundings } from "./program.ts";
import { durationText } from "./sessions.ts";
import { type Lesson, taught } from "./teaching.ts";
import { printable } from "./terminal.ts";
import { NewTokenFile } from "./token-file.ts";
import { Unreachable } from "./unreachable.ts";

interface JsonOption extends ConnectionOptions {
  readonly json?: boolean;
}
interface OpenOptions extends JsonOption {
  readonly ttl: number;
  readonly grace?: number;
  readonly name: string;
}

const TTL_DEFAULT_MS = 600_000;
const RETRY_MS = 1000;

const LESSON: Lesson = {
  summary: "Opens, keeps, shows and closes a session for work by hand.",
  text: [
    "A session owns devices. This one has a lease: it lives until nobody renews it for its length, and each command that works by hand (attach, detach, bind, unbind, map, unmap, session show) renews it. When it is over its devices are set to abort and given back.",
  ],
  examples: [
    ["iommuctl session open --ttl 10m --token-file hand.token", "the secret goes to a new file of mode 0600"],
    ["iommuctl attach 0000:01:00.0 --token-file hand.token", "work with it"],
    ["iommuctl session close --token-file hand.token", "give everything back"],
  ],
  seeAlso: ["attach", "map", "bind", "sessions"],
};
const OPEN: Lesson = {
  summary: "Opens a session with a lease and writes its token to a new file.",
  text: [
    "The file is made with mode 0600 and must not exist yet. With --grace a session whose lease lapsed keeps what it has for that long, at abort, and session resume brings it back.",
  ],
  examples: [
    ["iommuctl session open --token-file hand.token", "a lease of ten minutes"],
    [
      "iommuctl session open --ttl 1h --grace 10m --name 'on call' --token-file hand.token",
      "with a name that others see",
    ],
  ],
  json: '{"session": {"name", "displayName", "leaseTtlMs", "graceMs"}, "tokenFile"}; never the token',
  seeAlso: ["session keep", "session close"],
};
const KEEP: Lesson = {
  summary: "Renews the lease, again and again until it is interrupted.",
  text: ["It renews three times a lease, and waits for a broker that restarts."],
  examples: [
    ["iommuctl session keep --token-file hand.token &", "while other commands run"],
    ["iommuctl session keep --once --token-file hand.token", "one renewal"],
  ],
  json: 'a line for each renewal: {"leaseMs"}',
  seeAlso: ["session open"],
};
const SHOW: Lesson = {
  summary: "Shows what the session has, and renews its lease.",
  text: ["A session that lives with a process is refused: only its process may ask."],
  examples: [["iommuctl session show --token-file hand.token", "address spaces, virtual IOMMUs and devices"]],
  json: '{"leaseMs", "holdings": SessionHoldings}',
  seeAlso: ["devices", "sessions"],
};
const RESUME: Lesson = {
  summary: "Brings back a session whose lease lapsed, within its grace.",
  text: [
    "Its devices were set to abort: those that had a guest's stage say that they must be bound again. Do not resume a session that lives with a process: it would hang on this command, which ends.",
  ],
  examples: [["iommuctl session resume --token-file hand.token", "take it up again"]],
  json: '{"holdings": SessionHoldings}',
  seeAlso: ["session open", "bind"],
};
const CLOSE: Lesson = {
  summary: "Ends the session and gives back all it has.",
  text: ["Devices are set to abort, reset and given back to the host. Closing one that is over is no error."],
  examples: [["iommuctl session close --token-file hand.token && rm hand.token", "the token is of no more use"]],
  json: '{"closed": true}',
  seeAlso: ["detach"],
};

export function addSession(program: Command, surroundings: Surroundings): void {
  const session = taught(program.command("session"), LESSON).helpCommand(false);
  addOpen(session, surroundings);
  const { environment, out } = surroundings;
  const keep = taught(session.command("keep"), KEEP)
    .option("--once", "renew once")
    .option("--json", "print JSON lines");
  addConnectionOptions(keep).action(async (options: JsonOption & { once?: boolean }) =>
    keepAlive(options, surroundings),
  );
  const show = taught(session.command("show"), SHOW).option("--json", "print JSON");
  addConnectionOptions(show).action(async (options: JsonOption) =>
    withHandSession(options, environment, async (hand) => {
      const holdings = await holdingsOf(hand, "its names to the command that needs them");
      const { leaseMs } = hand;
      out(options.json === true ? jsonDocument({ leaseMs, holdings }) : holdingsText(holdings, leaseMs));
    }),
  );
  const resume = taught(session.command("resume"), RESUME).option("--json", "print JSON");
  addConnectionOptions(resume).action(async (options: JsonOption) => {
    const token = sessionTokenOf(options, environment);
    await withBroker(options, environment, async (client) => {
      const { holdings } = await client.resumeSession(token, { keepAlive: false });
      out(options.json === true ? jsonDocument({ holdings }) : holdingsText(holdings, undefined));
    });
  });
  const close = taught(session.command("close"), CLOSE).option("--json", "print JSON");
  addConnectionOptions(close).action(async (options: JsonOption) => {
    const token = sessionTokenOf(options, environment);
    await withBroker(options, environment, async (client) => client.sessionOf(token).close());
    out(options.json === true ? jsonDocument({ closed: true }) : "closed: what it had is given back\n");
  });
}

function addOpen(session: Command, { environment, out }: Surroundings): void {
  const open = taught(session.command("open"), OPEN)
    .requiredOption("--token-file <file>", "a new file for the session's token")
    .option("--ttl <duration>", "the lease (default: 10m)", parseDuration, TTL_DEFAULT_MS)
    .option("--grace <duration>", "how long it keeps what it has when the lease lapsed (default: not)", parseDuration)
    .option("--name <text>", "shown to others as the owner of its devices", "by hand")
    .option("--json", "print JSON");
  addTargetOptions(open).action(async ({ json, tokenFile, ...options }: OpenOptions) => {
    if (tokenFile === undefined) throw new UsageError("give --token-file FILE");
    const terms = { displayName: options.name, leaseTtlMs: options.ttl, graceMs: options.grace ?? 0 };
    const name = await withBroker(options, environment, async (client) => openInto(tokenFile, terms, client));
    const told = `${printable(name)} is open\n  token in ${printable(tokenFile)}, lease ${durationText(options.ttl)}\n`;
    out(json === true ? jsonDocument({ session: { name, ...terms }, tokenFile }) : told);
  });
}

async function openInto(
  path: string,
  terms: { readonly displayName: string; readonly leaseTtlMs: number; readonly graceMs: number },
  client: BrokerClient,
): Promise<string> {
  const file = new NewTokenFile(path);
  try {
    const session = await client.openSession({ ...terms, keepAlive: false });
    file.keep(session.token);
    return session.name;
  } catch (error) {
    file.discard();
    throw error;
  }
}

async function keepAlive(options: JsonOption & { once?: boolean }, surroundings: Surroundings): Promise<void> {
  const { environment, err, gone, out, taken } = surroundings;
  const token = sessionTokenOf(options, environment);
  let waitMs = 0;
  let leaseMs = 0;
  for (let isFirst = true; !gone.aborted; isFirst = false) {
    await sleep(waitMs, undefined, { signal: gone }).catch(() => undefined);
    if (gone.aborted) return;
    try {
      leaseMs = await withBroker(options, environment, (client) => client.renewLease(token, options.timeout));
    } catch (error) {
      if (isFirst || !(error instanceof Unreachable || isLate(error))) throw error;
      err("iommuctl: the broker is gone; waiting for it\n");
      waitMs = RETRY_MS;
      continue;
    }
    if (leaseMs === 0) throw new UsageError("the session lives with its process: it has no lease to keep");
    out(options.json === true ? jsonLine({ leaseMs }) : `renewed for ${durationText(leaseMs)}\n`);
    await taken();
    if (options.once === true) return;
    waitMs = leaseMs / RENEWALS_PER_LEASE;
  }
}

function holdingsText({ addressSpaces, devices, virtualIommus }: SessionHoldings, leaseMs: number | undefined): string {
  const lines = [
    ...(leaseMs === undefined ? [] : [`lease ${durationText(leaseMs)}`]),
    ...addressSpaces,
    ...virtualIommus,
    ...devices.map(
      ({ device, generation, rebindRequired, virtualIommu }) =>
        `devices/${idOf(device)} on ${virtualIommu}, generation ${generation}${rebindRequired ? ", must be bound again" : ""}`,
    ),
  ];
  return lines.length === 0 ? "it has nothing\n" : `${lines.map((line) => printable(line)).join("\n")}\n`;
}
