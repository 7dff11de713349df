import { describe, expect, test } from "vitest";
import { PinningPolicy } from "../../../src/client/client.ts";
import { ADDRESS_SPACE, ADDRESS_SPACE_ID } from "../../support/fake-core.ts";
import { faultsOf, invalid, refusal, serve } from "../../support/rpc-server.ts";

const NAME = `addressSpaces/${ADDRESS_SPACE_ID}`;
const MAPPING = { ipa: 0x4000_0000n, bytes: 0x1000n, source: 0, offset: 0n, readable: true, writable: true };
const TICKET = "0123456789abcdef".repeat(2);
const MAP = { addressSpace: NAME, sources: [{ path: "/ram" }], mappings: [MAPPING] };

describe("CreateAddressSpace", () => {
  test.each([
    [PinningPolicy.PINNING_POLICY_UNSPECIFIED, "eager"],
    [PinningPolicy.PINNING_POLICY_EAGER, "eager"],
    [PinningPolicy.PINNING_POLICY_ON_FIRST_BIND, "on-first-bind"],
  ])("asks core for pinning %i as %s", async (pinning, expected) => {
    const server = await serve();
    const session = await server.session();
    const space = await session.createAddressSpace({ pinning });
    expect(server.core.argsOf("addressSpaces.create")).toEqual([expected]);
    expect(space).toEqual({
      name: NAME,
      pinning: PinningPolicy.PINNING_POLICY_ON_FIRST_BIND,
      populated: true,
      mappingCount: 3,
      mappedBytes: 2n ** 52n,
      missingMemory: ["ram"],
    });
  });

  test.each([3, -1, 2 ** 31 - 1])("refuses the pinning policy %i", async (pinning) => {
    const server = await serve();
    const session = await server.session();
    expect(await faultsOf(session.createAddressSpace({ pinning }))).toEqual(invalid("pinning"));
  });
});

describe("DeleteAddressSpace", () => {
  test("names the address space to core by its id", async () => {
    const server = await serve();
    await (await server.session()).deleteAddressSpace(NAME);
    expect(server.core.argsOf("addressSpaces.remove")).toEqual([ADDRESS_SPACE_ID]);
  });

  test.each([
    "",
    "addressSpaces/",
    ADDRESS_SPACE_ID,
    `addressSpaces/${ADDRESS_SPACE_ID.replaceAll("5", "A")}`,
    `${NAME}0`,
    `addressSpaces/{${ADDRESS_SPACE_ID}}`,
    `virtualIommus/${ADDRESS_SPACE_ID}`,
    `${NAME}\n`,
  ])("refuses the name %j", async (name) => {
    const server = await serve();
    const session = await server.session();
    expect(await faultsOf(session.deleteAddressSpace(name))).toEqual(invalid("address_space"));
  });
});

describe("MapMemory", () => {
  test("hands core every range exactly, 64 bits wide", async () => {
    const server = await serve();
    const top = { ...MAPPING, ipa: 2n ** 64n - 4096n, offset: 2n ** 63n, source: 1, writable: false };
    const request = { ...MAP, sources: [{ path: "/ram" }, { path: "/rom" }], mappings: [MAPPING, top] };
    await (await server.session()).mapMemory(request);
    expect(server.core.argsOf("addressSpaces.map")).toEqual([
      {
        addressSpace: ADDRESS_SPACE_ID,
        sources: ["/ram", "/rom"],
        mappings: [MAPPING, top],
        caller: expect.objectContaining({ kind: "process", pid: process.pid }),
      },
    ]);
  });

  test("hands core a ticket as one", async () => {
    const server = await serve();
    await (await server.session()).mapMemory({ ...MAP, sources: [{ ticket: TICKET }] });
    expect(server.core.argsOf("addressSpaces.map")).toMatchObject([{ sources: [{ ticket: TICKET }] }]);
  });

  const wrong = (mapping: object) => ({ ...MAP, mappings: [MAPPING, { ...MAPPING, ...mapping }] });
  test.each([
    ["no address space", { ...MAP, addressSpace: "" }, ["address_space"]],
    ["no sources", { ...MAP, sources: [] }, ["sources"]],
    ["no mappings", { ...MAP, mappings: [] }, ["mappings"]],
    ["a source without a path", { ...MAP, sources: [{}] }, ["sources[0]"]],
    ["an empty ticket", { ...MAP, sources: [{ ticket: "" }] }, ["sources[0].ticket"]],
    ["a ticket of 31 digits", { ...MAP, sources: [{ ticket: TICKET.slice(1) }] }, ["sources[0].ticket"]],
    ["a ticket of other digits", { ...MAP, sources: [{ ticket: TICKET.toUpperCase() }] }, ["sources[0].ticket"]],
    ["an empty path", { ...MAP, sources: [{ path: "" }] }, ["sources[0].path"]],
    ["a relative path", { ...MAP, sources: [{ path: "ram" }] }, ["sources[0].path"]],
    ["a NUL in a path", { ...MAP, sources: [{ path: "/ram\0/x" }] }, ["sources[0].path"]],
    ["a path of 4096 bytes", { ...MAP, sources: [{ path: `/${"x".repeat(4095)}` }] }, ["sources[0].path"]],
    ["an unaligned IPA", wrong({ ipa: 0x4000_0001n }), ["mappings[1].ipa"]],
    ["an IPA unaligned above 2^53", wrong({ ipa: 2n ** 60n + 1n }), ["mappings[1].ipa"]],
    ["no length", wrong({ bytes: 0n }), ["mappings[1].bytes"]],
    ["an unaligned length", wrong({ bytes: 4097n }), ["mappings[1].bytes"]],
    ["an unaligned offset", wrong({ offset: 512n }), ["mappings[1].offset"]],
    ["a source that is not there", wrong({ source: 1 }), ["mappings[1].source"]],
    ["a range past 2^64", wrong({ ipa: 2n ** 64n - 4096n, bytes: 8192n }), ["mappings[1].bytes"]],
    [
      "everything wrong at once",
      wrong({ ipa: 1n, bytes: 0n, offset: 1n, source: 9 }),
      ["mappings[1].ipa", "mappings[1].bytes", "mappings[1].offset", "mappings[1].source"],
    ],
  ])("refuses %s", async (_what, request, paths) => {
    const server = await serve();
    const session = await server.session();
    expect(await faultsOf(session.mapMemory(request))).toEqual(invalid(...paths));
    expect(server.core.argsOf("addressSpaces.map")).toEqual([]);
  });

  test.each([
    ["sources_per_call_max", "3", { ...MAP, sources: Array(4).fill({ path: "/ram" }) }],
    ["mappings_per_call_max", "16", { ...MAP, mappings: Array(17).fill(MAPPING) }],
  ])("above %s is RESOURCE_EXHAUSTED and names it", async (limit, maximum, request) => {
    const server = await serve();
    const error = await refusal((await server.session()).mapMemory(request));
    expect([error.codeName, error.reason]).toEqual(["RESOURCE_EXHAUSTED", "LIMIT_REACHED"]);
    expect(error.metadata).toEqual({ limit, maximum });
    expect(error.retryAfterMs).toBeGreaterThan(0);
  });
});

