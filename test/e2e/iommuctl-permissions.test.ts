// iommuctl as another user, whom the socket's directory does not let in: as with /run/iommu-broker and its group.

import { spawnSync } from "node:child_process";
import { chmodSync, chownSync } from "node:fs";
import { dirname } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { startBroker } from "../../examples/support/broker-process.ts";
import { IOMMUCTL, soberEnvironment } from "../support/iommuctl-process.ts";

const NOBODY = 65_534;
/** "daemon" in every Debian. */
const GROUP = 1;

test.skipIf(process.getuid?.() !== 0)(
  "a user who is not in the socket's group exits 6 and is told which group it is",
  async () => {
    const broker = await startBroker();
    onTestFinished(async () => void (await broker.stop()));
    chmodSync(broker.directory, 0o755);
    const directory = dirname(broker.socket);
    chownSync(directory, 0, GROUP);
    chmodSync(directory, 0o750);
    const run = spawnSync(process.execPath, [IOMMUCTL, "devices", "--socket", broker.socket], {
      uid: NOBODY,
      gid: NOBODY,
      encoding: "utf8",
      env: soberEnvironment(),
    });
    expect([run.status, run.stdout]).toEqual([6, ""]);
    expect(run.stderr).toMatch(
      /cannot reach a broker at .*EACCES[\s\S]*members of the group daemon: usermod -aG daemon USER/,
    );
  },
);
