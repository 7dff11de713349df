// The commands of iommuctl against a real daemon: looking, and work by hand from an open session to a closed one; for people, as
// JSON, and wrong on purpose.

import { once } from "node:events";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BrokerProcess, startBroker } from "../../examples/support/broker-process.ts";
import { run } from "../../src/cli/program.ts";
import { type BrokerClient, connect } from "../../src/client/client.ts";
import { sparseFile } from "../support/e2e-world.ts";
import { iommuctlHere as iommuctl, type Run, SILENT } from "../support/iommuctl-process.ts";

const DEVICE = "0000:01:00.0";
const ELSEWHERE = "0001:01:00.0";
const UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";

let broker: BrokerProcess;
let client: BrokerClient;
let environment: Record<string, string>;
let tokens = 0;

beforeAll(async () => {
  broker = await startBroker();
  client = connect(broker.target);
  environment = { IOMMUBROKER_SOCKET: broker.socket, IOMMUBROKER_ADMIN_SOCKET: broker.adminSocket };
});

afterAll(async () => {
  client.close();
  expect(await broker.stop()).toBe(0);
});

/** One that must succeed. */
async function done(...argv: readonly string[]): Promise<string> {
  const { code, err, out } = await iommuctl(argv, environment);
  expect({ argv, code, err }).toEqual({ argv, code: 0, err: "" });
  return out;
}

async function doneJson(...argv: readonly string[]): Promise<unknown> {
  return JSON.parse(await done(...argv, "--json"));
}

async function refused(...argv: readonly string[]): Promise<Run> {
  const run = await iommuctl(argv, environment);
  expect([argv, run.out]).toEqual([argv, ""]);
  return run;
}

/** An open session, closed with `close()`. */
async function opened(...more: readonly string[]) {
  tokens += 1;
  const file = join(broker.directory, `hand-${tokens}`);
  const text = await done("session", "open", "--token-file", file, ...more);
  const token = ["--token-file", file];
  return { file, text, token, close: async () => done("session", "close", ...token) };
}