describe("PresentMemory", () => {
  const PRESENT = { addressSpace: NAME, label: "ram", ticket: TICKET };

  test("hands core the label and the ticket, and who calls", async () => {
    const server = await serve();
    const space = await (await server.session()).presentMemory(PRESENT);
    const caller = expect.objectContaining({ kind: "process", pid: process.pid });
    expect(server.core.argsOf("addressSpaces.present")).toEqual([
      { addressSpace: ADDRESS_SPACE_ID, label: "ram", ticket: TICKET, caller },
    ]);
    expect(space.missingMemory).toEqual(["ram"]);
  });

  test.each([
    ["no address space", { ...PRESENT, addressSpace: "" }, ["address_space"]],
    ["no label", { ...PRESENT, label: "" }, ["label"]],
    ["a label with a space", { ...PRESENT, label: "guest ram" }, ["label"]],
    ["a label of 65 characters", { ...PRESENT, label: "x".repeat(65) }, ["label"]],
    ["no ticket", { ...PRESENT, ticket: "" }, ["ticket"]],
    ["nothing right", { addressSpace: "x", label: "é", ticket: "x" }, ["address_space", "label", "ticket"]],
  ])("refuses %s", async (_what, request, paths) => {
    const server = await serve();
    const session = await server.session();
    expect(await faultsOf(session.presentMemory(request))).toEqual(invalid(...paths));
    expect(server.core.argsOf("addressSpaces.present")).toEqual([]);
  });
});

describe("UnmapMemory", () => {
  test("hands core the ranges and tells how much went", async () => {
    const server = await serve();
    const ranges = [
      { ipa: 0n, bytes: 4096n },
      { ipa: 2n ** 52n, bytes: 2n ** 40n },
    ];
    const answer = await (await server.session()).unmapMemory({ addressSpace: NAME, ranges });
    expect(server.core.argsOf("addressSpaces.unmap")).toEqual([{ addressSpace: ADDRESS_SPACE_ID, ranges }]);
    expect(answer.unmappedBytes).toBe(2n ** 53n - 4096n);
    expect(answer.addressSpace.mappedBytes).toBe(BigInt(ADDRESS_SPACE.mappedBytes));
  });

  test.each([
    ["no ranges", [], ["ranges"]],
    ["an unaligned IPA", [{ ipa: 1n, bytes: 4096n }], ["ranges[0].ipa"]],
    ["no length", [{ ipa: 0n, bytes: 0n }], ["ranges[0].bytes"]],
    [
      "a range past 2^64",
      [
        { ipa: 4096n, bytes: 2n ** 64n - 4096n },
        { ipa: 8192n, bytes: 2n ** 64n - 4096n },
      ],
      ["ranges[1].bytes"],
    ],
  ])("refuses %s", async (_what, ranges, paths) => {
    const server = await serve();
    const session = await server.session();
    expect(await faultsOf(session.unmapMemory({ addressSpace: NAME, ranges }))).toEqual(invalid(...paths));
  });

  test("above mappingsPerCallMax is refused", async () => {
    const server = await serve();
    const ranges = Array(17).fill({ ipa: 0n, bytes: 4096n });
    const error = await refusal((await server.session()).unmapMemory({ addressSpace: NAME, ranges }));
    expect(error.metadata.limit).toBe("mappings_per_call_max");
  });
});
