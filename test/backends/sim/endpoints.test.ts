import { expect, test } from "vitest";
import { Endpoints } from "../../../src/backends/sim/endpoints.ts";

const ALL = { streamID: 8, substreamID: undefined, global: false, address: 0n, sizeLog2: 64 } as const;

test("a StreamID without an ATC answers as an Unsupported Request does: the command is done", () => {
  const endpoints = new Endpoints();
  expect(endpoints.invalidate(ALL)).toBe("done");
  expect(() =>
    endpoints.pageResponse({ streamID: 8, substreamID: undefined, prgIndex: 0, response: "success" }),
  ).not.toThrow();
});

test("each StreamID's ATC hears what is addressed to it, until it is removed", async () => {
  const endpoints = new Endpoints();
  endpoints.add(8);
  endpoints.add(9);
  const [mine, other] = [endpoints.find(8)!.openGroup()!, endpoints.find(9)!.openGroup()!];
  endpoints.pageResponse({ streamID: 9, substreamID: undefined, prgIndex: 0, response: "invalid" });
  endpoints.remove(8);
  expect([await mine.answered, await other.answered]).toEqual(["failure", "invalid"]);
  expect(endpoints.find(8)).toBeUndefined();
});

test("when the host goes down whoever waits is told of a failure", async () => {
  const endpoints = new Endpoints();
  endpoints.add(8);
  const group = endpoints.find(8)!.openGroup()!;
  endpoints.close();
  expect(await group.answered).toBe("failure");
});
