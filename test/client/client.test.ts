import { status } from "@grpc/grpc-js";
import { expect, onTestFinished, test } from "vitest";
import { BrokerCallError, connect } from "../../src/client/client.ts";
import { DEVICE } from "../support/fake-core.ts";
import { refusal, serve } from "../support/rpc-server.ts";

test("a broker that is not there is UNAVAILABLE, without a reason of the broker's", async () => {
  const client = connect("unix:/nonexistent/broker.sock");
  onTestFinished(() => client.close());
  const error = await refusal(client.listDevices());
  expect(error).toBeInstanceOf(BrokerCallError);
  expect([error.codeName, error.reason, error.isUnavailable, error.fields]).toEqual(["UNAVAILABLE", "", true, []]);
  const unready = await refusal(client.ready(50));
  expect([unready.codeName, unready.reason, unready.isUnavailable]).toEqual(["UNAVAILABLE", "", true]);
  expect(unready.message).toContain("/nonexistent/broker.sock within 50 ms");
  expect(unready.cause).toBeInstanceOf(Error);
});

test("after close() every call and stream fails as a call of the broker's does, at once", async () => {
  const server = await serve();
  const client = connect(server.target, { retryForMs: 60_000 });
  const session = await client.openSession({ displayName: "vm", keepAlive: false });
  client.close();
  const attempts: readonly (() => unknown)[] = [
    () => client.ready(),
    () => client.listDevices(),
    () => session.close(),
    () => client.renewLease(session.token),
    () => client.watchDevices(),
    () => client.watchFaults(session.token),
    () => session.streamInvalidations("virtualIommus/a"),
  ];
  for (const attempt of attempts) {
    const error = await refusal((async () => attempt())());
    expect(error).toBeInstanceOf(BrokerCallError);
    expect([error.codeName, error.reason]).toEqual(["FAILED_PRECONDITION", ""]);
    expect(error.message).toContain(`${server.target} was closed`);
  }
});

test("ready resolves once the broker serves", async () => {
  const server = await serve();
  await server.client().ready();
});

test("a call is given up at its deadline, or at the connection's", async () => {
  const server = await serve();
  const gate = Promise.withResolvers<typeof DEVICE>();
  server.core.stages.detach = () => gate.promise;
  const session = await server.session();
  expect((await refusal(session.detachDevice({ device: "devices/a" }, { deadlineMs: 20 }))).codeName).toBe(
    "DEADLINE_EXCEEDED",
  );
  gate.resolve(DEVICE);
});

test("a call is given up when its signal aborts, even before it begins", async () => {
  const server = await serve();
  const entered = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<typeof DEVICE>();
  server.core.stages.detach = () => {
    entered.resolve();
    return gate.promise;
  };
  const session = await server.session();
  const aborting = new AbortController();
  const call = session.detachDevice({ device: "devices/a" }, { signal: aborting.signal });
  await entered.promise;
  aborting.abort();
  expect((await refusal(call)).code).toBe(status.CANCELLED);
  expect((await refusal(session.createAddressSpace({}, { signal: aborting.signal }))).code).toBe(status.CANCELLED);
  gate.resolve(DEVICE);
});

test("the token goes with the session's calls and with no other", async () => {
  const server = await serve();
  const session = await server.session();
  expect(session.token).toBe("token-1");
  await session.createAddressSpace();
  expect(server.core.asked.at(-1)?.args[0]).toBe("00000000-0000-4000-8000-000000000001");
});
