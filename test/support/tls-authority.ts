// A certificate authority of a test, by openssl(1) in a temporary directory: certificates, ended ones, revoked ones.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TlsFiles } from "../../src/os/tls-files.ts";

export interface Pair {
  readonly certificate: string;
  readonly privateKey: string;
}

export interface Wish {
  /** As openssl writes them: "DNS:localhost,URI:spiffe://example.org/vmm/7"; undefined: none. */
  readonly names: string | undefined;
  /** As openssl writes it: "20200102000000Z". */
  readonly validTo?: string;
  /** "serverAuth" */
  readonly usage?: string;
}

const CONFIG = `
[ca]
default_ca = authority
[authority]
database = index.txt
new_certs_dir = .
rand_serial = yes
unique_subject = no
default_md = sha256
default_days = 2
default_crl_days = 2
policy = anything
copy_extensions = none
[anything]
commonName = supplied
`;

export class TlsAuthority implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "tls-authority-"));
  readonly certificate = join(this.path, "ca.pem");
  readonly server: TlsFiles;

  constructor() {
    writeFileSync(join(this.path, "index.txt"), "");
    writeFileSync(join(this.path, "ca.cnf"), CONFIG);
    this.#key("ca");
    this.#openssl("req", "-x509", "-new", "-key", "ca.key", "-subj", "/CN=authority", "-days", "2", "-out", "ca.pem");
    this.server = {
      ...this.issue("server", { names: "DNS:localhost,IP:127.0.0.1" }),
      clientCA: this.certificate,
      clientCRL: undefined,
    };
  }

  issue(name: string, { names, validTo, usage }: Wish): Pair {
    this.#key(name);
    this.#openssl("req", "-new", "-key", `${name}.key`, "-subj", `/CN=common.${name}`, "-out", `${name}.csr`);
    const lines = [
      "basicConstraints=CA:FALSE",
      ...(names === undefined ? [] : [`subjectAltName=${names}`]),
      ...(usage === undefined ? [] : [`extendedKeyUsage=${usage}`]),
    ];
    writeFileSync(join(this.path, `${name}.ext`), `${lines.join("\n")}\n`);
    const dates = validTo === undefined ? [] : ["-startdate", "20200101000000Z", "-enddate", validTo];
    const files = ["-in", `${name}.csr`, "-extfile", `${name}.ext`, "-out", `${name}.pem`];
    this.#ca("-batch", "-notext", ...dates, ...files);
    return { certificate: join(this.path, `${name}.pem`), privateKey: join(this.path, `${name}.key`) };
  }

  /** Of the certificates revoked so far. */
  revocationList(): string {
    this.#ca("-gencrl", "-out", "crl.pem");
    return join(this.path, "crl.pem");
  }

  revoke({ certificate }: Pair): void {
    this.#ca("-revoke", certificate);
  }

  /** For tls.connect() and gRPC: a client with this pair that trusts this authority. */
  client({ certificate, privateKey }: Pair): { ca: Buffer; cert: Buffer; key: Buffer } {
    return { ca: readFileSync(this.certificate), cert: readFileSync(certificate), key: readFileSync(privateKey) };
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }

  #key(name: string): void {
    this.#openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", `${name}.key`);
  }

  #ca(...args: readonly string[]): void {
    this.#openssl("ca", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key", ...args);
  }

  #openssl(...args: readonly string[]): void {
    execFileSync("openssl", args, { cwd: this.path, stdio: ["ignore", "ignore", "pipe"] });
  }
}
