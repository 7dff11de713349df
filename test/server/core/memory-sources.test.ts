import { beforeEach, describe, expect, test } from "vitest";
import type { MapRequest, MemorySource } from "../../../src/server/core/address-space-verbs.ts";
import { addFile, CALLER, type Guest, guest, refusal, type TestHost, testHost } from "../../support/host.ts";
import { BufferFile } from "../../support/memory-file.ts";

const TICKET = "0".repeat(32);
const IPA = 0x8000_0000n;

let host: TestHost;
let vmm: Guest;
let file: BufferFile;
beforeEach(async () => {
  host = testHost();
  vmm = await guest(host);
  file = new BufferFile("ticket:ram", 8192);
  file.label = "ram";
  host.tickets.files.set(TICKET, file);
});

function map(sources: readonly MemorySource[], change: Partial<MapRequest["mappings"][number]> = {}) {
  const mapping = { ipa: IPA, bytes: 8192n, source: 0, offset: 0n, readable: true, writable: true, ...change };
  return host.core.addressSpaces.map(vmm.session, { addressSpace: vmm.addressSpace, sources, mappings: [mapping] });
}

test("memory under a ticket is mapped like a file, and the ticket is spent", async () => {
  const view = await map([{ ticket: TICKET }]);
  expect(view.mappedBytes).toBe(2 ** 21 + 8192);
  expect(view.missing).toEqual([]);
  expect(host.tickets.files.size).toBe(0);
  host.core.simulator?.writeMemory(vmm.session, vmm.addressSpace, IPA, Uint8Array.of(7));
  expect(file.data[0]).toBe(7);
});

test("the ticket is asked for on behalf of who calls, or else of who has the session", async () => {
  await map([{ ticket: TICKET }]);
  const caller = { ...CALLER, pid: 77 };
  host.tickets.files.set(TICKET, new BufferFile("ticket:rom", 4096));
  const mapping = { ipa: 2n * IPA, bytes: 4096n, source: 0, offset: 0n, readable: true, writable: false };
  const request = { addressSpace: vmm.addressSpace, sources: [{ ticket: TICKET }], mappings: [mapping], caller };
  await host.core.addressSpaces.map(vmm.session, request);
  expect(host.tickets.callers).toEqual([CALLER, caller]);
});

describe("a call that fails leaves the ticket good and the memory let go", () => {
  test.each<readonly [string, () => Promise<unknown>]>([
    ["a range that is taken", () => map([{ ticket: TICKET }], { ipa: 0x4000_0000n })],
    ["a range beyond the memory", () => map([{ ticket: TICKET }], { offset: 4096n })],
    ["a later source that is not there", () => map([{ ticket: TICKET }, "/memory/none"])],
  ])("%s", async (_, act) => {
    const before = host.core.census().mappedBytes;
    await refusal(act);
    expect(host.tickets.files.get(TICKET)).toBe(file);
    expect(file.references).toBe(1);
    expect(host.core.census().mappedBytes).toBe(before);
    await map([{ ticket: TICKET }]);
  });
});

test("a ticket that is refused names its source", async () => {
  addFile(host, "/memory/other", 4096);
  const error = await refusal(() => map(["/memory/other", { ticket: "f".repeat(32) }]));
  expect(error.fields[0]?.path).toBe("sources[1].ticket");
});

test("memory that cannot be written is mapped for reading only", async () => {
  file.writeRefusal = "was passed open for reading only: open it for both";
  const error = await refusal(() => map([{ ticket: TICKET }]));
  expect(error.fields[0]).toMatchObject({ path: "mappings[0].writable" });
  expect(error.message).toContain("open it for both");
  await map([{ ticket: TICKET }], { writable: false });
});

test("one label is one memory in an address space", async () => {
  await map([{ ticket: TICKET }]);
  const other = new BufferFile("another", 8192);
  other.label = "ram";
  host.tickets.files.set(TICKET, other);
  expect((await refusal(() => map([{ ticket: TICKET }], { ipa: 2n * IPA }))).facts).toMatchObject({ label: "ram" });
});
