// A process that reads WatchFaults streams, decodes and counts all of it, and measures how old an event is when it comes.
// Its own connections, one for each socket; driven over IPC by fault-counting.ts.

import * as grpc from "@grpc/grpc-js";
import { codec, iommubroker } from "../../src/server/rpc/codec.ts";
import { TOKEN_KEY } from "../../src/server/rpc/token.ts";
import type { Latencies, ReaderAnswer, ReaderOrder, StreamOrder } from "./fault-counting.ts";
import { FaultTally } from "./fault-tally.ts";

type Message = iommubroker.v1.WatchFaultsResponse;
const { decode } = codec(iommubroker.v1.WatchFaultsResponse);
const same = (bytes: Buffer): Buffer => bytes;

interface Reading {
  readonly order: StreamOrder;
  readonly stream: grpc.ClientReadableStream<Buffer>;
  readonly tally: FaultTally;
  isStuck: boolean;
}

const clients = new Map<string, grpc.Client>();
let readings: Reading[] = [];
let latencies: Latencies = {};
let phase = "";
let awaited: { readonly device: string; readonly through: number } | undefined;

function answer(told: ReaderAnswer): void {
  process.send?.(told);
}

function clientOf(target: string): grpc.Client {
  const known = clients.get(target);
  if (known !== undefined) return known;
  const client = new grpc.Client(target, grpc.credentials.createInsecure(), {
    "grpc.default_authority": "localhost",
    "grpc.use_local_subchannel_pool": 1,
    "grpc.max_receive_message_length": -1,
  });
  clients.set(target, client);
  return client;
}

/** Resolves when the stream stands: a stuck reader sees no more of it than the headers. */
async function open(order: StreamOrder): Promise<void> {
  const metadata = new grpc.Metadata();
  if (order.token !== undefined) metadata.set(TOKEN_KEY, order.token);
  const request = Buffer.from(order.request, "base64");
  const stream = clientOf(order.target).makeServerStreamRequest(order.path, same, same, request, metadata);
  const reading: Reading = { order, stream, tally: new FaultTally(order.after), isStuck: order.isStuck };
  readings.push(reading);
  stream.on("error", (error: grpc.ServiceError) => {
    if (error.code !== grpc.status.CANCELLED) answer({ kind: "failed", reason: error.message });
  });
  await new Promise<void>((resolve) => {
    if (order.isStuck) stream.once("metadata", () => resolve());
    else listen(reading, resolve);
  });
}

function listen(reading: Reading, onFirst: () => void): void {
  reading.stream.once("data", onFirst);
  reading.stream.on("data", (bytes: Buffer) => {
    try {
      take(reading, bytes);
    } catch (error) {
      answer({ kind: "failed", reason: String(error) });
    }
  });
}

function take({ order, tally }: Reading, bytes: Buffer): void {
  const message = decode(bytes);
  if (message.events.length + message.gaps.length === 0) return;
  tally.messages += 1;
  tally.bytes += bytes.length;
  if (order.isBare) {
    const known = (tally.devices[""] ??= { through: 0, events: 0, gaps: {} });
    known.events += message.events.length;
    known.through = known.events;
  } else {
    tally.take(message);
    if (phase !== "") measure(message);
  }
  look();
}

function measure({ events }: Message): void {
  const ofPhase = (latencies[phase] ??= {});
  const now = performance.timeOrigin + performance.now();
  for (const { device, time } of events) {
    const sent = Number(time?.seconds ?? 0) * 1000 + (time?.nanos ?? 0) / 1_000_000;
    const tenths = Math.max(0, Math.round((now - sent) * 10));
    const histogram = (ofPhase[device] ??= {});
    histogram[tenths] = (histogram[tenths] ?? 0) + 1;
  }
}

function look(): void {
  if (awaited === undefined) return;
  const { device, through } = awaited;
  const isThere = readings.every(({ isStuck, tally }) => isStuck || (tally.devices[device]?.through ?? 0) >= through);
  if (!isThere) return;
  awaited = undefined;
  answer({ kind: "done" });
}

async function act(order: ReaderOrder): Promise<void> {
  switch (order.kind) {
    case "open":
      await Promise.all(order.streams.map(open));
      return answer({ kind: "done" });
    case "until":
      awaited = order;
      return look();
    case "phase":
      phase = order.phase;
      return answer({ kind: "done" });
    case "read":
      for (const reading of readings.filter(({ isStuck }) => isStuck)) {
        reading.isStuck = false;
        listen(reading, () => {});
      }
      return answer({ kind: "done" });
    case "report": {
      const streams = readings.map(({ order: { watched }, tally: { bytes, devices, messages } }) => {
        return { watched, devices, messages, bytes };
      });
      return answer({ kind: "report", streams, latencies });
    }
    case "close":
      for (const { stream } of readings) stream.cancel();
      readings = [];
      latencies = {};
      return answer({ kind: "done" });
  }
}

process.on("message", (order: ReaderOrder) => {
  act(order).catch((error) => answer({ kind: "failed", reason: String(error) }));
});
process.once("disconnect", () => process.exit());
