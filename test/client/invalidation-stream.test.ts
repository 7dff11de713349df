import { expect, test } from "vitest";
import { BrokerError } from "../../src/backends/errors.ts";
import { BrokerCallError } from "../../src/client/client.ts";
import { VIRTUAL_IOMMU_ID } from "../support/fake-core.ts";
import { type RpcServer, refusal, serve, settled } from "../support/rpc-server.ts";

const NAME = `virtualIommus/${VIRTUAL_IOMMU_ID}`;
/** CMD_TLBI_NH_ALL (§4.4.3). */
const RAW = Buffer.from("10".padEnd(32, "0"), "hex");

/** Batches of so many commands are refused. */
function refusing(server: RpcServer, commandsOf: number): void {
  server.core.virtualIommus.invalidate = async (_session, _name, commands) => {
    await new Promise((resolve) => setImmediate(resolve));
    if (commands.length !== commandsOf) return commands.length;
    throw new BrokerError("argument_invalid", "commands[2]: no", { index: 2 });
  };
}

test("keeps each batch's promise by its own answer, though many are on their way", async () => {
  const server = await serve();
  refusing(server, 3);
  const stream = (await server.session()).streamInvalidations(NAME);
  const batches = Array.from({ length: 100 }, (_, index) =>
    stream.invalidate(Buffer.alloc(16 * (1 + (index % 4)), RAW)),
  );
  expect(stream.outstanding).toBe(100);
  const results = await Promise.allSettled(batches);
  const shown = results.map((result) => (result.status === "fulfilled" ? result.value : result.reason.metadata.index));
  expect(shown).toEqual(Array.from({ length: 100 }, (_, index) => (index % 4 === 2 ? "2" : 1 + (index % 4))));
  expect(stream.outstanding).toBe(0);
  await stream.close();
});

test("keeps what is beyond its own bound to itself", async () => {
  const server = await serve();
  let begun = 0;
  const letGo: (() => void)[] = [];
  server.core.virtualIommus.invalidate = async () => {
    begun += 1;
    await new Promise<void>((resolve) => void letGo.push(resolve));
    return 1;
  };
  const stream = (await server.session()).streamInvalidations(NAME, { outstandingMax: 1 });
  const both = [stream.invalidate([{ tlbiNhAll: {} }]), stream.invalidate([{ tlbiNhAll: {} }])];
  await expect.poll(() => begun, { interval: 2 }).toBe(1);
  expect(await settled(() => begun)).toBe(1);
  letGo[0]!();
  await expect.poll(() => begun, { interval: 2 }).toBe(2);
  letGo[1]!();
  expect(await Promise.all(both)).toEqual([1, 1]);
  await stream.close();
});

test("a stream that ends rejects what has no answer, and what comes after, with what ended it", async () => {
  const server = await serve();
  server.core.virtualIommus.invalidate = async () => await new Promise(() => undefined);
  const session = await server.session();
  const stream = session.streamInvalidations(NAME);
  const waiting = [stream.invalidate(RAW), stream.invalidate(RAW)];
  await expect.poll(() => server.core.listeners("00000000-0000-4000-8000-000000000001"), { interval: 2 }).toBe(1);
  server.core.expire(session.token);
  for (const batch of waiting) expect((await refusal(batch)).reason).toBe("LEASE_EXPIRED");
  expect((await refusal(stream.invalidate(RAW))).reason).toBe("LEASE_EXPIRED");
  await expect(stream.close()).rejects.toThrow(BrokerCallError);
});

test("takes nothing more once it is closed, and closes behind its last answer", async () => {
  const server = await serve();
  const stream = (await server.session()).streamInvalidations(NAME);
  const last = stream.invalidate(RAW);
  const closed = stream.close();
  expect((await refusal(stream.invalidate(RAW))).codeName).toBe("CANCELLED");
  expect(await last).toBe(1);
  await closed;
});

test("cancelling it rejects what waits with CANCELLED", async () => {
  const server = await serve();
  server.core.virtualIommus.invalidate = async () => await new Promise(() => undefined);
  const stream = (await server.session()).streamInvalidations(NAME, { deadlineMs: 60_000 });
  const waiting = stream.invalidate(RAW);
  stream.cancel();
  expect((await refusal(waiting)).codeName).toBe("CANCELLED");
});
