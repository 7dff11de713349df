import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DEFAULT_INVENTORY } from "../../src/server/config/inventory.ts";
import { printConfig } from "../../src/server/config/print.ts";
import { describeProblem } from "../../src/server/config/problems.ts";
import { LEAVES, variableOf } from "../../src/server/config/sources.ts";
import { type Config, type ConfigRequest, type Loaded, loadConfig } from "../../src/server/config.ts";

const DEPLOYED = join(import.meta.dirname, "../../deploy/simulated.yaml");

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "config-"));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

function yaml(text: string): string {
  const file = join(directory, "broker.yaml");
  writeFileSync(file, text);
  return file;
}

function load(request: Partial<ConfigRequest>): Loaded {
  return loadConfig({ file: undefined, environment: {}, assignments: [], ...request });
}

function configOf(request: Partial<ConfigRequest>): Config {
  const loaded = load(request);
  if (!loaded.ok) throw new Error(loaded.problems.map(describeProblem).join("\n"));
  return loaded.config;
}

/** The complaints about a file, without the directory in front. */
function complaints(text: string): string[] {
  const loaded = load({ file: yaml(text) });
  return loaded.ok ? [] : loaded.problems.map((problem) => describeProblem(problem).replace(`${directory}/`, ""));
}

describe("defaults", () => {
  test("with no file at all the two simulated SMMUs and their eight devices are there", () => {
    const config = configOf({});
    expect(config.simulated.iommus.map((iommu) => iommu.id)).toEqual(["smmu0", "smmu1"]);
    expect(config.simulated.devices).toHaveLength(8);
    expect(new Set(config.simulated.devices.map((device) => device.group)).size).toBe(6);
  });

  test("deploy/simulated.yaml has the built-in inventory", () => {
    expect(configOf({ file: DEPLOYED }).simulated).toEqual(configOf({}).simulated);
  });

  test("a message is at most 2 MiB: decoding a longer one of nothing but submessages holds everybody up", () => {
    const loaded = loadConfig({ file: undefined, environment: {}, assignments: [] });
    expect(loaded.ok && loaded.config.limits.messageBytesMax).toBe(2 * 2 ** 20);
  });

  test("deploy/simulated.yaml differs from the built-in defaults in nothing but the Simulator service and a full status page", () => {
    const { metrics, ...others } = configOf({});
    const full = { ...metrics, statusPage: "full" };
    expect(configOf({ file: DEPLOYED })).toEqual({ ...others, metrics: full, simulatorApi: true });
  });

  test("guest memory must belong to the daemon's own uid unless the configuration says otherwise", () => {
    expect(configOf({}).memoryOwnerUids).toEqual([process.getuid?.()]);
  });

  test("the API is off TCP, and metrics are on a loopback port", () => {
    const { listen, metrics } = configOf({});
    expect(listen.tcp).toBeUndefined();
    expect(metrics.tcp).toEqual({ host: "127.0.0.1", port: 9401 });
    expect(metrics.socket).toBeUndefined();
  });
});

describe("the descriptor socket", () => {
  test.each([
    ["is fd.sock beside the API's socket", "listen: { socket: /srv/a/b.sock }", "/srv/a/fd.sock"],
    [
      "is none where the API has no socket",
      "listen: { socket: off, tcp: '127.0.0.1:9400', tcp_insecure: true }",
      undefined,
    ],
    ["is where it is said to be", "listen: { fd_socket: /srv/fds }", "/srv/fds"],
    ["is none when it is off", "listen: { fd_socket: off }", undefined],
  ])("%s", (_, text, expected) => {
    expect(configOf({ file: yaml(text) }).fdSocket).toBe(expected);
  });

  test("is a path", () => {
    expect(complaints("listen: { fd_socket: fd.sock }")[0]).toContain('or "beside" or "off"');
  });
});

