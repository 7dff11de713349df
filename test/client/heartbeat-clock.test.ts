import { connectivityState } from "@grpc/grpc-js";
import { describe, expect, onTestFinished, test } from "vitest";
import { Channel } from "../../src/client/channel.ts";
import { orSilence } from "../../src/client/heartbeat-clock.ts";
import { refusal, serve } from "../support/rpc-server.ts";

const NEVER = new Promise<never>(() => undefined);

async function channelTo(target: string): Promise<Channel> {
  const channel = new Channel(target, {});
  onTestFinished(() => channel.close());
  return channel;
}

describe("a clock of heartbeats", () => {
  test("gives the message, and leaves the connection alone", async () => {
    const channel = await channelTo((await serve()).target);
    const { connection } = channel;
    expect(await orSilence(Promise.resolve("news"), channel, connection, 1)).toBe("news");
    expect(channel.connection).toBe(connection);
  });

  test("fails after three heartbeats of silence, and calls then go over another connection", async () => {
    const channel = await channelTo((await serve()).target);
    await channel.ready(5000);
    const { connection } = channel;
    const error = await refusal(orSilence(NEVER, channel, connection, 5));
    expect([error.isBrokenOff, error.message]).toEqual([
      true,
      "nothing came from the broker for 15 ms, not even a heartbeat",
    ]);
    expect(channel.connection).not.toBe(connection);
  });

  test("two streams that find the same silence make one new connection", async () => {
    const channel = await channelTo((await serve()).target);
    await channel.ready(5000);
    const { connection } = channel;
    await refusal(orSilence(NEVER, channel, connection, 5));
    const second = channel.connection;
    await refusal(orSilence(NEVER, channel, connection, 5));
    expect(channel.connection).toBe(second);
  });

  test("does not run while the connection is still being made", async () => {
    const channel = await channelTo("unix:/nonexistent/broker.sock");
    const { connection } = channel;
    const { promise: message, resolve } = Promise.withResolvers<string>();
    setTimeout(resolve, 50, "late"); // ten heartbeats
    expect(connection.getChannel().getConnectivityState(true)).not.toBe(connectivityState.READY);
    expect(await orSilence(message, channel, connection, 5)).toBe("late");
    expect(channel.connection).toBe(connection);
  });
});
