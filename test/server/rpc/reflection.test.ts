import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import * as grpc from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { codec } from "../../../src/server/rpc/codec.ts";
import { Descriptors, loadDescriptors } from "../../../src/server/rpc/descriptors.ts";
import { grpc as generated } from "../../../src/server/rpc/generated/messages.js";
import { addHealthService } from "../../../src/server/rpc/health.ts";
import { type Listeners, openListeners } from "../../../src/server/rpc/listener.ts";
import { addReflectionServices, type ReflectionHandle, responseTo } from "../../../src/server/rpc/reflection.ts";

const ROOT = join(import.meta.dirname, "../../..");
const BUF = join(ROOT, "node_modules/.bin/buf");
const run = promisify(execFile);
const v1 = generated.reflection.v1;
const REQUEST = codec(v1.ServerReflectionRequest);
const RESPONSE = codec(v1.ServerReflectionResponse);
const SERVICES = [
  "iommubroker.v1.IommuBroker",
  "iommubroker.v1.Simulator",
  "grpc.health.v1.Health",
  "grpc.reflection.v1.ServerReflection",
  "grpc.reflection.v1alpha.ServerReflection",
];
const descriptors = loadDescriptors();

function answer(request: generated.reflection.v1.IServerReflectionRequest) {
  return responseTo(request, descriptors, SERVICES);
}

/** The names of the files in an answer: field 1 of each, at its beginning. */
function fileNames(files: readonly Uint8Array[] | undefined): string[] {
  return (files ?? []).map((bytes) => Buffer.from(bytes.subarray(2, 2 + (bytes[1] ?? 0))).toString());
}

describe("symbols", () => {
  test.each([
    ["a service", "iommubroker.v1.IommuBroker", "iommubroker/v1/broker.proto"],
    ["a method", "iommubroker.v1.IommuBroker.GetDevice", "iommubroker/v1/broker.proto"],
    ["a message", "iommubroker.v1.BindGuestStageRequest", "iommubroker/v1/stage.proto"],
    ["a field", "iommubroker.v1.BindGuestStageRequest.device", "iommubroker/v1/stage.proto"],
    ["an enum", "iommubroker.v1.StageState", "iommubroker/v1/device.proto"],
    ["an enum value, sibling of its enum", "iommubroker.v1.STAGE_STATE_DEFAULT_DOMAIN", "iommubroker/v1/device.proto"],
    ["a nested enum", "grpc.health.v1.HealthCheckResponse.ServingStatus", "grpc/health/v1/health.proto"],
    ["a nested enum's value", "grpc.health.v1.HealthCheckResponse.SERVING", "grpc/health/v1/health.proto"],
    ["a map's entry", "grpc.health.v1.HealthListResponse.StatusesEntry", "grpc/health/v1/health.proto"],
    ["a nested message", "google.rpc.BadRequest.FieldViolation", "google/rpc/error_details.proto"],
  ])("%s is found in the file that declares it", (_, symbol, file) => {
    const [first] = fileNames(
      answer({ fileContainingSymbol: symbol }).fileDescriptorResponse?.fileDescriptorProto ?? [],
    );
    expect(first).toBe(file);
  });

  test.each(["iommubroker.v1.Nothing", "iommubroker.v1", "", ".iommubroker.v1.IommuBroker", "__proto__"])(
    "%j is not found, and says so within the stream",
    (symbol) => {
      expect(answer({ fileContainingSymbol: symbol }).errorResponse).toMatchObject({
        errorCode: grpc.status.NOT_FOUND,
      });
    },
  );

  test("every message, enum, service and method that the protos declare is found", () => {
    const protos = ["address_space", "broker", "capability", "device", "fault", "session", "simulator", "stage"];
    const text = protos
      .map((name) => readFileSync(join(ROOT, `proto/iommubroker/v1/${name}.proto`), "utf8"))
      .join("\n");
    const declared = [...text.matchAll(/^(?:message|enum|service) (\w+)/gm)].map((match) => match[1]);
    expect(declared.length).toBeGreaterThan(60);
    for (const name of declared) expect(descriptors.bySymbol(`iommubroker.v1.${name}`), name).toBeDefined();
  });
});

