// Every setting there is, once: its name in the file, its default, its bounds, and what it is for.
// The file, the environment, --set, --print-config and the error messages all follow this table.
// Units end the names. A setting that a client can run into is refused by this name in the error's ErrorInfo. Large sections
// have files of their own beside this one.

import { z } from "zod";
import { ADMIN, AUDIT, LISTEN, METRICS } from "./endpoints.ts";
import { DEFAULT_INVENTORY } from "./inventory.ts";
import { LIMITS } from "./limits.ts";
import { POLICY } from "./policy.ts";
import { choice, count, pathText, socket } from "./setting-kinds.ts";
import { SIMULATED } from "./simulated.ts";
import { TIMING } from "./timing.ts";

const PCI_ERROR = "must be a PCI address, like 0000:01:00.0";
const pciAddress = z
  .string({ error: PCI_ERROR })
  .regex(/^[\da-f]{4,8}:[\da-f]{2}:[01][\da-f]\.[0-7]$/, { error: PCI_ERROR });

const LOG = z.strictObject({
  level: choice(["trace", "debug", "info", "warn", "error", "fatal"], "info", "Least severe line that is written."),
  destination: choice(["stdout", "stderr"], "stdout", "Where the JSON lines go."),
});

const NATIVE = z.strictObject({
  bind_devices: z
    .array(pciAddress, { error: "must be a list of PCI addresses" })
    .max(1024, { error: "must name at most 1024 devices" })
    .default(() => [])
    .describe(
      "Devices that are bound to vfio-pci while the daemon runs, and given back to their drivers when it stops.",
    ),
  experimental_vtd_nesting: z
    .boolean({ error: "must be true or false" })
    .default(false)
    .describe("Bind guests' first-stage tables on Intel VT-d (page_table). Nobody has verified it on hardware."),
});

export const SETTINGS = z.strictObject({
  backend: choice(
    ["simulated", "iommufd", "auto"],
    "simulated",
    "What the broker arbitrates: simulated SMMUs, or this host's IOMMUs by Linux iommufd. \"auto\": the host's, or it does not start.",
  ),
  native: NATIVE.prefault({}).describe("The native backend, with backend: iommufd or auto."),
  simulator_api: z
    .boolean({ error: "must be true or false" })
    .default(false)
    .describe("Serve iommubroker.v1.Simulator: DMA, guest memory, raw structures."),
  listen: LISTEN.prefault({}).describe("Where clients connect."),
  admin: ADMIN.prefault({}).describe("Where administrators connect."),
  policy: POLICY.prefault({}).describe("Who may do what. Reloaded by SIGHUP."),
  audit: AUDIT.prefault({}).describe("Who did what: JSON lines, one for each act and each change it made."),
  metrics: METRICS.prefault({}).describe("Where a scraper and a prober connect."),
  memory_roots: z
    .array(pathText, { error: "must be a list of directories" })
    .max(64, { error: "must name at most 64 directories" })
    .default(() => ["runtime:memory"])
    .describe("Files that clients name as guest memory must lie beneath one of these. Only runtime: ones are created."),
  memory_owner_uids: z
    .array(count(0, 0, 2 ** 32 - 2, ""), { error: "must be a list of uids" })
    .max(1024, { error: "must name at most 1024 uids" })
    .default(() => [process.getuid?.() ?? 0])
    .describe(
      "Owners of the files that root, the daemon's uid and TCP clients may name; others only their own. Default: the daemon's uid.",
    ),
  state_directory: socket(
    "runtime:state",
    "What outlives the daemon: sessions, who owns what, mappings, binds. Made 0700; one daemon's at a time. A directory of tmpfs or disk.",
  ),
  limits: LIMITS.prefault({}).describe("Bounds on what clients can make the broker hold."),
  timing: TIMING.prefault({}).describe("Periods and deadlines."),
  log: LOG.prefault({}).describe("The log: JSON lines."),
  simulated: SIMULATED.default(() => structuredClone(DEFAULT_INVENTORY)).describe("The hardware that is simulated."),
});

/** What is in force, in the names of the file. */
export type Settings = z.output<typeof SETTINGS>;