describe("looking", () => {
  test("devices are rows for people, names with --quiet, messages as JSON", async () => {
    const text = await done("devices");
    expect(text.split("\n").slice(0, 2)).toEqual([
      "DEVICE        IOMMU  GROUP  STATE           OWNER  GENERATION  WAITERS",
      "0000:00:01.0  smmu0  0      default-domain  -      0           0",
    ]);
    expect((await done("devices", "-q")).split("\n")).toContain(DEVICE);
    expect(await doneJson("devices", "--iommu", "smmu1")).toMatchObject({
      devices: [
        { name: "devices/0001:00:01.0", iommu: "iommus/smmu1", state: "STAGE_STATE_DEFAULT_DOMAIN", generation: "0" },
        { name: `devices/${ELSEWHERE}` },
      ],
    });
    expect(await done("devices", "-q", "--group", "3")).toBe("0000:02:00.0\n0000:02:00.1\n0000:02:00.2\n");
    expect(await done("devices", "-q", DEVICE)).toBe(`${DEVICE}\n`);
  });

  test("a device that is not there exits 5 and says how to find one", async () => {
    const { code, err } = await refused("devices", "0000:ff:00.0");
    expect(code).toBe(5);
    expect(err).toMatch(/DEVICE_UNKNOWN[\s\S]*iommuctl devices lists/);
  });

  test("capabilities are of all IOMMUs, of one, or of a device, by name with or without its folder", async () => {
    const all = await doneJson("capabilities");
    expect(all).toMatchObject({
      backend: "BACKEND_KIND_SIMULATED",
      iommus: [
        // IDR1 0x02730510 of deploy/simulated.yaml: SSIDSIZE, bits 10:6, is 20 (IHI 0070 §6.3.2)
        { name: "iommus/smmu0", architecture: "IOMMU_ARCHITECTURE_ARM_SMMUV3", substreamIdBits: 20 },
        { name: "iommus/smmu1", substreamIdBits: 8 },
      ],
    });
    for (const name of ["smmu1", "iommus/smmu1"]) {
      expect(await doneJson("capabilities", name)).toMatchObject({ iommus: [{ name: "iommus/smmu1" }] });
    }
    for (const name of [DEVICE, `devices/${DEVICE}`]) {
      expect(await doneJson("capabilities", name)).toMatchObject({
        device: { name: `devices/${DEVICE}`, pasidBits: 20, apertureFirst: "0" },
      });
    }
    const text = await done("capabilities", "smmu0", "--fields");
    expect(text).toMatch(/^iommus\/smmu0$/m);
    expect(text).toMatch(/^ {2}SubstreamID \(PASID\) +20 bits$/m);
    expect(text).toMatch(/^ {2}IDR1 +0x0273_0510, a guest's 0x/m);
    expect(text).toMatch(/^ {2}IDR1\.SSIDSIZE +\[10:6\] 20: /m);
  });

  test("sessions are listed on the admin socket, with whose they are and what they hold, and no token", async () => {
    const { close, file, token } = await opened("--ttl", "5m", "--name", "on call");
    await done("attach", DEVICE, ...token);
    const text = await done("sessions");
    expect(text).toMatch(new RegExp(`^${UUID}  on call  pid \\d+ of uid \\d+ .*live .*4m\\d+s .*${DEVICE}$`, "m"));
    const json = await done("sessions", "--json");
    expect(JSON.parse(json)).toMatchObject({
      sessions: [
        {
          session: { liveness: "LIVENESS_TTL", leaseTtlMs: 300_000, state: "SESSION_STATE_LIVE" },
          state: "ADMIN_SESSION_STATE_LIVE",
          devices: [`devices/${DEVICE}`],
          mappedBytes: "0",
        },
      ],
    });
    expect(text + json).not.toContain(readFileSync(file, "utf8").trim());
    await close();
    expect(await doneJson("sessions")).toEqual({ sessions: [] });
  });

  test("sessions on a socket of the API exit 9: it does not serve them", async () => {
    expect(await refused("sessions", "--admin-socket", broker.socket)).toMatchObject({ code: 9 });
  });
});

test("a broker that does not answer exits 7 after --timeout", async () => {
  const silent = createServer().listen(join(broker.directory, "silent.sock"));
  await once(silent, "listening");
  const argv = ["devices", "--socket", join(broker.directory, "silent.sock"), "--timeout", "200ms"];
  const { code, err } = await refused(...argv);
  silent.close();
  expect(code).toBe(7);
  expect(err).toMatch(/no answer in time[\s\S]*--timeout/);
});

describe("a session by hand", () => {
  test("is opened into a new file of mode 0600, and its token is told nowhere", async () => {
    const { close, file, text } = await opened();
    expect(statSync(file).mode % 0o1000).toBe(0o600);
    expect(text).toMatch(new RegExp(`^sessions/${UUID} is open\n  token in .*, lease 10m0s\n$`));
    expect(text).not.toContain(readFileSync(file, "utf8").trim());
    await close();
  });

  test("tells as JSON what was agreed, and not the token", async () => {
    const file = join(broker.directory, "as-json");
    const terms = ["--ttl", "90s", "--grace", "1m", "--name", "x"];
    const out = await done("session", "open", ...terms, "--token-file", file, "--json");
    expect(JSON.parse(out)).toEqual({
      session: {
        name: expect.stringMatching(new RegExp(`^sessions/${UUID}$`)),
        displayName: "x",
        leaseTtlMs: 90_000,
        graceMs: 60_000,
      },
      tokenFile: file,
    });
    expect(out).not.toContain(readFileSync(file, "utf8").trim());
    expect(await doneJson("session", "close", "--token-file", file)).toEqual({ closed: true });
  });

  test("leaves no file behind when it cannot be opened", async () => {
    const file = join(broker.directory, "never");
    const { code, err } = await refused("session", "open", "--ttl", "10d", "--token-file", file);
    expect(code).toBe(10);
    expect(err).toMatch(/ARGUMENT_INVALID\): lease_ttl_ms/);
    expect(() => statSync(file)).toThrow(/ENOENT/);
  });

  test("does not write over a file that is there", async () => {
    const file = join(broker.directory, "precious");
    writeFileSync(file, "precious", { mode: 0o600 });
    expect(await refused("session", "open", "--token-file", file)).toMatchObject({ code: 64 });
    expect(readFileSync(file, "utf8")).toBe("precious");
  });

  test("lapses when nobody renews it, keeps what it has for its grace, and comes back", async () => {
    const { close, token } = await opened("--ttl", "2s", "--grace", "1m");
    await done("attach", DEVICE, ...token);
    await expect
      .poll(async () => await doneJson("sessions"), { timeout: 20_000 })
      .toMatchObject({ sessions: [{ state: "ADMIN_SESSION_STATE_LOST" }] });
    const lost = await refused("session", "keep", "--once", ...token);
    expect(lost.code).toBe(3);
    expect(lost.err).toMatch(/LEASE_EXPIRED[\s\S]*session resume brings it back/);
    expect(await doneJson("session", "resume", ...token)).toMatchObject({
      holdings: { devices: [{ device: `devices/${DEVICE}` }] },
    });
    await close();
    const { code, err } = await refused("session", "show", ...token);
    expect(code).toBe(3);
    expect(err).toMatch(/LEASE_EXPIRED[\s\S]*session open/);
  });

  test("is kept for as long as it is wanted, longer than its lease", async () => {
    const { close, token } = await opened("--ttl", "2s");
    await done("attach", DEVICE, ...token);
    const stop = new AbortController();
    let out = "";
    const keeping = run(["session", "keep", "--json", ...token], {
      ...SILENT,
      environment,
      out: (text) => {
        out += text;
      },
      gone: stop.signal,
    });
    await expect.poll(() => out.split("\n").length, { timeout: 20_000 }).toBeGreaterThan(6); // three a lease
    expect((await client.getDevice(`devices/${DEVICE}`)).owner).not.toBe("");
    stop.abort();
    expect(await keeping).toBe(0);
    expect(
      out
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line)),
    ).toContainEqual({ leaseMs: 2000 });
    await close();
  });

  test("stands in line for longer than its lease", async () => {
    const owner = await opened("--name", "vm 2");
    await done("attach", DEVICE, ...owner.token);
    const { close, token } = await opened("--ttl", "2s");
    const waiting = iommuctl(["attach", DEVICE, "--wait", "1m", ...token], environment);
    await expect.poll(async () => (await client.getDevice(`devices/${DEVICE}`)).waiters).toBe(1);
    const began = performance.now();
    await expect.poll(() => performance.now() - began).toBeGreaterThan(3000); // a lease and a half passes, and it does not lapse
    await done("detach", DEVICE, ...owner.token);
    expect(await waiting).toMatchObject({ code: 0, out: expect.stringContaining('owner "by hand"') });
    await owner.close();
    await close();
  });

  test("that lives with a VMM's process is not taken from it", async () => {
    const vmm = await client.openSession({ displayName: "vmm" });
    expect(vmm.leaseTtlMs).toBe(0);
    const file = join(broker.directory, "vmm");
    writeFileSync(file, vmm.token, { mode: 0o600 });
    const token = ["--token-file", file];
    for (const argv of [
      ["session", "show"],
      ["session", "keep"],
      ["attach", DEVICE],
    ]) {
      const { code, err } = await refused(...argv, ...token);
      expect([argv, code]).toEqual([argv, 64]);
      expect(err).toMatch(/lives with its process/);
    }
    const { name } = await vmm.createAddressSpace();
    expect(await done("attach", DEVICE, "--address-space", name, ...token)).toContain('owner "vmm"');
    expect((await client.getDevice(`devices/${DEVICE}`)).owner).toBe(vmm.name);
    await vmm.close();
  });
});