describe("precedence", () => {
  const text = "limits: { sessions_max: 10, connections_max: 10, binds_per_call_max: 10 }";
  const environment = {
    IOMMU_BROKER_LIMITS_CONNECTIONS_MAX: "20",
    IOMMU_BROKER_LIMITS_BINDS_PER_CALL_MAX: "20",
  };
  const assignments = [{ path: "limits.binds_per_call_max", text: "30", source: "--set" }];

  test("a flag wins over the environment, the environment over the file, the file over the default", () => {
    const { limits } = configOf({ file: yaml(text), environment, assignments });
    expect(limits).toMatchObject({ sessionsMax: 10, connectionsMax: 20, bindsPerCallMax: 30, queueDepthMax: 256 });
  });

  test("each value remembers where it was written", () => {
    const file = yaml(text);
    const loaded = load({ file, environment, assignments });
    const source = (name: string): string | undefined => (loaded.ok ? loaded.sourceOf(["limits", name]) : "not loaded");
    expect(source("sessions_max")).toBe(`${file}:1`);
    expect(source("connections_max")).toBe("IOMMU_BROKER_LIMITS_CONNECTIONS_MAX");
    expect(source("binds_per_call_max")).toBe("--set");
    expect(source("queue_depth_max")).toBeUndefined();
  });
});

describe("the environment", () => {
  test("every setting has a variable of its own", () => {
    const names = LEAVES.map((leaf) => variableOf(leaf.path));
    expect(new Set(names).size).toBe(names.length);
    expect(names).toContain("IOMMU_BROKER_LISTEN_SOCKET");
    expect(names.length).toBeGreaterThan(35);
  });

  test("lists, numbers, switches and texts are read as what they are", () => {
    const config = configOf({
      environment: {
        IOMMU_BROKER_MEMORY_ROOTS: "/var/lib/a, /var/lib/b",
        IOMMU_BROKER_MEMORY_OWNER_UIDS: "0,1000",
        IOMMU_BROKER_SIMULATOR_API: "true",
        IOMMU_BROKER_LIMITS_SESSIONS_MAX: "0x10",
        IOMMU_BROKER_LISTEN_TCP: "[::1]:0",
        IOMMU_BROKER_LISTEN_TCP_INSECURE: "true",
      },
    });
    expect(config.memoryRoots.map((root) => root.path)).toEqual(["/var/lib/a", "/var/lib/b"]);
    expect(config.memoryOwnerUids).toEqual([0, 1000]);
    expect(config.simulatorApi).toBe(true);
    expect(config.limits.sessionsMax).toBe(16);
    expect(config.listen.tcp).toEqual({ host: "::1", port: 0 });
  });

  test("a variable that is no setting is a warning with a guess, because others own that prefix too", () => {
    const loaded = load({ environment: { IOMMU_BROKER_LOG_LEVLE: "debug" } });
    expect(loaded.ok).toBe(true);
    expect(loaded.warnings.map(describeProblem)).toEqual([
      "IOMMU_BROKER_LOG_LEVLE: is no setting: did you mean IOMMU_BROKER_LOG_LEVEL?",
    ]);
  });

  test("what Kubernetes sets beside a Service called iommu-broker is passed over", () => {
    const environment = { IOMMU_BROKER_PORT: "tcp://10.0.0.1:9400", IOMMU_BROKER_SERVICE_HOST: "10.0.0.1" };
    expect(load({ environment }).warnings).toEqual([]);
  });

  test("a bad value is named with its variable", () => {
    const loaded = load({ environment: { IOMMU_BROKER_LIMITS_SESSIONS_MAX: "many" } });
    expect(loaded.ok ? [] : loaded.problems.map(describeProblem)).toEqual([
      'IOMMU_BROKER_LIMITS_SESSIONS_MAX: limits.sessions_max: "many" must be a whole number from 1 to 65536',
    ]);
  });
});

