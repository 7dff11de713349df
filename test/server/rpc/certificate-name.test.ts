import { describe, expect, test } from "vitest";
import { certificateName } from "../../../src/server/rpc/certificate-name.ts";

const SPIFFE = "spiffe://example.org/vmm/7";

describe("a certificate's name is", () => {
  test.each([
    ["its SPIFFE ID", `URI:${SPIFFE}`, SPIFFE],
    ["its SPIFFE ID, whatever stands beside it", `DNS:a.example, URI:${SPIFFE}, email:me@a.example`, SPIFFE],
    ["its DNS name where there is no SPIFFE ID", "URI:https://a.example/x, DNS:vmm-7.a.example", "vmm-7.a.example"],
    ["in small letters, as DNS has no others", "DNS:VMM-7.A.example", "vmm-7.a.example"],
    ["one label", "DNS:vmm", "vmm"],
  ])("%s", (_what, names, name) => {
    expect(certificateName(names)).toEqual({ ok: true, name });
  });
});

describe("a certificate is refused that has", () => {
  test.each([
    ["no alternative names", undefined, /neither a SPIFFE ID nor a DNS name/],
    ["only an e-mail address and an IP address", "email:me@a.example, IP Address:127.0.0.1", /neither/],
    // X509-SVID §2: exactly one URI, and validators reject more.
    ["two SPIFFE IDs", `URI:${SPIFFE}, URI:spiffe://example.org/vmm/8`, /2 SPIFFE IDs/],
    ["two DNS names", "DNS:a.example, DNS:b.example", /2 DNS names/],
    ["a SPIFFE ID without a path, which names a trust domain", "URI:spiffe://example.org", /no SPIFFE ID/],
    ["a malformed SPIFFE ID beside a DNS name", "URI:spiffe://Example.org/a, DNS:a.example", /no SPIFFE ID/],
    ["a path that goes up", "URI:spiffe://example.org/a/../b", /no SPIFFE ID/],
    ["an empty path segment", "URI:spiffe://example.org/a//b", /no SPIFFE ID/],
    ["a slash at the end", "URI:spiffe://example.org/a/", /no SPIFFE ID/],
    ["a query", "URI:spiffe://example.org/a?b", /no SPIFFE ID/],
    ["a port", "URI:spiffe://example.org:443/a", /no SPIFFE ID/],
    ["a SPIFFE ID of 2,049 bytes", `URI:spiffe://example.org/${"a".repeat(2028)}b`, /no SPIFFE ID/],
    ["a wildcard", "DNS:*.a.example", /no DNS name/],
    ["a DNS name that is no name", "DNS:uid:1000", /no DNS name/],
    ["an empty DNS name", "DNS:", /no DNS name/],
    // Node puts what holds a comma or a quote in quotes, so that it cannot pass for two names.
    ["a name with another inside", 'DNS:"a.example, URI:spiffe://example.org/vmm/7"', /no DNS name/],
    ["a SPIFFE ID with another name inside", 'URI:"spiffe://example.org/a, DNS:b"', /no SPIFFE ID/],
  ])("%s", (_what, names, reason) => {
    expect(certificateName(names)).toEqual({ ok: false, reason: expect.stringMatching(reason) });
  });
});

test("2,048 bytes of a SPIFFE ID are taken", () => {
  const longest = `spiffe://example.org/${"a".repeat(2027)}`;
  expect(certificateName(`URI:${longest}`)).toEqual({ ok: true, name: longest });
});
