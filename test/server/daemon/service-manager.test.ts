import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { NotifySocket } from "../../../src/os/notify-socket.ts";
import { forgetServiceManager, serviceManager } from "../../../src/server/daemon/service-manager.ts";
import { NotifyReceiver, requirePython } from "../../support/service-manager.ts";

const PID = 4711;
let directory: string;
let address: string;
let troubles: string[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "service-manager-"));
  address = join(directory, "notify");
  troubles = [];
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

function manager(environment: Readonly<Record<string, string>> = {}) {
  const made = serviceManager({
    environment: { NOTIFY_SOCKET: address, ...environment },
    pid: PID,
    monotonicUsec: () => 123_456_789n,
    onTrouble: (what) => troubles.push(what),
  });
  if (made === undefined) throw new Error("no manager");
  return made;
}

const alive = async (): Promise<boolean> => true;

test("start, reload and stop are told in sd_notify's words, each with a status of one line", async (context) => {
  const receiver = await NotifyReceiver.bind(requirePython(context), address, 10);
  receiver.read();
  const told = manager();
  told.ready("serving\nREADY=0", alive);
  told.reloading();
  told.reloaded("serving again");
  told.stopping("bye");
  expect(await receiver.next()).toEqual(["READY=1", "STATUS=serving READY=0"]);
  expect(await receiver.next()).toEqual(["RELOADING=1", "MONOTONIC_USEC=123456789", "STATUS=reloading"]);
  expect(await receiver.next()).toEqual(["READY=1", "STATUS=serving again"]);
  expect(await receiver.next()).toEqual(["STOPPING=1", "STATUS=bye"]);
  told.close();
});

test("keep-alives come several times in a period, and end when the daemon stops", async (context) => {
  const receiver = await NotifyReceiver.bind(requirePython(context), address, 2);
  receiver.read();
  const told = manager({ WATCHDOG_USEC: "2000000", WATCHDOG_PID: String(PID) });
  told.ready("serving", alive);
  for (let count = 0; count < 4; count++) await receiver.nextWith("WATCHDOG=1");
  told.stopping("bye");
  await receiver.nextWith("STOPPING=1");
  expect(await receiver.next()).toEqual(["silence"]);
  told.close();
});

test("no keep-alive is sent while the backend does not answer, and it is said why", async (context) => {
  const receiver = await NotifyReceiver.bind(requirePython(context), address, 2);
  receiver.read();
  let answers = false;
  const told = manager({ WATCHDOG_USEC: "400000" });
  told.ready("serving", async () => answers);
  expect(await receiver.next()).toEqual(["READY=1", "STATUS=serving"]);
  expect(await receiver.next()).toEqual(["silence"]);
  expect(troubles).toContain("the backend does not answer: the service manager gets no keep-alive");
  answers = true;
  expect(await receiver.nextWith("WATCHDOG=1")).toEqual(["WATCHDOG=1"]);
  told.close();
});

test.each([{}, { WATCHDOG_USEC: "200000", WATCHDOG_PID: "1" }, { WATCHDOG_USEC: "soon" }, { WATCHDOG_USEC: "0" }])(
  "with %j no keep-alive is asked of this process",
  (environment) => {
    const told = manager(environment);
    let asked = 0;
    told.ready("serving", async () => ++asked > 0);
    expect(asked).toBe(0);
    told.close();
  },
);

test("what a full receiver does not take comes later, in order", async (context) => {
  const receiver = await NotifyReceiver.bind(requirePython(context), address, 10);
  const filler = new NotifySocket(address);
  while (filler.send(["X_FILL=1"]) === "sent");
  const told = manager();
  told.ready("serving", alive);
  told.reloading();
  receiver.read();
  expect(await receiver.nextWith("READY=1")).toEqual(["READY=1", "STATUS=serving"]);
  expect(await receiver.next()).toEqual(expect.arrayContaining(["RELOADING=1"]));
  expect(troubles).toEqual([]);
  filler.close();
  told.close();
});

test("a socket that is gone is told, and nothing else happens", () => {
  const told = manager();
  told.ready("serving", alive);
  expect(troubles).toEqual(["the service manager's socket takes nothing: is it gone?"]);
  told.close();
});

test("without NOTIFY_SOCKET there is no manager", () => {
  const options = { pid: PID, monotonicUsec: () => 0n, onTrouble: () => {} };
  expect(serviceManager({ environment: {}, ...options })).toBeUndefined();
});

test("what was meant for this process is taken from what others inherit", () => {
  const environment = { NOTIFY_SOCKET: "/x", WATCHDOG_USEC: "1", WATCHDOG_PID: "1", PATH: "/bin" };
  forgetServiceManager(environment);
  expect(environment).toEqual({ PATH: "/bin" });
});
