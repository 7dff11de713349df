// iommuctl explain as a process against a real daemon: one guest, broken in one place after the other, and every way to
// call it wrongly.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BrokerProcess, startBroker } from "../../examples/support/broker-process.ts";
import { type BrokerClient, type BrokerSession, connect, Stage1Mode } from "../../src/client/client.ts";
import { GUEST_FILE_BYTES, GUEST_RAM, LAYOUT, PAGE, writeGuestTables } from "../support/e2e-guest-tables.ts";
import { sparseFile } from "../support/e2e-world.ts";
import { IOMMUCTL, iommuctl, type Run } from "../support/iommuctl-process.ts";
import { LEAF } from "../support/smmuv3-tables.ts";

const DEVICE = "0000:01:00.0";
/** The guest has seven pages: the third data page is in its tables and not in its memory. */
const MAPPED_BYTES = 7 * PAGE;

let broker: BrokerProcess;
let client: BrokerClient;
let session: BrokerSession;
let addressSpace: string;
let tokenFile: string;

beforeAll(async () => {
  broker = await startBroker();
  client = connect(broker.target);
  session = await client.openSession({ displayName: "vm 1" });
  const path = sparseFile(broker, "ram", GUEST_FILE_BYTES);
  writeGuestTables(path);
  ({ name: addressSpace } = await session.createAddressSpace());
  const mapping = { ipa: BigInt(GUEST_RAM), bytes: BigInt(MAPPED_BYTES), source: 0, readable: true, writable: true };
  await session.mapMemory({ addressSpace, sources: [{ path }], mappings: [mapping] });
  const { name: virtualIommu } = await session.createVirtualIommu({ addressSpace, iommus: ["iommus/smmu0"] });
  await session.attachDevice({ device: `devices/${DEVICE}`, virtualIommu });
  tokenFile = join(broker.directory, "token");
  writeFileSync(tokenFile, `${session.token}\n`, { mode: 0o600 });
  await bind();
});

afterAll(async () => {
  client.close();
  expect(await broker.stop()).toBe(0);
});

/** The guest's stage 1; `change` puts something else into its STE. */
async function bind(change: { s1ContextPtr?: bigint; s1CdMax?: number } = {}): Promise<void> {
  const fields = { mode: Stage1Mode.STAGE1_MODE_TRANSLATE, s1ContextPtr: BigInt(GUEST_RAM + LAYOUT.cd), ...change };
  await session.bindGuestStage({ device: `devices/${DEVICE}`, virtualStreamId: 0x42, fields });
}

/** One that must be explained. */
async function explained(iova: string, ...more: string[]): Promise<string> {
  const { code, err, out } = await iommuctl([
    ...["explain", DEVICE, iova, "--socket", broker.socket, "--token-file", tokenFile],
    ...more,
  ]);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return out;
}

/** The line of the end. */
function endOf(text: string): string | undefined {
  return text.split("\n").find((line) => line.trimStart().startsWith("="));
}

/** The structure and address of the last step, and what was decided there. */
function lastStep(text: string): string | undefined {
  return text.split("\n").findLast((line) => /^ *\d+ {2}/.test(line));
}