describe("complaints name the place, the setting, the value and what would be right", () => {
  test.each([
    ["limits:\n  sesions_max: 5", "broker.yaml:2: limits.sesions_max: is no setting: did you mean sessions_max?"],
    ["limts: { a: 1 }", "broker.yaml:1: limts: is no setting: did you mean limits?"],
    ["colour: red", "broker.yaml:1: colour: is no setting: --print-config lists all"],
    ["limits: { sessions_max: 0 }", "broker.yaml:1: limits.sessions_max: 0 must be a whole number from 1 to 65536"],
    ["limits: { sessions_max: 65537 }", "must be a whole number from 1 to 65536"],
    ["limits: { sessions_max: 1.5 }", "1.5 must be a whole number from 1 to 65536"],
    ["limits: { sessions_max: '5' }", '"5" must be a whole number'],
    ["backend: vfio", 'backend: "vfio" must be "simulated" or "iommufd" or "auto"'],
    ["native: { bind_devices: [nic] }", 'native.bind_devices[0]: "nic" must be a PCI address, like 0000:01:00.0'],
    ["simulator_api: maybe", 'simulator_api: "maybe" must be true or false'],
    ["listen: nowhere", 'listen: "nowhere" must be a section'],
    ["listen: { socket: broker.sock }", '"broker.sock" must be an absolute path, or "runtime:"'],
    ["listen: { socket: 'runtime:../x' }", "must be an absolute path"],
    ["listen: { tcp: '0.0.0.0:9400' }", "has no TLS"],
    ["listen: { tcp: '0.0.0.0:9400', tcp_insecure: true }", "is no loopback address"],
    ["listen: { tcp: '192.168.1.1:9400', tcp_insecure: true }", "is no loopback address"],
    ["listen: { tcp: '127.0.0.1:9400' }", "set listen.tls, or listen.tcp_insecure on loopback"],
    ["listen: { tcp: '[::1]:9400', tls: { certificate: /c, client_ca: /a } }", "private_key missing"],
    ["listen: { tls: { client_crl: /c } }", "certificate and private_key and client_ca missing"],
    [
      "listen: { tcp: '[::1]:9400', tcp_insecure: true, tls: { certificate: /c, private_key: /k, client_ca: /a } }",
      "exclude each other",
    ],
    ["listen: { tcp: '127.0.0.1' }", "with a port"],
    ["listen: { tcp: '127.0.0.1:65536' }", "with a port"],
    ["listen: { tcp: '127.0.0.1.evil.example:1' }", "an IP address with a port"],
    ["listen: { socket: off }", "socket and tcp are both off"],
    ["metrics: { socket: 'runtime:broker.sock' }", "is listen.socket too"],
    ["metrics: { status_hosts: ['broker.example:80'] }", 'status_hosts[0]: "broker.example:80" must be a host name'],
    ["metrics: { status_hosts: ['*.example'] }", "without a port"],
    ["metrics: { status_hosts: ['http://a'] }", "without a port"],
    ["metrics: { status_hosts: [''] }", "without a port"],
    ["metrics: { tcp: '0.0.0.0:9401' }", "is no loopback address, and whoever can connect reads what is there"],
    ["log: { level: loud }", '"loud" must be "trace" or "debug"'],
    ["memory_roots: /srv", '"/srv" must be a list of directories'],
    ["memory_roots: [srv]", 'memory_roots[0]: "srv" must be an absolute path'],
    ["memory_owner_uids: [-1]", "memory_owner_uids[0]: -1 must be a whole number from 0"],
    ["limits: { lease_ttl_default_ms: 500 }", "500 must lie from lease_ttl_min_ms 1000 to lease_ttl_max_ms 3600000"],
    ["__proto__: { a: 1 }", "__proto__: is no setting"],
    ["- a\n- b", "must be a mapping of settings"],
    ["a: [", "is not YAML"],
    ["limits: {}\nlimits: {}", "broker.yaml:2: is not YAML: Map keys must be unique"],
  ])("%j", (text, expected) => {
    expect(complaints(text).join("\n")).toContain(expected);
  });

  test("everything that is wrong is told at once", () => {
    expect(complaints("backend: x\nlog: { level: y }\nlimits: { sessions_max: 0, queue_depth_max: 0 }")).toHaveLength(
      4,
    );
  });

  test("a file that is not there, too long, or multiplies by aliases is refused and named", () => {
    const missing = load({ file: join(directory, "missing.yaml") });
    expect(missing.ok ? [] : missing.problems.map(describeProblem).join()).toContain(
      "missing.yaml: cannot be read (ENOENT)",
    );
    expect(complaints(`# ${"x".repeat(16_777_216)}`).join()).toContain("longer than 16777216 bytes");
    const bomb = ["a: &a [x,x,x,x,x,x,x,x,x,x]"];
    for (let level = 0; level < 6; level++) {
      const from = String.fromCharCode(97 + level);
      const to = String.fromCharCode(98 + level);
      bomb.push(`${to}: &${to} [${Array(10).fill(`*${from}`).join(",")}]`);
    }
    expect(complaints(bomb.join("\n")).join()).toContain("cannot be read");
  });

  test("an empty file, and a section with nothing but comments, mean the defaults", () => {
    expect(complaints("")).toEqual([]);
    expect(configOf({ file: yaml("limits:\n  # sessions_max: 1\n") })).toEqual(configOf({}));
  });
});

