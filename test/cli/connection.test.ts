import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { adminTargetOf, sessionTokenOf, targetOf, tlsOf } from "../../src/cli/connection.ts";
import { UsageError } from "../../src/cli/failure.ts";
import { runtimeDirectory } from "../../src/server/config/runtime-directory.ts";

const directory = mkdtempSync(join(tmpdir(), "iommuctl-"));
afterAll(() => rmSync(directory, { recursive: true }));

function file(name: string, content: string): string {
  const path = join(directory, name);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}

function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("the TLS files", () => {
  const pem = "-----BEGIN CERTIFICATE-----";

  test("are none by default, and what the three files hold when they are named", () => {
    expect(tlsOf({ address: "127.0.0.1:9400" })).toBeUndefined();
    const [tlsCa, tlsCert, tlsKey] = ["ca", "cert", "key"].map((name) => file(`${name}.pem`, `${pem} ${name}`));
    const tls = tlsOf({ address: "127.0.0.1:9400", tlsCa: tlsCa!, tlsCert: tlsCert!, tlsKey: tlsKey! });
    expect([tls?.ca, tls?.certificate, tls?.privateKey].map(String)).toEqual([
      `${pem} ca`,
      `${pem} cert`,
      `${pem} key`,
    ]);
  });

  test("belong together, and to --address", () => {
    const tlsCa = file("only.pem", pem);
    expect(refusal(() => tlsOf({ address: "127.0.0.1:9400", tlsCa }))).toContain("belong together");
    expect(refusal(() => tlsOf({ tlsCa, tlsCert: tlsCa, tlsKey: tlsCa }))).toContain("need --address");
  });

  test("are refused by flag and path when they are not there, not PEM, or too long", () => {
    const good = file("good.pem", pem);
    const withCA = (tlsCa: string) =>
      refusal(() => tlsOf({ address: "127.0.0.1:9400", tlsCa, tlsCert: good, tlsKey: good }));
    expect(withCA("/nowhere/ca.pem")).toContain('--tls-ca "/nowhere/ca.pem" cannot be read');
    expect(withCA(file("der", "0"))).toMatch(/--tls-ca ".*" is not PEM/);
    expect(withCA(file("long", `${pem}${"x".repeat(2 ** 20)}`))).toContain("is longer than 1048576 bytes");
  });
});

describe("the target", () => {
  test("is the socket or the address that was named", () => {
    expect(targetOf({ socket: "/run/b.sock" }, {})).toBe("unix:/run/b.sock");
    expect(targetOf({ socket: "b.sock" }, {})).toBe(`unix:${resolve("b.sock")}`);
    expect(targetOf({ address: "127.0.0.1:9400" }, {})).toBe("127.0.0.1:9400");
    expect(targetOf({ address: "[::1]:65535" }, {})).toBe("[::1]:65535");
  });

  test("is else where a daemon of the same login session listens", () => {
    const environment = { XDG_RUNTIME_DIR: "/run/user/7" };
    expect(targetOf({}, environment)).toBe(`unix:${join(runtimeDirectory(environment), "broker.sock")}`);
  });

  test("is the one that the environment names, before where one usually is", () => {
    const environment = { XDG_RUNTIME_DIR: "/run/user/7", IOMMUBROKER_SOCKET: "/run/named.sock" };
    expect(targetOf({}, environment)).toBe("unix:/run/named.sock");
    expect(targetOf({ socket: "/run/b.sock" }, environment)).toBe("unix:/run/b.sock");
    expect(adminTargetOf({}, { IOMMUBROKER_ADMIN_SOCKET: "/run/a.sock" })).toBe("unix:/run/a.sock");
  });

  test("is never looked for where anybody could listen", () => {
    for (const environment of [{}, { XDG_RUNTIME_DIR: "relative" }, { XDG_RUNTIME_DIR: "", TMPDIR: "/tmp" }]) {
      expect(targetOf({}, environment)).toBe("unix:/run/iommu-broker/broker.sock");
      expect(adminTargetOf({}, environment)).toBe("unix:/run/iommu-broker/admin.sock");
    }
  });

  test.each([
    "",
    "localhost",
    "localhost:",
    ":9400",
    "localhost:0",
    "localhost:65536",
    "a b:1",
    "unix:/x",
    "http://h:1",
    "::1:9",
  ])("%j is no address", (address) => {
    expect(refusal(() => targetOf({ address }, {}))).toMatch(/is not HOST:PORT/);
  });
});

describe("the session token", () => {
  test("comes from the file, else from the environment, without blanks around it", () => {
    const tokenFile = file("good", " from-file\n");
    expect(sessionTokenOf({ tokenFile }, { IOMMUBROKER_SESSION_TOKEN: "other" })).toBe("from-file");
    expect(sessionTokenOf({}, { IOMMUBROKER_SESSION_TOKEN: "from-environment\n" })).toBe("from-environment");
  });

  test("may have the 256 characters that the broker takes, and its line break", () => {
    expect(sessionTokenOf({ tokenFile: file("long", `${"a".repeat(256)}\r\n`) }, {})).toHaveLength(256);
  });

  test.each([
    ["nothing at all", {}, {}, /--token-file FILE or set IOMMUBROKER_SESSION_TOKEN/],
    ["an empty variable", {}, { IOMMUBROKER_SESSION_TOKEN: " " }, /IOMMUBROKER_SESSION_TOKEN is empty/],
    ["an empty file", { tokenFile: file("empty", "\n") }, {}, /empty" is empty/],
    ["a file that is not there", { tokenFile: join(directory, "none") }, {}, /cannot be read: ENOENT/],
    ["a directory", { tokenFile: directory }, {}, /cannot be read: EISDIR/],
    ["two words", { tokenFile: file("two", "secret-a secret-b") }, {}, /has no session token/],
    ["bytes that are no text", { tokenFile: file("bytes", "secret\u0000\u00ff") }, {}, /has no session token/],
    ["257 characters", { tokenFile: file("longer", "secret".padEnd(257, "x")) }, {}, /at most 256 characters/],
    ["a file without an end", { tokenFile: "/dev/zero" }, {}, /has no session token/],
  ])("%s is refused, and what stands there is not told", (_what, options, environment, message) => {
    const told = refusal(() => sessionTokenOf(options, environment));
    expect(told).toMatch(message);
    expect(told).not.toContain("secret");
  });
});
