// The one name a client's certificate gives it. It comes from the subject alternative names, never from the common name,
// which certificate authorities do not check: a SPIFFE ID if there is one, else a DNS name. There must be exactly one, so
// that nobody has to guess which of several names somebody meant to let in.
// Source: RFC 5280 §4.2.1.6, the SPIFFE standards SPIFFE-ID §2 and X509-SVID §2 and §5.2.

export type CertificateName =
  | { readonly ok: true; readonly name: string }
  | { readonly ok: false; readonly reason: string };

const SPIFFE_BYTES_MAX = 2048;
const SPIFFE = /^spiffe:\/\/[a-z0-9._-]{1,255}(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+)+$/;
const DNS_BYTES_MAX = 253;
const DNS = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;
/** One name as Node prints it; what could be mistaken for the end of a name is in quotes. */
const ENTRY = /(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,"]*)/g;

/** @param alternativeNames  as X509Certificate.subjectAltName has them: "URI:spiffe://…, DNS:…" */
export function certificateName(alternativeNames: string | undefined): CertificateName {
  const entries = [...(alternativeNames ?? "").matchAll(ENTRY)].map(([, kind = "", value = ""]) => ({ kind, value }));
  const spiffe = entries.filter(({ kind, value }) => kind === "URI" && /^"?spiffe:/i.test(value));
  if (spiffe.length > 0) return onlyOne(spiffe, "SPIFFE ID", isSpiffeID);
  const dns = entries.filter(({ kind }) => kind === "DNS").map(({ value }) => ({ value: value.toLowerCase() }));
  if (dns.length > 0) return onlyOne(dns, "DNS name", isDnsName);
  return { ok: false, reason: "it has neither a SPIFFE ID nor a DNS name among its subject alternative names" };
}

function onlyOne(
  entries: readonly { readonly value: string }[],
  what: string,
  isName: (text: string) => boolean,
): CertificateName {
  const [first] = entries;
  if (first === undefined || entries.length > 1) {
    return { ok: false, reason: `it has ${entries.length} ${what}s; a client's has exactly one` };
  }
  if (!isName(first.value)) return { ok: false, reason: `${shown(first.value)} is no ${what} that can name a client` };
  return { ok: true, name: first.value };
}

function isSpiffeID(text: string): boolean {
  return text.length <= SPIFFE_BYTES_MAX && SPIFFE.test(text);
}

/** No wildcard: that would be many. */
function isDnsName(text: string): boolean {
  return text.length <= DNS_BYTES_MAX && DNS.test(text);
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 128));
}