describe("the simulated inventory", () => {
  // both stages, VMSAv8-64, no stalls; 4 KiB granule (IHI 0070G.b §6.3.1, §6.3.6)
  const registers = "{ idr0: 0x0100000b, idr5: 0x10 }";
  const iommus = `iommus: [{ id: a, registers: ${registers} }, { id: b, registers: ${registers} }]`;

  test("SMMUs merge event records only when told to", () => {
    const text = `simulated: { ${iommus}, merge_events: `;
    expect(configOf({}).simulated.mergeEvents).toBe(false);
    expect(configOf({ file: yaml(`simulated: { ${iommus} }`) }).simulated.mergeEvents).toBe(false);
    expect(configOf({ file: yaml(`${text}true }`) }).simulated.mergeEvents).toBe(true);
    expect(complaints(`${text}1 }`).join()).toContain("simulated.merge_events: 1 must be true or false");
  });

  test("registers in hexadecimal, and StreamIDs and PASID bits, arrive as numbers", () => {
    const device = "{ id: d, iommu: b, group: 7, stream_ids: [0x10, 17], pasid_bits: 8 }";
    const { simulated } = configOf({ file: yaml(`simulated: { ${iommus}, devices: [${device}] }`) });
    expect(simulated.iommus).toEqual([
      { id: "a", registers: { idr0: 0x0100_000b, idr5: 0x10 } },
      { id: "b", registers: { idr0: 0x0100_000b, idr5: 0x10 } },
    ]);
    expect(simulated.devices).toEqual([{ id: "d", iommu: "b", group: 7, streamIDs: [16, 17], pasidBits: 8 }]);
  });

  test("a device may have an ATC and make page requests", () => {
    const device = (flags: string): string => `{ id: d, iommu: b, group: 7, stream_ids: [16], ${flags} }`;
    const of = (flags: string): string => `simulated: { ${iommus}, devices: [${device(flags)}] }`;
    expect(configOf({ file: yaml(of("ats: true, pri: true")) }).simulated.devices[0]).toMatchObject({
      ats: true,
      pri: true,
    });
    expect(configOf({ file: yaml(of("stall: true")) }).simulated.devices[0]).toMatchObject({ stall: true });
    expect(complaints(of("stall: maybe")).join()).toContain("must be true or false");
    expect(complaints(of("ats: 1")).join()).toContain("ats: 1 must be true or false");
  });

  test.each([
    ["{ id: d, iommu: c, group: 0, stream_ids: [1] }", '.iommu: "c" must be one of a, b'],
    ["{ id: d, iommu: a, group: 0, stream_ids: [] }", "must name 1 to 8"],
    ["{ id: d, iommu: a, group: 0, stream_ids: [1,2,3,4,5,6,7,8,9] }", "must name 1 to 8"],
    ["{ id: d, iommu: a, group: 0, stream_ids: [0x100000000] }", "below 2^32"],
    ["{ id: d, iommu: a, group: -1, stream_ids: [1] }", "below 2^31"],
    ["{ id: d, iommu: a, group: 0, stream_ids: [1], pasid_bits: 21 }", "from 0 to 20"],
    ["{ id: -d, iommu: a, group: 0, stream_ids: [1] }", "1 to 63 of A-Z"],
    ["{ id: d, iommu: a, group: 0 }", "stream_ids: is missing"],
    ["{ id: d, iommu: a, group: 0, stream_ids: [1, 1] }", "is a StreamID of d"],
    [
      "{ id: d, iommu: a, group: 0, stream_ids: [1] }, { id: d, iommu: a, group: 1, stream_ids: [2] }",
      "another device",
    ],
    ["{ id: d, iommu: a, group: 0, stream_ids: [1] }, { id: e, iommu: b, group: 0, stream_ids: [1] }", "behind a"],
  ])("%s is refused", (devices, expected) => {
    expect(complaints(`simulated: { ${iommus}, devices: [${devices}] }`).join("\n")).toContain(expected);
  });

  test("the same StreamID behind two SMMUs is two streams", () => {
    const devices = "{ id: d, iommu: a, group: 0, stream_ids: [1] }, { id: e, iommu: b, group: 1, stream_ids: [1] }";
    expect(complaints(`simulated: { ${iommus}, devices: [${devices}] }`)).toEqual([]);
  });

  test("a register wider than 32 bits, or unknown, is named with its line", () => {
    const text = "simulated:\n  iommus:\n    - id: a\n      registers: { idr0: 0x1ffffffff, idr9: 1 }";
    expect(complaints(text)).toEqual([
      "broker.yaml:4: simulated.iommus[0].registers.idr0: 8589934591 must be a whole number below 2^32, like 0x10",
      "broker.yaml:4: simulated.iommus[0].registers.idr9: is no setting: did you mean idr0?",
    ]);
  });

  test("ID registers that contradict each other are refused with the field, the rule and the remedy", () => {
    const given = "registers: { idr0: 0x0100000b, idr1: 0x7, idr5: 0x10 }"; // SIDSIZE 7, ST_LEVEL 0
    expect(complaints(`simulated:\n  iommus:\n    - id: a\n      ${given}`)).toEqual([
      "broker.yaml:4: simulated.iommus[0].registers.idr1: 7 has IDR1.SIDSIZE 7: 7 and more need IDR0.ST_LEVEL (IHI 0070 §6.3.2); set IDR0.ST_LEVEL to 1, or 0 to 6",
    ]);
  });

  test("a register that is left out reads as zero, and the SMMU is named", () => {
    const text = "simulated:\n  iommus:\n    - id: a\n      registers: { idr0: 0x0100000b }"; // no granule
    expect(complaints(text)).toEqual([
      'broker.yaml:3: simulated.iommus[0].id: "a" has IDR5.GRAN4K 0: at least one granule is there (IHI 0070 §6.3.6); set GRAN4K, GRAN16K or GRAN64K',
    ]);
  });

  test("nothing can change the built-in inventory for the next load", () => {
    const loaded = load({});
    if (loaded.ok) loaded.settings.simulated.devices.pop();
    expect(DEFAULT_INVENTORY.devices).toHaveLength(8);
    expect(configOf({}).simulated.devices).toHaveLength(8);
  });
});

