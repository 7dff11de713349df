// RPCs, under the names that every gRPC dashboard expects.

import type { Metric } from "./metric.ts";

export const RPC = {
  rpcStarted: {
    type: "counter",
    name: "grpc_server_started_total",
    help: "RPCs started on the server.",
    labels: ["grpc_type", "grpc_service", "grpc_method"],
  },
  rpcHandled: {
    type: "counter",
    name: "grpc_server_handled_total",
    help: "RPCs completed on the server, whatever came of them.",
    labels: ["grpc_type", "grpc_service", "grpc_method", "grpc_code"],
  },
  rpcReceived: {
    type: "counter",
    name: "grpc_server_msg_received_total",
    help: "Messages received by RPCs on the server.",
    labels: ["grpc_type", "grpc_service", "grpc_method"],
  },
  rpcSent: {
    type: "counter",
    name: "grpc_server_msg_sent_total",
    help: "Messages sent by RPCs on the server.",
    labels: ["grpc_type", "grpc_service", "grpc_method"],
  },
  rpcSeconds: {
    type: "histogram",
    name: "grpc_server_handling_seconds",
    help: "Time from the first byte of an RPC to its end, in seconds.",
    labels: ["grpc_type", "grpc_service", "grpc_method"],
  },
} as const satisfies Record<string, Metric>;