describe("an address that translates", () => {
  test("is walked from the STE to the page, every descriptor with its address and value", async () => {
    const text = await explained("0x1123");
    // CD: T0SZ 16, EPD1, V, IPS 48 bits, AA64, R, A, ASID 1 (IHI 0070 §5.4), its tables at LAYOUT.level0
    expect(text.split("\n").slice(0, 16)).toEqual([
      "devices/0000:01:00.0, read of 0x1123, virtual StreamID 0x42",
      "",
      "  1  STE                                          Config is 0b111: stage 1 is the guest's, stage 2 the host's  §5.2",
      "     V=1 Config=7 S1ContextPtr=0x100_0000",
      "  2  stage 2, for CD             IPA 0x4000_0000  mapped by 4 KiB, readable and writable  §3.4",
      "  3  CD                          IPA 0x4000_0000  SubstreamID 0 has its translation here  §5.4",
      "     0x0001_6205_c000_0010 0x0000_0000_4000_1000",
      "     T0SZ=0x10 EPD1=1 V=1 IPS=5 AA64=1 R=1 A=1 ASID=1 TTB0=0x400_0100",
      "  4  stage 1                                      0x1123 goes through TTB0  §3.4, §5.4",
      "  5  stage 2, for TTD            IPA 0x4000_1000  mapped by 4 KiB, readable and writable  §3.4",
      "  6  stage 1 level 0 descriptor  IPA 0x4000_1000  the next table is at 0x4000_2000  §3.4, DDI 0487 D8.3",
      "     0x0000_0000_4000_2003",
      "     Valid=1 Table=1 NextLevel=0x4_0002",
      "  7  stage 2, for TTD            IPA 0x4000_2000  mapped by 4 KiB, readable and writable  §3.4",
      "  8  stage 1 level 1 descriptor  IPA 0x4000_2000  the next table is at 0x4000_3000  §3.4, DDI 0487 D8.3",
      "     0x0000_0000_4000_3003",
    ]);
    expect(endOf(text)).toBe("  =  translates to IPA 0x4000_5123, in a page or block of 4 KiB");
  });

  test("is as the README shows it, also where stage 2 ends it", async () => {
    const readme = readFileSync("README.md", "utf8");
    const [, command, shown] = /```console\n\$ (npm run -s iommuctl[^\n]*)\n([\s\S]*?)```/.exec(readme) ?? [];
    expect(command).toContain(`iommuctl -- explain ${DEVICE} 0x3008 --token-file`);
    const text = await explained("0x3008");
    const parts = shown?.split("…\n") ?? [];
    expect(parts).toHaveLength(2);
    for (const part of parts) expect(text).toContain(part);
  });

  test("keeps to the columns that it is told, and has no colours in a pipe", async () => {
    const argv = ["explain", DEVICE, "0x1123", "--socket", broker.socket, "--token-file", tokenFile];
    const { out } = await iommuctl(argv, { COLUMNS: "60" });
    expect(Math.max(...out.split("\n").map((line) => line.length))).toBeLessThanOrEqual(60);
    expect(out).not.toContain("\u001b");
  });

  test("is told as JSON, by the device's full name, with the token from the environment", async () => {
    const { code, out } = await iommuctl(
      ["explain", `devices/${DEVICE}`, "4387", "--json", "--privileged", "--socket", broker.socket],
      { IOMMUBROKER_SESSION_TOKEN: session.token },
    );
    expect(code).toBe(0);
    const answer: unknown = JSON.parse(out);
    expect(answer).toMatchObject({
      device: `devices/${DEVICE}`,
      virtualStreamId: 0x42,
      end: { outcome: "TRANSACTION_OUTCOME_OK", ipa: String(GUEST_RAM + LAYOUT.data + 0x123), pageBytes: "4096" },
    });
    expect(out).not.toContain('"pa"');
  });

  test("shows the host's addresses where hardware may be played", async () => {
    const text = await explained("0x1123", "--host-addresses");
    const { windows } = await session.simulator.readStructures({ device: `devices/${DEVICE}` });
    const pa = Number(windows[0]!.pa) + LAYOUT.data + 0x123;
    expect(endOf(text)?.replaceAll("_", "")).toContain(`, PA 0x${pa.toString(16)}, in a page`);
    expect(text).toMatch(/stage 2 level 3 descriptor, for IN/);
  });
});

interface Broken {
  readonly breakIt?: () => Promise<void>;
  readonly mend?: () => Promise<void>;
  readonly iova: string;
  readonly more?: readonly string[];
  readonly end: string;
  readonly last: RegExp;
}

const LEAF_OF_PAGE_2 = BigInt(GUEST_RAM + LAYOUT.level3 + 2 * 8);

