// A client that is not ours: Debian's python3-grpcio with stubs from Debian's protobuf compiler. Where the packages are
// absent the test is skipped with a line that names them; IOMMU_BROKER_REQUIRE_INTEROP=1 makes that a failure.

import { execFile, execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { startBroker } from "../../examples/support/broker-process.ts";

const PACKAGES = "python3-grpcio protobuf-compiler protobuf-compiler-grpc";
const python = ["/usr/bin/python3", "python3"].find(
  (candidate) => spawnSync(candidate, ["-c", "import grpc, google.protobuf"]).status === 0,
);
const plugin = spawnSync("sh", ["-c", "command -v grpc_python_plugin && command -v protoc"]).stdout?.toString() ?? "";
const missing = python === undefined || plugin.split("\n").filter(Boolean).length < 2;
const run = promisify(execFile);

test("python3-grpcio walks the whole life cycle", async (context) => {
  if (missing) {
    expect(process.env.IOMMU_BROKER_REQUIRE_INTEROP, `install ${PACKAGES}`).not.toBe("1");
    context.skip(`needs Debian's ${PACKAGES}`);
    return;
  }
  const stubs = mkdtempSync(join(tmpdir(), "iommu-broker-stubs-"));
  const broker = await startBroker();
  try {
    generateStubs(stubs);
    const script = join("examples/python", "life_cycle.py");
    const environment = { ...process.env, PYTHONPATH: stubs };
    const { stdout } = await run(python!, [script, broker.socket, broker.memoryRoot], { env: environment });
    expect(stdout.trim().split("\n")).toEqual([
      "capabilities and devices read",
      "session open and kept alive",
      "guest memory mapped, virtual IOMMU made",
      "device attached and bound",
      "DMA through both stages",
      "broken context descriptor seen as C_BAD_CD",
      "life cycle complete",
    ]);
  } finally {
    expect(await broker.stop()).toBe(0);
    rmSync(stubs, { recursive: true });
  }
});

function generateStubs(into: string): void {
  const protos = ["iommubroker/v1", "google/rpc"].flatMap((folder) =>
    readdirSync(join("proto", folder)).map((file) => `${folder}/${file}`),
  );
  const pluginPath = plugin.split("\n")[0]!;
  const options = ["-Iproto", `--python_out=${into}`, `--grpc_python_out=${into}`];
  execFileSync("protoc", [...options, `--plugin=protoc-gen-grpc_python=${pluginPath}`, ...protos]);
}