test("a file comes with every file it imports, each once", () => {
  const names = fileNames(
    answer({ fileByFilename: "iommubroker/v1/broker.proto" }).fileDescriptorResponse?.fileDescriptorProto ?? [],
  );
  expect(names).toContain("iommubroker/v1/stage.proto");
  expect(names).toContain("iommubroker/v1/fault.proto");
  expect(new Set(names).size).toBe(names.length);
});

test("the bytes of a file are exactly the ones buf wrote", () => {
  const set = readFileSync(join(ROOT, "src/server/rpc/generated/descriptors.binpb"));
  for (const file of descriptors.byFilename("iommubroker/v1/broker.proto") ?? []) {
    expect(set.includes(Buffer.from(file))).toBe(true);
  }
});

test("the list of services is what is served, and nothing more", () => {
  expect(answer({ listServices: "" }).listServicesResponse?.service).toEqual(SERVICES.map((name) => ({ name })));
});

test("extensions: an unknown type is not found, one without extensions has an empty list", () => {
  const type = "iommubroker.v1.Device";
  expect(answer({ allExtensionNumbersOfType: "no.Such" }).errorResponse).toMatchObject({ errorCode: 5 });
  expect(answer({ allExtensionNumbersOfType: type }).allExtensionNumbersResponse).toEqual({
    baseTypeName: type,
    extensionNumber: [],
  });
  expect(answer({ fileContainingExtension: { containingType: type, extensionNumber: 1 } }).errorResponse).toMatchObject(
    {
      errorCode: grpc.status.NOT_FOUND,
    },
  );
});

test("an extension is found by its type and number", async () => {
  const scratch = mkdtempSync(join(tmpdir(), "reflection-"));
  try {
    const text = [
      'syntax = "proto2"; package test;',
      "message Open { extensions 100 to 199; }",
      "extend Open { optional string hint = 123; }",
      "message Holder { extend Open { optional int32 depth = 150; } }",
    ];
    const proto = join(scratch, "ext.proto");
    const { writeFileSync } = await import("node:fs");
    writeFileSync(proto, text.join("\n"));
    const output = join(scratch, "set.binpb");
    await run(BUF, ["build", scratch, "--as-file-descriptor-set", "--output", output], { cwd: scratch });
    const set = new Descriptors(readFileSync(output));
    expect([...(set.extensionNumbers("test.Open") ?? [])].sort()).toEqual([123, 150]);
    expect(fileNames(set.byExtension("test.Open", 150))).toEqual(["ext.proto"]);
    expect(fileNames(set.bySymbol("test.Holder.depth"))).toEqual(["ext.proto"]);
    expect(set.byExtension("test.Open", 124)).toBeUndefined();
  } finally {
    rmSync(scratch, { recursive: true });
  }
});

test("descriptors that lack an imported file are refused when they are loaded", () => {
  const file = Buffer.from([0x0a, 0x01, 0x61, 0x1a, 0x01, 0x62]); // name: "a", dependency: "b"
  expect(() => new Descriptors(Buffer.concat([Buffer.from([0x0a, file.length]), file]))).toThrow("lack b");
});

test("a request that asks for nothing is answered with an error", () => {
  expect(answer({}).errorResponse).toMatchObject({ errorCode: grpc.status.INVALID_ARGUMENT });
});