/** Changes a doubleword of the guest by exclusive or. */
async function flip(ipa: bigint, bits: bigint): Promise<void> {
  const { simulator } = session;
  const word = new DataView(Uint8Array.from(await simulator.readMemory(addressSpace, ipa, 8)).buffer);
  word.setBigUint64(0, word.getBigUint64(0, true) ^ bits, true);
  await simulator.writeMemory(addressSpace, ipa, new Uint8Array(word.buffer));
}

const ABORTED = "terminated with an abort, an event is recorded";
const BROKEN: Readonly<Record<string, Broken>> = {
  "in the STE": {
    breakIt: () => bind({ s1CdMax: 31 }),
    mend: () => bind(),
    iova: "0x1000",
    end: `C_BAD_STE: ${ABORTED}`,
    last: /STE +STE\.S1CDMax 31 is above IDR1\.SSIDSIZE 20/,
  },
  "in the context descriptor": {
    breakIt: () => flip(BigInt(GUEST_RAM + LAYOUT.cd), 1n << 31n), // V, §5.4
    mend: () => flip(BigInt(GUEST_RAM + LAYOUT.cd), 1n << 31n),
    iova: "0x1000",
    end: `C_BAD_CD: ${ABORTED}`,
    last: /CD +.*C_BAD_CD {2}§5\.4\.1/,
  },
  "where its pointer leads to no memory": {
    breakIt: () => bind({ s1ContextPtr: 0x8_0000_0000n }),
    mend: () => bind(),
    iova: "0x1000",
    end: `F_TRANSLATION, stage 2, class CD, IPA 0x8_0000_0000: ${ABORTED}`,
    last: /stage 2, for CD +IPA 0x8_0000_0000 +not mapped/,
  },
  "in stage 1, which has no page there": {
    iova: "0x9000",
    end: `F_TRANSLATION, stage 1, class IN: ${ABORTED}`,
    last: /stage 1 level 3 descriptor +IPA 0x4000_4048 +it is not valid at this level/,
  },
  "in stage 1, at the end of 64 bits": {
    iova: "0xffff_ffff_ffff_ffff",
    end: `F_TRANSLATION, stage 1, class IN: ${ABORTED}`,
    last: /stage 1 .*CD\.EPD1 is 1/,
  },
  "in stage 1, which lets nobody write": {
    breakIt: () => flip(LEAF_OF_PAGE_2, LEAF.READ_ONLY),
    mend: () => flip(LEAF_OF_PAGE_2, LEAF.READ_ONLY),
    iova: "0x2000",
    more: ["--access", "write"],
    end: `F_PERMISSION, stage 1, class IN: ${ABORTED}`,
    last: /descriptor\.AP\[2:1\] is 0b11: read-only, and this is an unprivileged write/,
  },
  "in stage 2, which has no memory there": {
    iova: "0x3008",
    end: `F_TRANSLATION, stage 2, class IN, IPA 0x4000_7008: ${ABORTED}`,
    last: /stage 2, for IN +IPA 0x4000_7008 +not mapped/,
  },
  "at a SubstreamID that has no context descriptor": {
    iova: "0x1000",
    more: ["--substream", "5"],
    end: `C_BAD_SUBSTREAMID: ${ABORTED}`,
    last: /STE +SubstreamID 5 has no CD here/,
  },
};

describe.each(Object.entries(BROKEN))(
  "a walk that ends %s",
  (_where, { breakIt, end, iova, last, mend, more = [] }) => {
    test("is explained to the step that decides, and exits 0", async () => {
      await breakIt?.();
      const text = await explained(iova, ...more);
      await mend?.();
      expect(endOf(text)?.trim()).toBe(`=  ${end}`);
      expect(lastStep(text)).toMatch(last);
    });
  },
);

