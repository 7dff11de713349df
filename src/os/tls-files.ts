// The PEM files of mutual TLS: read, checked against each other, and looked at again when they change.
// Whoever renews a certificate writes two files one after the other: what does not fit together yet is not used, and the
// pair before it stays.

import { createPrivateKey, X509Certificate } from "node:crypto";
import { type FileHandle, open, stat } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { BrokerError } from "../backends/errors.ts";
import { errnoOf } from "./errno.ts";

/** Paths, named as the settings of listen.tls are. */
export interface TlsFiles {
  readonly certificate: string;
  readonly privateKey: string;
  readonly clientCA: string;
  readonly clientCRL: string | undefined;
}

/** The files' contents, which fit together. */
export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer;
  /** One PEM block each; none: no list of revoked certificates is asked for. */
  readonly crl: readonly string[];
  /** When the broker's own certificate ends. */
  readonly validTo: Date;
  /** The key's file can be read by its group. */
  readonly isKeyOfGroup: boolean;
}

/** What there is to tell of mutual TLS. */
export type TlsEvent =
  | { readonly kind: "loaded"; readonly isKeyOfGroup: boolean; readonly validTo: Date }
  /** The files have changed and cannot be used: what was read before stays. */
  | { readonly kind: "failed"; readonly error: unknown }
  /** A client's handshake. `reason` is one of few, `detail` is OpenSSL's or ours. */
  | { readonly kind: "refused"; readonly reason: string; readonly detail: string; readonly address: string };

const FILE_BYTES_MAX = 1_048_576;
const GROUP_READS = 0o040;
/** Writing by the group, anything by others. */
const KEY_REFUSED = 0o027;

/** @throws BrokerError argument_invalid with the file, what is wrong with it, and the remedy */
export async function readTlsFiles(files: TlsFiles): Promise<TlsMaterial> {
  const key = await read("private_key", files.privateKey);
  if ((key.mode & KEY_REFUSED) !== 0) {
    const mode = (key.mode & 0o777).toString(8).padStart(4, "0");
    throw unusable("private_key", files.privateKey, `has mode ${mode}, which is not the daemon's alone: chmod 0600`);
  }
  const { bytes: cert } = await read("certificate", files.certificate);
  const { bytes: ca } = await read("client_ca", files.clientCA);
  const crlFile = files.clientCRL === undefined ? undefined : await read("client_crl", files.clientCRL);
  const crl = crlFile === undefined ? [] : blocks(crlFile.bytes, "X509 CRL");
  if (crlFile !== undefined && crl.length === 0) {
    throw unusable("client_crl", files.clientCRL, "has no X509 CRL in PEM");
  }
  for (const block of blocks(ca, "CERTIFICATE")) checked("client_ca", files.clientCA, () => new X509Certificate(block));
  if (blocks(ca, "CERTIFICATE").length === 0) throw unusable("client_ca", files.clientCA, "has no certificate in PEM");
  const own = checked("certificate", files.certificate, () => new X509Certificate(cert));
  const privateKey = checked("private_key", files.privateKey, () => createPrivateKey(key.bytes));
  if (!own.checkPrivateKey(privateKey)) {
    throw unusable("certificate", files.certificate, `has another key than ${files.privateKey}: they belong together`);
  }
  checked("client_crl", files.clientCRL, () => createSecureContext({ cert, key: key.bytes, ca, crl: [...crl] }));
  const isKeyOfGroup = (key.mode & GROUP_READS) !== 0;
  return { cert, key: key.bytes, ca, crl, validTo: new Date(own.validTo), isKeyOfGroup };
}

/** Tells when the files have changed since the last look. */
export class TlsFilesWatch {
  readonly #files: TlsFiles;
  #seen: string;
  #material: TlsMaterial;

  private constructor(files: TlsFiles, seen: string, material: TlsMaterial) {
    this.#files = files;
    this.#seen = seen;
    this.#material = material;
  }

  /** @throws BrokerError argument_invalid, as readTlsFiles does */
  static async open(files: TlsFiles): Promise<TlsFilesWatch> {
    const seen = await signature(files); // before they are read: what changes meanwhile is read again
    return new TlsFilesWatch(files, seen, await readTlsFiles(files));
  }

  /** What was read last and fits together. */
  get material(): TlsMaterial {
    return this.#material;
  }

  /**
   * Reads the files again if they look different.
   * @returns undefined when they do not
   * @throws BrokerError argument_invalid once for each state in which they cannot be used; `material` stays as it was
   */
  async look(): Promise<{ readonly isTrustChanged: boolean } | undefined> {
    const seen = await signature(this.#files);
    if (seen === this.#seen) return undefined;
    this.#seen = seen;
    const before = this.#material;
    const now = await readTlsFiles(this.#files);
    this.#material = now;
    const isSameTrust = now.ca.equals(before.ca) && now.crl.join() === before.crl.join();
    return { isTrustChanged: !isSameTrust };
  }
}

/** What changes when a file is written or replaced, for all of them. */
async function signature({ certificate, privateKey, clientCA, clientCRL }: TlsFiles): Promise<string> {
  const paths = [certificate, privateKey, clientCA, ...(clientCRL === undefined ? [] : [clientCRL])];
  const each = paths.map(async (path) => {
    try {
      const { dev, ino, size, mode, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
      return [dev, ino, size, mode, mtimeNs, ctimeNs].join(" ");
    } catch (error) {
      return errnoOf(error);
    }
  });
  return (await Promise.all(each)).join("\n");
}

async function read(setting: string, path: string): Promise<{ bytes: Buffer; mode: number }> {
  let file: FileHandle;
  try {
    file = await open(path, "r");
  } catch (cause) {
    throw unusable(setting, path, `cannot be read (${errnoOf(cause)}): check path and owner`, cause);
  }
  try {
    const { mode, size } = await file.stat();
    if (size > FILE_BYTES_MAX) {
      throw unusable(setting, path, `is longer than ${FILE_BYTES_MAX} bytes: is it the right file?`);
    }
    const bytes = Buffer.alloc(FILE_BYTES_MAX);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    return { bytes: Buffer.from(bytes.subarray(0, bytesRead)), mode };
  } catch (cause) {
    if (cause instanceof BrokerError) throw cause;
    throw unusable(setting, path, `cannot be read (${errnoOf(cause)})`, cause);
  } finally {
    await file.close();
  }
}

function blocks(pem: Buffer, label: string): string[] {
  return pem.toString("latin1").match(new RegExp(`-----BEGIN ${label}-----[^-]*-----END ${label}-----`, "g")) ?? [];
}

function checked<T>(setting: string, path: string | undefined, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw unusable(setting, path, `cannot be used (${why}): it must be PEM, without a passphrase`, cause);
  }
}

function unusable(setting: string, path: string | undefined, why: string, cause?: unknown): BrokerError {
  const message = `listen.tls.${setting}: ${path ?? ""} ${why}`;
  return new BrokerError("argument_invalid", message, { setting, path: path ?? "" }, { cause });
}
