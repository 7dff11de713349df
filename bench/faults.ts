// npm run bench:faults: what delivering faults costs, beside a bare gRPC stream, and how long a fault takes to its reader. With
// --storm: a storm of one device beside quiet ones. Usage: npm run bench:faults -- [--storm] [--events N] [--readers 1,10,100] [--repetitions N]

import { parseArgs } from "node:util";
import { measureDelivery } from "./fault-delivery.ts";
import { measureLatency } from "./fault-latency.ts";
import { measureStorm } from "./fault-storm.ts";

const { values } = parseArgs({
  options: {
    storm: { type: "boolean", default: false },
    events: { type: "string" },
    readers: { type: "string", default: "1,10,100" },
    repetitions: { type: "string", default: "5" },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log("npm run bench:faults -- [--storm] [--events N] [--readers 1,10,100] [--repetitions N]");
  process.exit(0);
}
if (values.storm) {
  if (!(await measureStorm(Number(values.events ?? 1_000_000)))) process.exitCode = 1;
} else {
  const isMet = await measureDelivery({
    events: Number(values.events ?? 20_480),
    readers: values.readers.split(",").map(Number),
    repetitions: Number(values.repetitions),
  });
  if (!isMet) process.exitCode = 1;
  await measureLatency(values.readers.split(",").map(Number));
}
