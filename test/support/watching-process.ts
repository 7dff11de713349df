// A process with a wait of the poller under way, which must not keep it from ending. Usage: watching-process.ts HOW

import { openPidfd } from "../../src/os/libc.ts";
import { Poller } from "../../src/os/poller.ts";

const poller = new Poller(() => {});
const own = openPidfd(process.pid);
if (!own.ok) throw new Error(own.errno);
poller.watch(own.fd, () => {});
setTimeout(() => {
  switch (process.argv[2]) {
    case "exit":
      process.exit(3);
      break;
    case "throw":
      throw new Error("nobody catches this");
    default:
      void poller.close();
  }
}, 100);
