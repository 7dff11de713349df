import { describe, expect, onTestFinished, test } from "vitest";
import { BrokerError } from "../../src/backends/errors.ts";
import { type BrokerClient, type ConnectOptions, connect } from "../../src/client/client.ts";
import { DEVICE } from "../support/fake-core.ts";
import { type RpcServer, refusal, serve } from "../support/rpc-server.ts";

const LONG_MS = 20_000;

function clientOf(server: RpcServer, options: ConnectOptions): BrokerClient {
  const client = connect(server.target, options);
  onTestFinished(() => client.close());
  return client;
}

/** A server and a session of a client that repeats, whose detach fails in the ways given, then succeeds. */
async function detaching(failures: readonly BrokerError[], retryForMs = LONG_MS) {
  const server = await serve();
  const attempts: number[] = [];
  server.core.stages.detach = async () => {
    const failure = failures[attempts.length];
    attempts.push(performance.now());
    if (failure !== undefined) throw failure;
    return DEVICE;
  };
  const session = await clientOf(server, { retryForMs }).openSession({ displayName: "vm 1", keepAlive: false });
  return { server, session, attempts };
}

const draining = (retryAfterMs?: number): BrokerError =>
  new BrokerError("draining", "the broker stops", {}, retryAfterMs === undefined ? {} : { retryAfterMs });

describe("what the broker refused for now is tried again", () => {
  test("whatever the call was, for a refusal has changed nothing", async () => {
    const { attempts, session } = await detaching([draining(), draining()]);
    expect((await session.detachDevice({ device: "devices/a" })).name).toBe(`devices/${DEVICE.id}`);
    expect(attempts).toHaveLength(3);
  });

  test("not before the time that it named", async () => {
    const { attempts, session } = await detaching([draining(300)]);
    await session.detachDevice({ device: "devices/a" });
    expect(attempts[1]! - attempts[0]!).toBeGreaterThanOrEqual(290);
  });

  test("not when there would be no time left", async () => {
    const { attempts, session } = await detaching([draining(5000)], 1000);
    expect((await refusal(session.detachDevice({ device: "devices/a" }))).reason).toBe("DRAINING");
    expect(attempts).toHaveLength(1);
  });

  test("not by a client that was not told to", async () => {
    const { attempts, session } = await detaching([draining()], 0);
    expect((await refusal(session.detachDevice({ device: "devices/a" }))).reason).toBe("DRAINING");
    expect(attempts).toHaveLength(1);
  });

  test("for one call where it is asked for there", async () => {
    const { attempts, session } = await detaching([draining()], 0);
    await session.detachDevice({ device: "devices/a" }, { retryForMs: LONG_MS });
    expect(attempts).toHaveLength(2);
  });
});

test("a refusal that will stay one is told at once", async () => {
  const { attempts, session } = await detaching([new BrokerError("not_owner", "not this session's")]);
  expect((await refusal(session.detachDevice({ device: "devices/a" }))).reason).toBe("NOT_OWNER");
  expect(attempts).toHaveLength(1);
});

test("an abort ends the waiting, with the failure that was waited for", async () => {
  const { session } = await detaching([draining(10_000)]);
  const aborting = new AbortController();
  const call = session.detachDevice({ device: "devices/a" }, { signal: aborting.signal });
  aborting.abort();
  expect((await refusal(call)).codeName).toMatch(/CANCELLED|UNAVAILABLE/);
});

describe("when the broker dies under a call", () => {
  /** Cuts the first detach off, serves anew, and gives how often a detach began and what became of the call. */
  async function cutOff(request: { device: string; requestId?: string }) {
    const server = await serve();
    let begun = 0;
    const entered = Promise.withResolvers<void>();
    server.core.stages.detach = () => {
      begun += 1;
      entered.resolve();
      return begun === 1 ? new Promise(() => {}) : Promise.resolve(DEVICE);
    };
    const session = await clientOf(server, { retryForMs: LONG_MS }).openSession({
      displayName: "vm 1",
      keepAlive: false,
    });
    const ended = session.detachDevice(request).then(
      () => "done",
      (error: { codeName: string }) => error.codeName,
    );
    await entered.promise;
    await server.restart();
    return { outcome: await ended, begun };
  }

  test("a change with a request_id is made again: the broker does it once", async () => {
    expect(await cutOff({ device: "devices/a", requestId: "r-1" })).toEqual({ outcome: "done", begun: 2 });
  });

  test("a change without one is not: it may have happened", async () => {
    const { begun, outcome } = await cutOff({ device: "devices/a" });
    expect(outcome).toMatch(/UNAVAILABLE|CANCELLED/);
    expect(begun).toBe(1);
  });

  test("a question is asked again once the broker is back", async () => {
    const server = await serve();
    const client = clientOf(server, { retryForMs: LONG_MS });
    await client.listDevices();
    server.stop();
    const listed = client.listDevices();
    await server.restart();
    expect(await listed).not.toHaveLength(0);
  });
});
