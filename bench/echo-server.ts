// A bare grpc-js server: what gRPC alone costs. "Large" answers every call with as many zero bytes as its first argument says;
// "Coded" decodes a GetDeviceRequest and encodes the GetDeviceResponse whose bytes its third argument has in hexadecimal, as
// any service must do something of the kind.
// Listens on the Unix socket named by its second argument; prints a line once it does.

import * as grpc from "@grpc/grpc-js";
import { BROKER } from "../src/server/rpc/services.ts";

const [bytes = "", target = "", answer = ""] = process.argv.slice(2);
const large = Buffer.alloc(Number(bytes));
const small = Buffer.alloc(64);
const { request, response } = BROKER.getDevice;
const coded = response.decode(Buffer.from(answer, "hex"));
const same = (buffer: Buffer): Buffer => buffer;
const codec = { requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same };
const method = (name: string) => ({
  path: `/bench.Echo/${name}`,
  requestStream: false,
  responseStream: false,
  ...codec,
});

const server = new grpc.Server({ "grpc.enable_channelz": 0 }); // as the daemon has it
server.addService(
  { large: method("Large"), small: method("Small"), coded: method("Coded") },
  {
    large: (_call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => done(null, large),
    small: (_call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => done(null, small),
    coded: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) =>
      done(null, request.decode(call.request).device === "" ? null : response.encode(coded)),
  },
);
server.bindAsync(target, grpc.ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
  console.log("listening");
});
