// The daemon as it is installed, in the guest.

import assert from "node:assert/strict";
import { connect } from "../../../src/client/client.ts";
import { withDaemon } from "../guest/daemon.ts";
import type { KernelCase } from "../kernel-case.ts";

export const daemonCases: readonly KernelCase[] = [
  {
    name: "the built daemon starts in the guest and answers over gRPC",
    run: () =>
      withDaemon({ backend: "simulated" }, async ({ target }) => {
        const client = connect(target);
        try {
          const devices = await client.listDevices();
          assert.equal(devices.length, 8);
          const session = await client.openSession({ displayName: "guest" });
          await session.close();
        } finally {
          client.close();
        }
      }),
  },
];
