import { expect, test } from "vitest";
import { newTrail, noted } from "../../../src/server/rpc/trail.ts";

test("a request's names, its request_id and its reason are noted, and nothing else of it", () => {
  const trail = newTrail("AttachDevice");
  const request = {
    requestId: "r1",
    reason: "moved",
    device: "devices/0000:01:00.0",
    virtualIommu: "virtualIommus/1",
    token: "secret",
  };
  expect(noted(request, trail)).toBe(request);
  expect(trail).toMatchObject({
    verb: "AttachDevice",
    requestID: "r1",
    reason: "moved",
    subjects: ["devices/0000:01:00.0", "virtualIommus/1"],
  });
  expect(JSON.stringify(trail)).not.toContain("secret");
});

test("of a batch the names in its first 16 binds are noted", () => {
  const trail = newTrail("BatchBindGuestStage");
  noted({ requests: Array.from({ length: 17 }, (_, index) => ({ device: `devices/${index}` })) }, trail);
  expect(trail.subjects).toHaveLength(16);
  expect(trail.subjects.at(-1)).toBe("devices/15");
});

test("the first 128 characters of a name are noted", () => {
  const trail = newTrail("GetDevice");
  noted({ device: "d".repeat(129) }, trail);
  expect(trail.subjects).toEqual(["d".repeat(128)]);
});
