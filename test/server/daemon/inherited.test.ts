import { expect, test } from "vitest";
import { loadConfig } from "../../../src/server/config.ts";
import { placeInherited } from "../../../src/server/daemon/inherited.ts";

function configWith(...words: readonly string[]) {
  const assignments = words.map((word) => {
    const [path = "", text = ""] = word.split("=");
    return { path, text, source: "test" };
  });
  const loaded = loadConfig({ file: undefined, environment: { RUNTIME_DIRECTORY: "/run/iommu-broker" }, assignments });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded.config;
}

const socket = (name: string, file: string, fd = 3) => ({ fd, name, path: `/run/iommu-broker/${file}` });

test("each socket is for what its name says", () => {
  const sockets = [
    socket("admin", "admin.sock", 3),
    socket("api", "broker.sock", 4),
    socket("metrics", "metrics.sock", 5),
    socket("fds", "fd.sock", 6),
  ];
  const config = configWith("metrics.socket=runtime:metrics.sock");
  expect(placeInherited(sockets, config)).toEqual({ admin: 3, api: 4, metrics: 5, fds: 6 });
  expect(placeInherited([], config)).toEqual({});
});

test.each([
  [
    [socket("iommu-broker.socket", "broker.sock")],
    '"iommu-broker.socket".*FileDescriptorName= to one of api, admin, fds',
  ],
  [[socket("api", "broker.sock"), socket("api", "broker.sock", 4)], '"api" \\(descriptor 4\\).*comes twice'],
  [
    [socket("api", "api.sock")],
    "bound at /run/iommu-broker/api.sock, but listen.socket is /run/iommu-broker/broker.sock",
  ],
  [[socket("metrics", "metrics.sock")], "but metrics.socket is off: set metrics.socket to the path in the socket unit"],
])("%j is refused", (sockets, message) => {
  expect(() => placeInherited(sockets, configWith())).toThrow(new RegExp(message));
});
