// A bare grpc-js server that answers every call with as many zero bytes as its first argument says: what gRPC alone costs.
// Listens on the Unix socket named by its second argument; prints a line once it does.

import * as grpc from "@grpc/grpc-js";

const [bytes = "", target = ""] = process.argv.slice(2);
const large = Buffer.alloc(Number(bytes));
const small = Buffer.alloc(64);
const same = (buffer: Buffer): Buffer => buffer;
const codec = { requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same };
const method = (name: string) => ({
  path: `/bench.Echo/${name}`,
  requestStream: false,
  responseStream: false,
  ...codec,
});

const server = new grpc.Server();
server.addService(
  { large: method("Large"), small: method("Small") },
  {
    large: (_call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => done(null, large),
    small: (_call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => done(null, small),
  },
);
server.bindAsync(target, grpc.ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
  console.log("listening");
});
