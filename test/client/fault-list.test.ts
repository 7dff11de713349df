import { expect, test } from "vitest";
import { type BrokerClient, FaultAction, type FaultEvent } from "../../src/client/client.ts";
import { faultEvent, stalled } from "../support/fault-samples.ts";
import { refusal, serve } from "../support/rpc-server.ts";

async function numbers(faults: ReturnType<BrokerClient["listFaults"]>): Promise<bigint[]> {
  const found: bigint[] = [];
  for await (const { sequence } of faults) found.push(sequence);
  return found;
}

test("listFaults gives page after page, with what was asked in each", async () => {
  const server = await serve();
  const asked: unknown[] = [];
  server.core.faults.list = (_session, request) => {
    asked.push(request);
    return request.pageToken === ""
      ? { events: [faultEvent(5), faultEvent(4)], nextPageToken: "older" }
      : { events: [faultEvent(3)], nextPageToken: "" };
  };
  const session = await server.session();
  expect(await numbers(session.listFaults({ types: ["C_BAD_CD"], pageSize: 2 }))).toEqual([5n, 4n, 3n]);
  const query = { devices: [], types: ["C_BAD_CD"], pageSize: 2 };
  expect(asked).toEqual([
    { ...query, pageToken: "" },
    { ...query, pageToken: "older" },
  ]);
});

test("listFaults asks for no further page than is read", async () => {
  const server = await serve();
  let pages = 0;
  server.core.faults.list = () => {
    pages += 1;
    return { events: [faultEvent(5), faultEvent(4)], nextPageToken: "older" };
  };
  const session = await server.session();
  for await (const { sequence } of server.client().listFaults(session.token)) {
    expect(sequence).toBe(5n);
    break;
  }
  expect(pages).toBe(1);
});

test("listFaults without a token is refused on the API", async () => {
  const server = await serve();
  expect((await refusal(numbers(server.client().listFaults(undefined)))).reason).toBe("UNAUTHENTICATED");
});

test("respondToFault answers what an event's pending has", async () => {
  const server = await serve();
  server.core.faults.list = () => ({ events: [stalled(5), faultEvent(4)], nextPageToken: "" });
  const session = await server.session();
  const faults: FaultEvent[] = [];
  for await (const fault of session.listFaults()) faults.push(fault);
  const [waiting, past] = faults;
  if (waiting === undefined || past === undefined) throw new Error("the list has two");
  const answered = await session.respondToFault(waiting, FaultAction.FAULT_ACTION_RETRY, { requestId: "r" });
  expect(answered).toEqual({ device: "devices/0000:01:00.0", sequence: 2n ** 53n - 1n });
  expect(server.core.argsOf("faults.respond")).toEqual([{ token: "answer-5", answer: "retry" }]);
  await expect(session.respondToFault(past, FaultAction.FAULT_ACTION_RETRY)).rejects.toThrow("waits for no answer");
});