describe("work by hand", () => {
  test("goes from attach over map, bind and unbind to detach, each with the device as it then is", async () => {
    const { close, token } = await opened();
    const ram = sparseFile(broker, "ram", 8 * 2 ** 20);
    const attached = await done("attach", DEVICE, ...token);
    expect(attached).toMatch(
      new RegExp(
        `^${DEVICE} guest-abort, owner "by hand", group 2, generation \\d+\n  virtualIommus/${UUID}, made for it\n  addressSpaces/${UUID}, made for it\n$`,
      ),
    );
    expect(await done("map", "--file", ram, "--ipa", "0x4000_0000", "--bytes", "2M", ...token)).toMatch(
      new RegExp(`^mapped: addressSpaces/${UUID} has 2 MiB in 1 mapping\n$`),
    );
    const fields = ["--vsid", "0x42", "--s1-context-ptr", "0x4000_0000"];
    const preview = await done("bind", DEVICE, ...fields, "--validate-only", ...token);
    // The memory is all zero, so is the CD: V=0 (IHI 0070 §5.4)
    expect(preview).toMatch(/^nothing installed; stage 1 would translate\n {2}host STE \[0\] 0x[\d_a-f]{19}$/m);
    expect(preview).toMatch(/^ {2}would fault: C_BAD_CD, V is 0$/m);
    expect(preview).toMatch(/^ {2}now: .*guest-abort/m);
    expect(await done("bind", DEVICE, ...fields, ...token)).toMatch(/guest-nested, .*0x42, stage 1 translate\n$/);
    expect(await doneJson("devices", DEVICE, ...token)).toMatchObject({
      // STE.V=1, Config=0b101, S1ContextPtr=0x4000_0000 (IHI 0070 §5.2)
      devices: [{ virtualStreamId: 0x42, installedVste: [String(0x4000_000b), "0"] }],
    });
    expect(await done("explain", DEVICE, "0x1000", ...token)).toContain("C_BAD_CD");
    expect(await done("unbind", DEVICE, ...token)).toMatch(/ nest-parent, /);
    expect(await doneJson("bind", DEVICE, "--ste", "0x4000_000b,0", ...token)).toMatchObject({
      mode: "STAGE1_MODE_TRANSLATE",
      device: { state: "STAGE_STATE_GUEST_NESTED" },
      hostSte: [],
    });
    expect(await done("bind", DEVICE, "--mode", "abort", ...token)).toMatch(/stage 1 abort\n$/);
    const more = ["--file", ram, "--ipa", "0x8000_0000", "--bytes", "64K", "--offset", "1M", "--access", "ro"];
    expect(await doneJson("map", ...more, ...token)).toMatchObject({
      // 2 MiB and 64 KiB
      addressSpace: { pinning: "PINNING_POLICY_EAGER", mappingCount: 2, mappedBytes: "2162688", populated: true },
    });
    expect(await doneJson("unmap", "--ipa", "0x8000_0000", "--bytes", "64K", ...token)).toMatchObject({
      unmappedBytes: "65536",
      addressSpace: { mappingCount: 1 },
    });
    expect(await done("unmap", "--ipa", "0x4000_0000", "--bytes", "2M", ...token)).toMatch(
      /^unmapped 2 MiB: .* has 0 B/,
    );
    expect(await doneJson("detach", DEVICE, ...token)).toMatchObject({ device: { owner: "", attached: false } });
    await close();
  });

  test("a second device goes to the virtual IOMMU that is there, and nothing is made", async () => {
    const { close, token } = await opened();
    const first = await doneJson("attach", DEVICE, "--mode", "bypass", ...token);
    expect(first).toMatchObject({ device: { state: "STAGE_STATE_NEST_PARENT" } });
    expect(await doneJson("attach", "0000:00:01.0", ...token)).toMatchObject({ made: [] });
    expect(await done("devices", "-q", "--mine", ...token)).toBe(`0000:00:01.0\n${DEVICE}\n`);
    const shown = await done("session", "show", ...token);
    expect(shown.match(/^(?:virtualIommus|addressSpaces|devices)\//gm)).toEqual([
      "addressSpaces/",
      "virtualIommus/",
      "devices/",
      "devices/",
    ]);
    await close();
  });

  test("what was made for a device that cannot be attached is gone again", async () => {
    const { close, token } = await opened();
    const other = await opened("--name", "vm 2");
    await done("attach", DEVICE, ...other.token);
    const { code, err } = await refused("attach", DEVICE, ...token);
    expect(code).toBe(3);
    expect(err).toMatch(/DEVICE_OWNED\).*"vm 2"/);
    expect(await done("session", "show", ...token)).toMatch(/^lease .*\n$/);
    await other.close();
    await close();
  });

  test("among several a name is asked for, and the names are told", async () => {
    const { close, file, token } = await opened();
    const session = client.sessionOf(readFileSync(file, "utf8").trim());
    const names = [await session.createAddressSpace(), await session.createAddressSpace()].map(({ name }) => name);
    for (const argv of [
      ["attach", DEVICE],
      ["unmap", "--ipa", "0", "--bytes", "4K"],
    ]) {
      const { code, err } = await refused(...argv, ...token);
      expect(code).toBe(64);
      for (const name of names) expect(err).toContain(name);
    }
    expect(await done("attach", DEVICE, "--address-space", names[1]!, ...token)).toContain(`  ${names[1]}\n`);
    await close();
  });

  test.each<[string, string[], number, RegExp]>([
    [
      "a file that is not beneath a memory root",
      ["map", "--file", "/none", "--ipa", "0", "--bytes", "4K"],
      6,
      /outside the memory roots/,
    ],
    [
      "a device that is nobody's",
      ["bind", DEVICE, "--mode", "bypass"],
      3,
      /TRANSITION_ILLEGAL.*attach the device first/,
    ],
    ["a generation of before", ["detach", DEVICE, "--generation", "9999"], 3, /./],
    ["nothing to bind", ["bind", DEVICE], 64, /give --ste, --s1-context-ptr or --mode/],
    ["an STE and a field", ["bind", DEVICE, "--ste", "1,0", "--s1-fmt", "1"], 64, /--ste has all fields/],
    ["half an STE", ["bind", DEVICE, "--ste", "1"], 64, /Write both doublewords/],
    ["no size", ["map", "--file", "x", "--ipa", "0"], 64, /--bytes <size>' not specified/],
    ["no memory", ["unmap", "--ipa", "0", "--bytes", "4K"], 64, /has no address space/],
  ])("%s is refused", async (_what, argv, code, message) => {
    const { close, token } = await opened();
    const run = await refused(...argv, ...token);
    await close();
    expect([run.code, run.err]).toEqual([code, expect.stringMatching(message)]);
  });
});
