import { appendFileSync, chmodSync, copyFileSync, renameSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { readTlsFiles, type TlsFiles, TlsFilesWatch } from "../../src/os/tls-files.ts";
import { type Pair, TlsAuthority } from "../support/tls-authority.ts";

let authority: TlsAuthority;
let other: Pair;
let files: TlsFiles;

beforeAll(() => {
  authority = new TlsAuthority();
  other = authority.issue("other", { names: "DNS:localhost" });
});

afterAll(() => authority[Symbol.dispose]());

/** Copies, for a test to spoil. */
beforeEach(() => {
  const copy = (name: string, from: string): string => {
    const to = join(authority.path, `copy-${name}`);
    copyFileSync(from, to);
    return to;
  };
  files = {
    certificate: copy("server.pem", authority.server.certificate),
    privateKey: copy("server.key", authority.server.privateKey),
    clientCA: copy("ca.pem", authority.server.clientCA),
    clientCRL: undefined,
  };
  chmodSync(files.privateKey, 0o600);
});

test("a certificate, its key and an authority are taken, and the end of the certificate is told", async () => {
  const { validTo, isKeyOfGroup, crl } = await readTlsFiles(files);
  expect([isKeyOfGroup, crl]).toEqual([false, []]);
  const days = (validTo.getTime() - Date.now()) / 86_400_000;
  expect(days).toBeGreaterThan(1.9);
  expect(days).toBeLessThan(2.1);
});

describe("a key file of mode", () => {
  test.each([0o600, 0o400, 0o640, 0o440])(
    "%i (decimal) is taken, and it is told whether the group can read it",
    async (mode) => {
      chmodSync(files.privateKey, mode);
      expect((await readTlsFiles(files)).isKeyOfGroup).toBe(mode === 0o640 || mode === 0o440);
    },
  );

  test.each([
    [0o644, "0644"],
    [0o604, "0604"],
    [0o660, "0660"],
    [0o602, "0602"],
  ])("%i (decimal) is refused with the remedy", async (mode, shown) => {
    chmodSync(files.privateKey, mode);
    await expect(readTlsFiles(files)).rejects.toMatchObject({
      code: "argument_invalid",
      message: `listen.tls.private_key: ${files.privateKey} has mode ${shown}, which is not the daemon's alone: chmod 0600`,
    });
  });
});

describe("is refused by its setting's name and its path:", () => {
  test.each<readonly [string, keyof TlsFiles, string, (path: string) => void, RegExp]>([
    [
      "a key of another certificate",
      "privateKey",
      "certificate",
      (to) => copyFileSync(other.privateKey, to),
      /another key/,
    ],
    ["a certificate that is none", "certificate", "certificate", (to) => writeFileSync(to, "hello"), /cannot be used/],
    ["an empty certificate", "certificate", "certificate", (to) => writeFileSync(to, ""), /cannot be used/],
    ["a key that is none", "privateKey", "private_key", (to) => writeFileSync(to, "hello"), /cannot be used/],
    ["an authority without a certificate", "clientCA", "client_ca", (to) => writeFileSync(to, ""), /no certificate/],
    [
      "an authority with a damaged certificate behind a good one",
      "clientCA",
      "client_ca",
      (to) => appendFileSync(to, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
      /cannot be used/,
    ],
    [
      "a file of more than 1 MiB",
      "clientCA",
      "client_ca",
      (to) => writeFileSync(to, Buffer.alloc(2 ** 20 + 1)),
      /longer/,
    ],
  ])("%s", async (_what, key, setting, spoil, why) => {
    spoil(files[key] ?? "");
    const refused = readTlsFiles(files);
    await expect(refused).rejects.toMatchObject({ code: "argument_invalid", facts: { setting } });
    await expect(refused).rejects.toThrow(why);
  });

  test("a file that is not there", async () => {
    await expect(readTlsFiles({ ...files, clientCA: "/nowhere/ca.pem" })).rejects.toThrow(
      "listen.tls.client_ca: /nowhere/ca.pem cannot be read (ENOENT): check path and owner",
    );
  });

  test("a list of revoked certificates that has none", async () => {
    await expect(readTlsFiles({ ...files, clientCRL: files.clientCA })).rejects.toThrow("client_crl");
    await expect(readTlsFiles({ ...files, clientCRL: files.clientCA })).rejects.toThrow("has no X509 CRL");
  });
});

describe("a look at the files", () => {
  test("finds nothing while they stay as they are", async () => {
    const watch = await TlsFilesWatch.open(files);
    expect(await watch.look()).toBeUndefined();
  });

  test("finds a renewed pair, and that whom clients are vouched for by is the same", async () => {
    const watch = await TlsFilesWatch.open(files);
    copyFileSync(other.certificate, files.certificate);
    copyFileSync(other.privateKey, files.privateKey);
    expect(await watch.look()).toEqual({ isTrustChanged: false });
    expect(watch.material.cert.equals(authority.client(other).cert)).toBe(true);
    expect(await watch.look()).toBeUndefined();
  });

  test("keeps the pair before while only one file of the new one is there, says so once, and takes it when both are", async () => {
    const watch = await TlsFilesWatch.open(files);
    const before = watch.material;
    copyFileSync(other.certificate, files.certificate);
    await expect(watch.look()).rejects.toThrow("has another key than");
    expect(watch.material).toBe(before);
    expect(await watch.look()).toBeUndefined();
    copyFileSync(other.privateKey, files.privateKey);
    expect(await watch.look()).toEqual({ isTrustChanged: false });
  });

  test("finds an authority more, and a list of revoked certificates that is new", async () => {
    using second = new TlsAuthority();
    const clientCRL = authority.revocationList();
    const watch = await TlsFilesWatch.open({ ...files, clientCRL });
    appendFileSync(files.clientCA, second.client(second.server).ca);
    expect(await watch.look()).toEqual({ isTrustChanged: true });
    authority.revoke(authority.issue("leaver", { names: "DNS:leaver" }));
    authority.revocationList();
    expect(await watch.look()).toEqual({ isTrustChanged: true });
  });

  test("finds a file that was replaced by one of the same length and time", async () => {
    const watch = await TlsFilesWatch.open(files);
    const then = new Date("2020-01-01");
    utimesSync(files.certificate, then, then);
    await watch.look();
    writeFileSync(`${files.certificate}.new`, watch.material.cert);
    utimesSync(`${files.certificate}.new`, then, then);
    renameSync(`${files.certificate}.new`, files.certificate);
    expect(await watch.look()).toEqual({ isTrustChanged: false });
  });
});
