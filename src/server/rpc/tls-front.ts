// Mutual TLS before gRPC: from a raw TCP connection to one whose client has a certificate of ours and a name in it.
// No session is resumed: a resumed one would skip the look at the client's certificate, also a revoked one.
// Node tells a client without a certificate why by an alert; a certificate that does not hold is hung up on without one
// (its TLS has no call for that), so the reason is in the log only.
// Source: RFC 8446 §4.4.2, RFC 7301, RFC 9113 §3.2.

import { constants } from "node:crypto";
import type { Socket } from "node:net";
import { createServer, type SecureContextOptions, type Server, type TLSSocket } from "node:tls";
import type { TlsMaterial } from "../../os/tls-files.ts";
import { certificateName } from "./certificate-name.ts";

/** Why a handshake came to nothing, for a metric's label. */
export const HANDSHAKE_REFUSALS = [
  "no_certificate",
  "expired",
  "revoked",
  "untrusted",
  "unnamed",
  "too_slow",
  "protocol",
] as const;
export type HandshakeRefusal = (typeof HANDSHAKE_REFUSALS)[number];

export interface TlsFrontOptions {
  readonly material: TlsMaterial;
  readonly handshakeTimeoutMs: number;
  readonly handshakesMax: number;
  onSecure(client: SecureClient): void;
  onRefused(reason: HandshakeRefusal, detail: string, address: string): void;
  /** One more than handshakesMax, or than its share from one address. */
  onBusy(address: string): void;
}

export interface SecureClient {
  readonly socket: TLSSocket;
  readonly name: string;
  readonly address: string;
  /** When its certificate ends. */
  readonly validToMs: number;
}

/** The most of the handshakes at once that one address may have. */
const ADDRESS_SHARE = 1 / 4;
const DETAIL_MAX = 200;

export class TlsFront {
  readonly #options: TlsFrontOptions;
  readonly #server: Server;
  /** Connections whose handshake goes on, by address and port. */
  readonly #pending = new Map<string, { readonly raw: Socket; readonly address: string }>();

  constructor(options: TlsFrontOptions) {
    this.#options = options;
    this.#server = createServer({
      ...contextOf(options.material),
      ALPNProtocols: ["h2"],
      requestCert: true,
      rejectUnauthorized: true,
      handshakeTimeout: options.handshakeTimeoutMs,
    });
    this.#server.on("secureConnection", (socket) => this.#secure(socket));
    this.#server.on("tlsClientError", (error, socket) => this.#failed(error, socket));
  }

  /** Handshakes that go on. */
  get pending(): number {
    return this.#pending.size;
  }

  /** For connections from now on. */
  renew(material: TlsMaterial): void {
    this.#server.setSecureContext(contextOf(material));
  }

  handshake(raw: Socket): void {
    const address = raw.remoteAddress;
    if (address === undefined) {
      raw.destroy(); // gone already
      return;
    }
    const { handshakesMax, onBusy } = this.#options;
    const fromThere = [...this.#pending.values()].filter((each) => each.address === address).length;
    if (this.pending >= handshakesMax || fromThere >= Math.max(1, Math.floor(handshakesMax * ADDRESS_SHARE))) {
      raw.destroy();
      onBusy(address);
      return;
    }
    const name = nameOf(raw);
    this.#pending.set(name, { raw, address });
    raw.once("close", () => {
      if (this.#pending.get(name)?.raw === raw) this.#pending.delete(name);
    });
    this.#server.emit("connection", raw);
  }

  /** Hangs up on the handshakes that go on. */
  cut(): void {
    for (const { raw } of this.#pending.values()) raw.destroy();
  }

  #secure(socket: TLSSocket): void {
    const address = nameOf(socket);
    this.#pending.delete(address);
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined || !socket.authorized) {
      socket.destroy(); // rejectUnauthorized lets none through; nothing depends on that alone
      this.#options.onRefused("untrusted", "the certificate is not verified", address);
      return;
    }
    const named = certificateName(certificate.subjectAltName);
    if (!named.ok) {
      socket.destroy();
      this.#options.onRefused("unnamed", named.reason, address);
      return;
    }
    this.#options.onSecure({ socket, name: named.name, address, validToMs: Date.parse(certificate.validTo) });
  }

  #failed(error: Error, socket: TLSSocket): void {
    const address = nameOf(socket);
    this.#pending.delete(address);
    socket.destroy();
    const verdict = codeOf(socket.authorizationError);
    const code = verdict ?? codeOf(error) ?? error.name;
    const reason = verdict === undefined ? protocolRefusal(code) : certificateRefusal(code);
    this.#options.onRefused(reason, code.slice(0, DETAIL_MAX), address);
  }
}

/** A TLSSocket and the connection below it say the same. */
function nameOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress}:${remotePort}`;
}

function contextOf({ cert, key, ca, crl }: TlsMaterial): SecureContextOptions {
  return {
    cert,
    key,
    ca,
    ...(crl.length > 0 && { crl: [...crl] }),
    minVersion: "TLSv1.2",
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

/** Node's and OpenSSL's names for what went wrong before there was a certificate to look at. */
function protocolRefusal(code: string): HandshakeRefusal {
  if (code === "ERR_TLS_HANDSHAKE_TIMEOUT") return "too_slow";
  return code === "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE" ? "no_certificate" : "protocol";
}

/** X509_verify_cert_error's names, as Node has them. */
function certificateRefusal(code: string): HandshakeRefusal {
  if (code === "CERT_HAS_EXPIRED" || code === "CERT_NOT_YET_VALID") return "expired";
  return code === "CERT_REVOKED" ? "revoked" : "untrusted";
}

function codeOf(error: unknown): string | undefined {
  if (typeof error === "string") return error;
  if (typeof error !== "object" || error === null) return undefined;
  const code: unknown = Reflect.get(error, "code");
  return typeof code === "string" ? code : undefined;
}
