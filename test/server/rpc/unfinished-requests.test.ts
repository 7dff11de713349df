import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { UnfinishedRequests } from "../../../src/server/rpc/unfinished-requests.ts";

/** By hand: a request that began has ten whole looks, and is more than a moment old at the third. */
const LOOKS = 10;
const MAX = 2;

let requests: UnfinishedRequests;
let cut: string[];
beforeEach(() => {
  cut = [];
  requests = new UnfinishedRequests({
    requestTimeoutMs: 3_600_000, // the test looks by itself
    perIdentityMax: MAX,
    identityOf: (peer) => (peer === "gone" ? undefined : peer.slice(0, 1)),
    cut: (peer, limit) => cut.push(`${peer} ${limit}`),
  });
  onTestFinished(() => requests.stop());
});

function begin(peer: string, mayLast = false): () => void {
  return requests.begin({ getPeer: () => peer }, mayLast);
}

function look(times: number): void {
  for (let each = 0; each < times; each += 1) requests.look();
}

describe("a request", () => {
  test("has its time, and then its connection is closed", () => {
    begin("a1");
    look(LOOKS);
    expect(cut).toEqual([]);
    look(1);
    expect(cut).toEqual(["a1 request_timeout_ms"]);
  });

  test("that has ended is of no matter, nor is one whose connection is gone", () => {
    const end = begin("a1");
    begin("gone");
    end();
    end();
    look(LOOKS + 1);
    expect(cut).toEqual([]);
    expect(requests.count).toBe(1);
  });

  test("may be one of many at once, if they do not last", () => {
    const ends = Array.from({ length: 1000 }, () => begin("a1"));
    look(2);
    for (const end of ends) end();
    look(1);
    expect(cut).toEqual([]);
  });
});

describe("an identity with more requests than it may have", () => {
  test("loses the connections of those that came last, and nobody else any", () => {
    for (const peer of ["a1", "b1", "a2", "a3", "a4", "b2"]) begin(peer);
    look(3);
    expect(cut).toEqual(["a3", "a4"].map((peer) => `${peer} unfinished_requests_per_identity_max`));
  });

  test("is told of each connection once", () => {
    for (let each = 0; each < 2 * MAX; each += 1) begin("a1");
    look(3);
    expect(cut).toEqual(["a1 unfinished_requests_per_identity_max"]);
  });
});

test("a stream of requests may last, and counts", () => {
  for (let each = 0; each < MAX; each += 1) begin("a1", true);
  look(2 * LOOKS);
  expect(cut).toEqual([]);
  begin("a2", true);
  look(3);
  expect(cut).toEqual(["a2 unfinished_requests_per_identity_max"]);
});
