// The descriptor socket as a client sees it that is not ours: Python's standard library and the document.

import { execFile, spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { DaemonDirectory } from "../support/e2e-daemon.ts";

/** socket.send_fds is there since 3.9. */
const python = ["/usr/bin/python3", "python3"].find(
  (candidate) => spawnSync(candidate, ["-c", "import os, socket; socket.send_fds; os.memfd_create"]).status === 0,
);

test("a Python client puts a memfd by the bytes of the document, and is told what is wrong with others", async (context) => {
  if (python === undefined) {
    expect(process.env.IOMMU_BROKER_REQUIRE_INTEROP, "install python3, 3.9 or later").not.toBe("1");
    context.skip("needs python3, 3.9 or later");
    return;
  }
  const directory = new DaemonDirectory();
  await directory.start();
  const script = join("examples/python", "put_memory.py");
  const { stdout } = await promisify(execFile)(python, [script, join(dirname(directory.socket), "fd.sock")]);
  const [first, second, third] = stdout.trim().split("\n");
  expect(first).toBe("0 16 10000"); // ok, 128 bits, timing.ticket_ttl_ms
  expect(second).toMatch(/^1 no descriptor came/);
  expect(third).toMatch(/^4 version 2 is not spoken here/);
});
