// A client without generated code: the schema is loaded at run time. What a script needs to ask a broker something.
// Usage: node examples/ask-capabilities.ts unix:/run/iommu-broker/broker.sock [devices/0000:01:00.0]

import { fileURLToPath } from "node:url";
import * as grpc from "@grpc/grpc-js";
import { loadSync, type Options } from "@grpc/proto-loader";

const PROTO = fileURLToPath(new URL("../proto", import.meta.url));
// proto-loader 0.8 passes `longs` on to protobufjs, which takes BigInt since 7.6; its type does not say so yet.
const OPTIONS: Options = Object.assign({ includeDirs: [PROTO], defaults: true, enums: String }, { longs: BigInt });

const [target, device = ""] = process.argv.slice(2);
if (!target) {
  console.error("usage: node examples/ask-capabilities.ts unix:/path/to/broker.sock [devices/ID]");
  process.exit(2);
}

const definition = loadSync("iommubroker/v1/broker.proto", OPTIONS)["iommubroker.v1.IommuBroker"];
if (!definition || "format" in definition) throw new Error("broker.proto has no service IommuBroker");
const Client = grpc.makeClientConstructor(definition, "IommuBroker");
const client = new Client(target, grpc.credentials.createInsecure(), { "grpc.default_authority": "localhost" });
const method = definition.GetCapabilities!;

client.makeUnaryRequest(
  method.path,
  method.requestSerialize,
  method.responseDeserialize,
  { device },
  (error: grpc.ServiceError | null, answer?: object) => {
    client.close();
    if (error) {
      console.error(`${grpc.status[error.code]}: ${error.details}`);
      process.exitCode = 1;
      return;
    }
    console.log(JSON.stringify(answer, (_, value) => (typeof value === "bigint" ? String(value) : value), 2));
  },
);