describe("over a socket", () => {
  let directory: string;
  let socket: string;
  let server: grpc.Server;
  let listeners: Listeners;
  let reflection: ReflectionHandle;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "reflection-"));
    socket = join(directory, "s");
    server = new grpc.Server({ "grpc.enable_channelz": 0 });
    const idle = { services: [], pingTimeoutMs: 1000, watchIntervalMs: 1000 };
    addHealthService(server, { ...idle, ping: async () => {} });
    reflection = addReflectionServices(server, loadDescriptors, SERVICES);
    listeners = await openListeners({
      server,
      socket,
      tcp: undefined,
      connectionsMax: 64,
      connectionsPerIdentityMax: 64,
      handshakeTimeoutMs: 5000,
      onRefused: () => {},
    });
  });

  afterAll(() => {
    listeners.stop();
    server.forceShutdown();
    rmSync(directory, { recursive: true });
  });

  async function buf(...args: string[]): Promise<string> {
    const common = ["curl", "--protocol", "grpc", "--http2-prior-knowledge", "--unix-socket", socket];
    const { stdout } = await run(BUF, [...common, ...args], { cwd: directory });
    return stdout;
  }

  test.each(["grpc-v1", "grpc-v1alpha"])("buf curl lists services and methods over %s", async (protocol) => {
    const flags = ["--reflect", "--reflect-protocol", protocol];
    expect((await buf(...flags, "--list-services", "http://localhost")).trim().split("\n").sort()).toEqual(
      [...SERVICES].sort(),
    );
    const methods = await buf(...flags, "--list-methods", "http://localhost");
    expect(methods).toContain("iommubroker.v1.IommuBroker/BindGuestStage");
    expect(methods).toContain("iommubroker.v1.Simulator/Dma");
  });

  test("buf curl calls a service whose messages hold a map, knowing it from reflection only", async () => {
    const listed: unknown = JSON.parse(await buf("http://localhost/grpc.health.v1.Health/List"));
    expect(listed).toMatchObject({ statuses: { liveness: { status: "SERVING" } } });
  });

  function stream(service: string) {
    const client = new grpc.Client(`unix:${socket}`, grpc.credentials.createInsecure(), {
      "grpc.default_authority": "localhost",
    });
    const same = (bytes: Buffer): Buffer => bytes;
    const call = client.makeBidiStreamRequest(`/${service}/ServerReflectionInfo`, same, same);
    const answers: generated.reflection.v1.ServerReflectionResponse[] = [];
    call.on("data", (bytes: Buffer) => answers.push(RESPONSE.decode(bytes)));
    const ended = new Promise<number>((resolve) => {
      call.on("error", (error: grpc.ServiceError) => resolve(error.code));
      call.on("status", (ending: grpc.StatusObject) => resolve(ending.code));
    });
    return { call, answers, ended: ended.finally(() => client.close()) };
  }

  test.each(SERVICES.slice(3))(
    "%s answers in order, echoes the request, survives an error, and ends with OK",
    async (service) => {
      const { call, answers, ended } = stream(service);
      call.write(REQUEST.encode({ host: "h", fileContainingSymbol: "no.Such" }));
      call.write(REQUEST.encode({ host: "h", fileContainingSymbol: "iommubroker.v1.Simulator" }));
      call.end();
      expect(await ended).toBe(grpc.status.OK);
      expect(answers.map((each) => each.messageResponse)).toEqual(["errorResponse", "fileDescriptorResponse"]);
      expect(answers[1]).toMatchObject({
        validHost: "h",
        originalRequest: { fileContainingSymbol: "iommubroker.v1.Simulator" },
      });
    },
  );

  test("a client that asks for much and reads late gets all of it, in order", async () => {
    const { call, answers, ended } = stream("grpc.reflection.v1.ServerReflection");
    call.pause();
    for (let count = 0; count < 300; count++) {
      call.write(REQUEST.encode({ host: String(count), fileByFilename: "iommubroker/v1/broker.proto" }));
    }
    call.end();
    call.resume();
    expect(await ended).toBe(grpc.status.OK);
    expect(answers.map((each) => each.validHost)).toEqual(Array.from({ length: 300 }, (_, count) => String(count)));
  });

  test("a malformed request ends the stream with INVALID_ARGUMENT", async () => {
    const { call, ended } = stream("grpc.reflection.v1.ServerReflection");
    call.write(Buffer.from([0x0a, 0xff]));
    expect(await ended).toBe(grpc.status.INVALID_ARGUMENT);
  });

  test("closing ends an open stream with UNAVAILABLE", async () => {
    const { call, answers, ended } = stream("grpc.reflection.v1.ServerReflection");
    call.write(REQUEST.encode({ listServices: "" }));
    await expect.poll(() => answers.length).toBe(1);
    reflection.close();
    expect(await ended).toBe(grpc.status.UNAVAILABLE);
  });
});