describe("refusals", () => {
  async function refusedBy(argv: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Run> {
    return await iommuctl(["explain", ...argv, "--socket", broker.socket], environment);
  }

  test.each([
    [
      "a device that is not there",
      5,
      ["0000:ff:00.0", "0"],
      /DEVICE_UNKNOWN\): no device 0000:ff:00\.0\n {2}iommuctl devices/,
    ],
    ["a device of nobody", 3, ["0000:00:01.0", "0"], /NOT_OWNER\).*attach it first/],
    ["no name of a device", 10, ["..", "0"], /ARGUMENT_INVALID\): device: must be devices\/\{id\}/],
    [
      "a StreamID that the device has not",
      10,
      [DEVICE, "0", "--stream-index", "1"],
      /ARGUMENT_INVALID\): stream_index/,
    ],
  ])("%s exits %d with the broker's words", async (_what, exit, argv, message) => {
    const { code, err, out } = await refusedBy([...argv, "--token-file", tokenFile]);
    expect([code, out]).toEqual([exit, ""]);
    expect(err).toMatch(message);
  });

  test("another session's device exits 3 and names the owner", async () => {
    const other = await client.openSession({ displayName: "vm 2", keepAlive: false });
    const { code, err } = await refusedBy([DEVICE, "0"], { IOMMUBROKER_SESSION_TOKEN: other.token });
    await other.close();
    expect(code).toBe(3);
    expect(err).toMatch(/DEVICE_OWNED\).*"vm 1"[\s\S]*owner's session/);
    const late = await refusedBy([DEVICE, "0"], { IOMMUBROKER_SESSION_TOKEN: other.token });
    expect(late.code).toBe(3);
    expect(late.err).toMatch(/LEASE_EXPIRED/);
  });

  test("a token of another daemon exits 6 with where a good one goes, and is not repeated", async () => {
    const { code, err } = await refusedBy([DEVICE, "0"], { IOMMUBROKER_SESSION_TOKEN: "stale-token" });
    expect(code).toBe(6);
    expect(err).toMatch(/UNAUTHENTICATED[\s\S]*--token-file/);
    expect(err).not.toContain("stale-token");
  });

  test("host addresses where nobody may play hardware exit 6", async () => {
    const sober = await startBroker({ simulator_api: false });
    const visitor = connect(sober.target);
    const owner = await visitor.openSession({ displayName: "vm" });
    const { name } = await owner.createAddressSpace();
    const virtual = await owner.createVirtualIommu({ addressSpace: name, iommus: ["iommus/smmu0"] });
    await owner.attachDevice({ device: `devices/${DEVICE}`, virtualIommu: virtual.name });
    const environment = { IOMMUBROKER_SESSION_TOKEN: owner.token };
    const argv = ["explain", DEVICE, "0", "--socket", sober.socket];
    const refused = await iommuctl([...argv, "--host-addresses"], environment);
    const shown = await iommuctl(argv, environment);
    visitor.close();
    expect(await sober.stop()).toBe(0);
    expect(refused.code).toBe(6);
    expect(refused.err).toMatch(/POLICY_DENIED\).*simulator_api/);
    expect(shown.code).toBe(0);
    expect(endOf(shown.out)).toContain("terminated with an abort, no event is recorded");
  });

  test("no broker at the socket, or at the address, exits 4", async () => {
    for (const where of [
      ["--socket", join(broker.directory, "none.sock")],
      ["--address", "127.0.0.1:1"],
    ]) {
      const { code, err } = await iommuctl(["explain", DEVICE, "0", "--token-file", tokenFile, ...where]);
      expect([where[0], code]).toEqual([where[0], 4]);
      expect(err).toMatch(/cannot reach a broker at .*(?:ENOENT|ECONNREFUSED)/);
    }
  });

  test("a command line that cannot be used exits 64", async () => {
    const { code, err } = await iommuctl(["explain", DEVICE, "0xzz"]);
    expect(code).toBe(64);
    expect(err).toMatch(/--help explains/);
  });

  test("a reader that has gone away is no failure", async () => {
    const child = spawn(
      "bash",
      [
        "-c",
        `"$0" ${IOMMUCTL} explain ${DEVICE} 0x1000 --socket "$1" --token-file "$2" | true; echo "\${PIPESTATUS[0]}"`,
      ].concat(process.execPath, broker.socket, tokenFile),
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    let out = "";
    child.stdout.on("data", (text) => {
      out += String(text);
    });
    await once(child, "close");
    expect(out).toBe("0\n");
  });
});
