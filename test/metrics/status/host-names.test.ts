import { expect, test } from "vitest";
import { isHostOfPage, isLoopbackAddress, misdirected } from "../../../src/metrics/status/host-names.ts";

test.each(["127.0.0.1", "127.0.0.1:9401", "localhost:1", "LOCALHOST", "[::1]:9401", "127.9.9.9:80"])(
  "%s is a name of loopback",
  (name) => expect(isHostOfPage(name, [])).toBe(true),
);

test.each([
  "",
  "127.0.0.1.example",
  "localhost.example:80",
  "10.0.0.1",
  "[::2]:9401",
  "a@127.0.0.1",
  "127.0.0.1:x",
  undefined,
])("%s is none", (name) => expect(isHostOfPage(name, [])).toBe(false));

test("the page is for connections to a loopback address, on whatever else the port listens", () => {
  const addresses = [
    "127.0.0.1",
    "127.9.9.9",
    "::1",
    "::ffff:127.0.0.1",
    "10.0.0.1",
    "::ffff:10.0.0.1",
    "fe80::1",
    undefined,
  ];
  expect(addresses.filter((address) => isLoopbackAddress(address))).toEqual(addresses.slice(0, 4));
});

test.each([
  ["status.example", true],
  ["STATUS.example:443", true],
  ["[fd00::5]:9401", true],
  ["192.0.2.7", true],
  ["other.example", false],
  ["status.example.", false],
  ["status.example:443:1", false],
])("of the names listed, %s is one: %s", (name, isOne) => {
  expect(isHostOfPage(name, ["status.example", "fd00::5", "192.0.2.7"])).toBe(isOne);
});

test("who is refused is told the name that he used, cut and quoted, and the setting", () => {
  const { body, status } = misdirected(`a"\u00e9${"x".repeat(8000)}`);
  expect(status).toBe(421);
  expect(body.slice(0, 12)).toBe('Host "a\\"\u00e9xx');
  expect(body.length).toBeLessThan(250);
  expect(body).toContain("metrics.status_hosts");
  expect(misdirected(undefined).body).toMatch(/^no Host: /);
});
