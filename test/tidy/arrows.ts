// Who may import whom. Each room has the rooms it may look into; a package from outside belongs to the rooms named here.
// The picture is in ARCHITECTURE.md, rules 1, 2 and 4.

import type { Breach, SourceFile } from "./source.ts";

type Room =
  | "spec"
  | "front"
  | "select"
  | "smmuv3"
  | "walks"
  | "sim"
  | "iommufd"
  | "core"
  | "store"
  | "fds"
  | "generated"
  | "rpc"
  | "os"
  | "metrics"
  | "client"
  | "cli"
  | "process"
  | "daemon"
  | "main";

/** The first prefix that fits; "front" is what lies directly in src/backends. */
const ROOMS: readonly (readonly [prefix: RegExp, room: Room])[] = [
  [/^src\/spec\//, "spec"],
  [/^src\/backends\/select\.ts$/, "select"],
  [/^src\/backends\/[^/]+$/, "front"],
  [/^src\/backends\/smmuv3\//, "smmuv3"],
  [/^src\/backends\/walks\//, "walks"],
  [/^src\/backends\/sim\//, "sim"],
  [/^src\/backends\/iommufd\//, "iommufd"],
  [/^src\/server\/core\//, "core"],
  [/^src\/server\/store\//, "store"],
  [/^src\/server\/fds\//, "fds"],
  [/^src\/server\/rpc\/generated\//, "generated"],
  [/^src\/server\/rpc\//, "rpc"],
  [/^src\/os\//, "os"],
  [/^src\/metrics\//, "metrics"],
  [/^src\/client\//, "client"],
  [/^src\/cli\//, "cli"],
  [/^src\/server\/daemon(?:\.ts$|\/)/, "daemon"],
  [/^src\/server\/main\.ts$/, "main"],
  [/^src\/server\//, "process"],
];

const MAY_IMPORT: Readonly<Record<Room, readonly Room[]>> = {
  spec: ["spec"],
  front: ["front", "spec"],
  select: ["front", "sim", "iommufd"],
  smmuv3: ["smmuv3", "spec"],
  walks: ["walks", "smmuv3", "front", "spec"],
  sim: ["sim", "walks", "smmuv3", "front", "spec"],
  iommufd: ["iommufd", "walks", "front", "spec"],
  core: ["core", "front", "spec"],
  store: ["store", "core", "front", "spec"],
  fds: ["fds", "core", "front", "os", "spec"],
  generated: [],
  rpc: ["rpc", "generated", "core", "front", "os", "spec"],
  os: ["os", "front", "core", "spec"],
  metrics: ["metrics", "core", "front", "os", "spec"],
  client: ["client", "rpc", "generated", "spec"],
  cli: ["cli", "client"],
  process: ["process", "core", "front", "os", "spec"],
  daemon: ["daemon", "process", "fds", "rpc", "core", "store", "select", "metrics", "os"],
  main: ["daemon", "process", "store", "front", "os"],
};

/** Of what lies outside a room, the files that it may look into although the room may not, and the other way round. */
const FRONT_ROW_ONLY_FOR: Readonly<Record<string, readonly Room[]>> = {
  "src/backends/counters.ts": ["front", "sim", "iommufd", "metrics"],
  "src/backends/simulator-control.ts": ["front", "select", "sim", "core", "rpc"],
  // What the native backend needs of the model: the walk of an access.
  "src/backends/smmuv3/explain.ts": ["smmuv3", "walks", "sim", "iommufd"],
  // What the native backend asks of the host: declared there, done here.
  "src/backends/iommufd/kernel.ts": ["iommufd", "select", "os"],
  "src/backends/iommufd/host-files.ts": ["iommufd", "select", "os"],
  "src/backends/iommufd/perf-events.ts": ["iommufd", "os"],
  "src/backends/iommufd/driver-binding.ts": ["iommufd", "select", "os"],
  // A client passes its descriptor by the same bytes and the same native call as the broker takes it.
  "src/server/fds/protocol.ts": ["fds", "client"],
  "src/os/descriptors.ts": ["os", "fds", "client"],
  "src/os/libc.ts": ["os", "rpc", "fds", "client", "main"],
};

const PACKAGES: Readonly<Record<string, readonly Room[]>> = {
  "@grpc/grpc-js": ["rpc", "client", "daemon"],
  commander: ["process", "cli"],
  koffi: ["os"],
  long: ["rpc", "client"],
  pino: ["process"],
  "prom-client": ["metrics"],
  protobufjs: ["rpc"],
  yaml: ["process"],
  zod: ["process", "store"],
};
/** Node's own modules are for the rooms at the edge; core, the backends and spec work with what they are given. */
const NODE_ROOMS: readonly Room[] = [
  "store",
  "fds",
  "rpc",
  "os",
  "metrics",
  "client",
  "cli",
  "process",
  "daemon",
  "main",
];

export function arrowBreaches(files: readonly SourceFile[]): Breach[] {
  return files.flatMap((file) =>
    file.imports.flatMap(({ from, line }) => {
      const rule = from.startsWith("src/") ? insideRule(file.path, from) : outsideRule(file.path, from);
      return rule === undefined ? [] : [{ path: file.path, line, rule }];
    }),
  );
}

function insideRule(path: string, target: string): string | undefined {
  const [room, other] = [roomOf(path), roomOf(target)];
  const allowed = FRONT_ROW_ONLY_FOR[target]?.includes(room) ?? MAY_IMPORT[room].includes(other);
  return allowed ? undefined : `${room} may not import ${other} (${target})`;
}

function outsideRule(path: string, specifier: string): string | undefined {
  const room = roomOf(path);
  if (specifier.startsWith("node:")) {
    return NODE_ROOMS.includes(room) ? undefined : `${room} may not import ${specifier}: it is given what it needs`;
  }
  const name = specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
  const rooms = PACKAGES[name];
  if (rooms === undefined) return `${name} is in no room's list: add it to PACKAGES, with the reason in the change`;
  return rooms.includes(room) ? undefined : `${room} may not import ${name}: only ${rooms.join(", ")}`;
}

function roomOf(path: string): Room {
  const found = ROOMS.find(([prefix]) => prefix.test(path));
  if (found === undefined) throw new Error(`${path} is in no room: add one to ROOMS, and to ARCHITECTURE.md`);
  return found[1];
}