describe("runtime paths", () => {
  test.each([
    [{ RUNTIME_DIRECTORY: "/run/iommu-broker" }, "/run/iommu-broker/broker.sock"],
    [{ RUNTIME_DIRECTORY: "/run/one:/run/two" }, "/run/one/broker.sock"],
    [{ XDG_RUNTIME_DIR: "/run/user/1000" }, "/run/user/1000/iommu-broker/broker.sock"],
    [{ RUNTIME_DIRECTORY: "relative", XDG_RUNTIME_DIR: "/run/user/1" }, "/run/user/1/iommu-broker/broker.sock"],
    [{}, join(tmpdir(), `iommu-broker-${process.getuid?.()}`, "broker.sock")],
  ])("with %j the socket is %s", (environment, expected) => {
    expect(configOf({ environment }).listen.socket).toBe(expected);
  });

  test("only a root in the runtime directory is created", () => {
    const file = yaml("memory_roots: ['runtime:memory', /srv/memory]");
    expect(configOf({ file, environment: { RUNTIME_DIRECTORY: "/run/b" } }).memoryRoots).toEqual([
      { path: "/run/b/memory", create: true },
      { path: "/srv/memory", create: false },
    ]);
  });
});

describe("--print-config", () => {
  test("what is printed gives the same configuration when it is loaded", () => {
    const loaded = load({ file: DEPLOYED, environment: { IOMMU_BROKER_LIMITS_SESSIONS_MAX: "7" } });
    if (!loaded.ok) throw new Error("the deployed file does not load");
    const again = load({ file: yaml(printConfig(loaded.settings, loaded.sourceOf)) });
    expect(again.ok && again.config).toEqual(loaded.config);
  });

  test("it tells what each setting is for, and where a value that was given comes from", () => {
    const loaded = load({ environment: { IOMMU_BROKER_LIMITS_SESSIONS_MAX: "7", IOMMU_BROKER_MEMORY_ROOTS: "/srv" } });
    if (!loaded.ok) throw new Error("the defaults do not load");
    const lines = printConfig(loaded.settings, loaded.sourceOf).split("\n");
    const at = lines.indexOf("  sessions_max: 7 # from IOMMU_BROKER_LIMITS_SESSIONS_MAX");
    expect(lines[at - 1]).toBe("  # Sessions at once.");
    expect(lines).toContain("# from IOMMU_BROKER_MEMORY_ROOTS");
    expect(lines).toContain("  connections_max: 256");
    expect(lines.filter((line) => line.includes("# from"))).toHaveLength(2);
  });

  test("every setting is explained", () => {
    const loaded = load({});
    if (!loaded.ok) throw new Error("the defaults do not load");
    const lines = printConfig(loaded.settings, loaded.sourceOf).split("\n");
    for (const { path } of LEAVES) {
      const name = path.at(-1) ?? "";
      const at = lines.findIndex((line) => line.trim().startsWith(`${name}:`));
      expect(lines[at - 1]?.trim(), path.join(".")).toMatch(/^# \S/);
    }
  });

  test("registers are printed as the manual writes them", () => {
    const loaded = load({});
    if (!loaded.ok) throw new Error("the defaults do not load");
    expect(printConfig(loaded.settings, loaded.sourceOf)).toContain("idr0: 0xd4c101b");
  });
});

describe("policy, admin and audit", () => {
  const rule = (text: string): string =>
    `policy:\n  rules:\n    - { name: a, who: { uid: [1] }, verbs: [read], ${text} }`;

  test.each([
    ["policy: { rules: [{ who: { uid: [1] }, verbs: [read] }] }", "policy.rules[0].name: is missing"],
    ["policy: { rules: [{ name: a b, who: { uid: [1] }, verbs: [read] }] }", '"a b" must be 1 to 63 of A-Z'],
    ["policy: { rules: [{ name: admin.uids, who: { uid: [1] }, verbs: [read] }] }", "take another"],
    ["policy: { rules: [{ name: a, verbs: [read] }] }", "policy.rules[0].who: is missing"],
    ["policy: { rules: [{ name: a, who: {}, verbs: [read] }] }", "must say something of the caller; anyone: true"],
    ["policy: { rules: [{ name: a, who: { anyone: true, uid: [1] }, verbs: [read] }] }", "must be anyone alone"],
    ["policy: { rules: [{ name: a, who: { anyone: false }, verbs: [read] }] }", "false must be true, or left out"],
    ["policy: { rules: [{ name: a, who: { uid: [root] }, verbs: [read] }] }", 'who.uid[0]: "root" must be a whole'],
    ["policy: { rules: [{ name: a, who: { uid: [] }, verbs: [read] }] }", "must name at least one of uids"],
    ["policy: { rules: [{ name: a, who: { user: [1] }, verbs: [read] }] }", "who.user: is no setting"],
    ["policy: { rules: [{ name: a, who: { executable: [''] }, verbs: [read] }] }", "must be 1 to 256 characters"],
    ["policy: { rules: [{ name: a, who: { uid: [1] }, verbs: [AtachDevice] }] }", "did you mean AttachDevice?"],
    ["policy: { rules: [{ name: a, who: { uid: [1] }, verbs: [] }] }", "must name at least one RPC or group"],
    ["policy: { rules: [{ name: a, who: { uid: [1] } }] }", "policy.rules[0].verbs: is missing"],
    [rule("effect: maybe"), 'broker.yaml:3: policy.rules[0].effect: "maybe" must be "allow" or "deny"'],
    [rule("effect: deny, quotas: { devices: 1 }"), "must not deny and give quotas"],
    [rule("quotas: { burst: 5 }"), "quotas.burst: 5 must come with calls_per_second"],
    [rule("quotas: { sesions: 5 }"), "quotas.sesions: is no setting: did you mean sessions?"],
    [rule("groups: [-1]"), "groups[0]: -1 must be a whole number from 0"],
    [rule("priority: 1001"), "1001 must be a whole number from -1000 to 1000"],
    [
      "policy: { rules: [{ name: a, who: { uid: [1] }, verbs: [all] }, { name: a, who: { gid: [1] }, verbs: [all] }] }",
      'policy.rules[1].name: "a" is the name of another rule: names are unique',
    ],
    ["admin: { socket: 'runtime:broker.sock' }", "is listen.socket too"],
    ["admin: { uids: 0 }", "admin.uids: 0 must be a list of uids"],
    ["audit: { destination: stdout }", 'audit.destination: "stdout" must be an absolute path'],
  ])("%s is refused", (text, expected) => {
    expect(complaints(text).join("\n")).toContain(expected);
  });

  test("a rule that allows by executable alone is refused: whoever makes a container's image names it", () => {
    const by = (who: string, effect: string): string =>
      complaints(`policy: { rules: [{ name: a, effect: ${effect}, who: { ${who} }, verbs: [read] }] }`).join("\n");
    expect(by("executable: [/usr/bin/qemu]", "allow")).toContain("must name uid, gid or cgroup beside executable");
    expect(by("executable: [/usr/bin/qemu]", "deny")).toBe("");
    for (const anchor of ["uid: [1]", "gid: [1]", "cgroup: [/vm/*]"]) {
      expect(by(`executable: [/usr/bin/qemu], ${anchor}`, "allow")).toBe("");
    }
  });

  test("a rule becomes what core decides by, a burst is one second's calls unless given", () => {
    const text = `
policy:
  rules:
    - name: vms
      who: { uid: [107], gid: [36], executable: [/usr/bin/qemu*], cgroup: [/vm/*], certificate: ["spiffe://a/*"] }
      verbs: [read, AttachDevice]
      devices: ["0000:01:*"]
      groups: [4]
      memory_paths: [/dev/shm/*]
      quotas: { sessions: 1, devices: 2, mapped_bytes: 3, fault_streams: 4, calls_per_second: 5 }
      priority: 6
      may_preempt: true
    - { name: tcp, effect: deny, who: { tcp_unauthenticated: true }, verbs: [all] }
    - { name: rest, who: { anyone: true }, verbs: [read] }`;
    const nothing = { devices: undefined, memoryPaths: undefined, quotas: {}, rate: undefined };
    expect(configOf({ file: yaml(text) }).policyRules).toEqual([
      {
        name: "vms",
        effect: "allow",
        who: [
          { fact: "uid", oneOf: [107] },
          { fact: "gid", oneOf: [36] },
          { fact: "executable", oneOf: ["/usr/bin/qemu*"] },
          { fact: "cgroup", oneOf: ["/vm/*"] },
          { fact: "certificate", oneOf: ["spiffe://a/*"] },
        ],
        verbs: ["read", "AttachDevice"],
        devices: { ids: ["0000:01:*"], groups: [4] },
        memoryPaths: ["/dev/shm/*"],
        quotas: { sessions: 1, devices: 2, mapped_bytes: 3, fault_streams: 4 },
        rate: { perSecond: 5, burst: 5 },
        priority: 6,
        mayPreempt: true,
      },
      {
        name: "tcp",
        effect: "deny",
        who: [{ fact: "tcp_unauthenticated" }],
        verbs: ["all"],
        ...nothing,
        priority: 0,
        mayPreempt: false,
      },
      { name: "rest", effect: "allow", who: [], verbs: ["read"], ...nothing, priority: 0, mayPreempt: false },
    ]);
  });

  test("the policy that is printed is the policy that was read", () => {
    const text = "policy:\n  rules:\n    - { name: a, who: { uid: [1] }, verbs: [read], quotas: { devices: 1 } }";
    const loaded = load({ file: yaml(text) });
    if (!loaded.ok) throw new Error("not loaded");
    const printed = printConfig(loaded.settings, loaded.sourceOf);
    expect(configOf({ file: yaml(printed) }).policyRules).toEqual(loaded.config.policyRules);
  });

  test.each([
    ["log", { kind: "log" }],
    ["off", { kind: "off" }],
    ["/var/log/broker/audit.log", { kind: "file", path: "/var/log/broker/audit.log" }],
    ["runtime:audit.log", { kind: "file", path: "/run/b/audit.log" }],
  ])("audit lines to %s", (destination, expected) => {
    const assignments = [{ path: "audit.destination", text: destination, source: "test" }];
    expect(configOf({ assignments, environment: { RUNTIME_DIRECTORY: "/run/b" } }).audit).toEqual(expected);
  });
});
