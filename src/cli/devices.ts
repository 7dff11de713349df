// iommuctl devices: who has which device, and what its stages do; now, or as it changes.

import { type Command, Option } from "commander";
import {
  type BrokerClient,
  type Device,
  DeviceChangeKind,
  type DeviceNews,
  type DeviceWatch,
  type DeviceWatchOptions,
} from "../client/client.ts";
import { boundedBy, deviceName, idOf } from "./argument-values.ts";
import {
  addConnectionOptions,
  type ConnectionOptions,
  FOLLOW_HEARTBEAT_MS,
  givenTokenOf,
  sessionTokenOf,
  withBroker,
} from "./connection.ts";
import { changeText, devicesText } from "./device-text.ts";
import { UsageError } from "./failure.ts";
import { deviceJson, jsonDocument, jsonLine } from "./json-output.ts";
import type { Surroundings } from "./program.ts";
import { type Lesson, taught } from "./teaching.ts";
import { printable } from "./terminal.ts";

interface DevicesOptions extends ConnectionOptions {
  readonly watch?: boolean;
  readonly resume?: string;
  readonly iommu?: string;
  readonly group?: number;
  readonly mine?: boolean;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

const GROUP_MAX = 2 ** 31 - 1;

const LESSON: Lesson = {
  summary: "Shows devices: IOMMU, group, what their stages do, who owns them.",
  text: [
    "A state is default-domain (the host's), nest-parent (stage 1 bypass), guest-abort, guest-nested or quarantined: docs/sessions-and-arbitration.md. Generation counts the changes of the group's stages; waiters are calls that stand in line for it.",
    "With --watch the list comes first and then each change, over restarts of the broker; where the broker cannot tell what changed meanwhile, the list begins anew and says so (resync). With --json each line has the version that --resume goes on after.",
  ],
  examples: [
    ["iommuctl devices", "all of them"],
    ["iommuctl devices 0000:01:00.0 --token-file vmm.token --json", "one, with what only its owner is shown"],
    ["iommuctl devices -w --iommu smmu0", "what becomes of the devices behind one IOMMU"],
    ["iommuctl devices -w --json --resume b3f1.42", "only what changed since"],
  ],
  json: '{"devices": [Device]}; with --watch a line each: {"mark": "synced" | "resync", "resourceVersion"} or {"change": {"kind", "device": Device, "resourceVersion"}}',
  seeAlso: ["capabilities", "attach", "top"],
};

export function addDevices(program: Command, surroundings: Surroundings): void {
  const command = taught(program.command("devices"), LESSON)
    .argument("[device...]", 'devices: "0000:01:00.0" or "devices/0000:01:00.0" (default: all)')
    .option("-w, --watch", "go on with each change")
    .option("--resume <version>", "with --watch: only what changed since this version")
    .option("--iommu <iommu>", "only devices behind this IOMMU")
    .option("--group <number>", "only devices of this IOMMU group", boundedBy(GROUP_MAX))
    .option("--mine", "only what the session owns")
    .addOption(new Option("-q, --quiet", "names alone").conflicts(["json", "watch"]))
    .option("--json", "print JSON");
  addConnectionOptions(command).action(async (devices: string[], options: DevicesOptions) => {
    if (options.resume !== undefined && options.watch !== true) {
      throw new UsageError("--resume goes on with --watch: give both");
    }
    if (devices.length > 0 && options.watch === true) {
      throw new UsageError("--watch shows all devices, or those of --iommu, --group or --mine: name none");
    }
    const { environment } = surroundings;
    const token = options.mine === true ? sessionTokenOf(options, environment) : givenTokenOf(options, environment);
    await withBroker(options, environment, async (client) => {
      if (options.watch === true) await follow(client, token, options, surroundings);
      else show(await found(client, token, devices.map(deviceName), options), options, surroundings);
    });
  });
}

async function found(
  client: BrokerClient,
  token: string | undefined,
  names: readonly string[],
  options: DevicesOptions,
): Promise<readonly Device[]> {
  const devices = await listed(client, token, names, options);
  const { group, iommu } = options;
  return devices.filter(
    (device) =>
      (iommu === undefined || idOf(device.iommu) === idOf(iommuName(iommu))) &&
      (group === undefined || device.iommuGroup === group),
  );
}

async function listed(
  client: BrokerClient,
  token: string | undefined,
  names: readonly string[],
  options: DevicesOptions,
): Promise<readonly Device[]> {
  if (names.length > 0) {
    const session = token === undefined ? undefined : client.sessionOf(token);
    return await Promise.all(names.map((name) => (session ?? client).getDevice(name)));
  }
  if (options.mine !== true) return await client.listDevices();
  const devices: Device[] = [];
  const watch = watchOf(client, token, options);
  await watch.ready;
  for await (const { changes, mark } of watch) {
    for (const { device } of changes) if (device !== undefined) devices.push(device);
    if (mark === "resync") devices.length = 0;
    if (mark === "synced") break;
  }
  return devices;
}

function watchOf(
  client: BrokerClient,
  token: string | undefined,
  options: DevicesOptions,
  listeners: Pick<DeviceWatchOptions, "onBroken" | "onResumed"> = {},
): DeviceWatch {
  const { group, iommu, mine, resume } = options;
  const query = {
    ...listeners,
    ...(resume !== undefined && { resumeAfter: resume }),
    ...(iommu !== undefined && { iommu: iommuName(iommu) }),
    ...(group !== undefined && { iommuGroup: group }),
    ownedByMe: mine === true,
    heartbeatMs: FOLLOW_HEARTBEAT_MS,
  };
  return token === undefined ? client.watchDevices(query) : client.sessionOf(token).watchDevices(query);
}

function iommuName(iommu: string): string {
  return iommu.startsWith("iommus/") ? iommu : `iommus/${iommu}`;
}

function show(devices: readonly Device[], options: DevicesOptions, { out, terminal }: Surroundings): void {
  if (options.json === true) out(jsonDocument({ devices: devices.map(deviceJson) }));
  else if (options.quiet === true) out(devices.map((device) => `${printable(idOf(device.name))}\n`).join(""));
  else out(devicesText(devices, terminal));
}

async function follow(
  client: BrokerClient,
  token: string | undefined,
  options: DevicesOptions,
  { err, gone, out, taken }: Surroundings,
): Promise<void> {
  const watch = watchOf(client, token, options, {
    onBroken: (error) => err(`iommuctl: the broker is gone (${printable(error.message)}); waiting for it\n`),
    onResumed: () => err("iommuctl: the broker is back; going on after the last change seen\n"),
  });
  const stop = (): void => watch.close();
  gone.addEventListener("abort", stop);
  if (gone.aborted) stop();
  try {
    await watch.ready.catch((error: unknown) => {
      if (!gone.aborted) throw error;
    });
    for await (const news of watch) {
      out(options.json === true ? newsJson(news) : newsText(news));
      await taken();
    }
  } finally {
    gone.removeEventListener("abort", stop);
    watch.close();
  }
}

function newsText({ changes, mark }: DeviceNews): string {
  const lines = changes.map(changeText).join("");
  if (mark === "resync") return `${lines}-- what was told before is void: the list begins anew\n`;
  return mark === "synced" ? `${lines}-- that is all there is; each change follows\n` : lines;
}

function newsJson({ changes, mark, resourceVersion }: DeviceNews): string {
  const lines = changes.map((change) => {
    const kind = DeviceChangeKind[change.kind];
    const device = change.device && deviceJson(change.device);
    return jsonLine({ change: { kind, device, resourceVersion: change.resourceVersion } });
  });
  return [...lines, ...(mark === "none" ? [] : [jsonLine({ mark, resourceVersion })])].join("");
}
