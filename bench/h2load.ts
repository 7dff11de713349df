// Load from h2load (Debian: nghttp2-client), whose own CPU time is not in the way: one unary call over and over.
// Several URIs are asked in turn, with the same body.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Load {
  readonly socket: string;
  /** "/package.Service/Method"; asked in turn. */
  readonly paths: readonly string[];
  readonly token: string | undefined;
  readonly message: Uint8Array;
  readonly requests: number;
  /** Requests under way at a time. */
  readonly concurrency: number;
}

export function hasH2load(): boolean {
  return spawnSync("h2load", ["--version"]).status === 0;
}

/**
 * Gives the microseconds from each request to its answer.
 * @throws when a request did not end with HTTP status 200
 */
export async function load({ socket, paths, token, message, requests, concurrency }: Load): Promise<number[]> {
  const directory = mkdtempSync(join(tmpdir(), "iommu-broker-bench-"));
  try {
    const [body, times] = [join(directory, "body"), join(directory, "times")];
    writeFileSync(body, framed(message));
    const headers = ["content-type: application/grpc", "te: trailers"];
    if (token !== undefined) headers.push(`iommubroker-session-token: ${token}`);
    const child = spawn(
      "h2load",
      [
        ...["-n", String(requests), "-c", "1", "-m", String(concurrency), "-d", body, "-B", `unix:${socket}`],
        `--log-file=${times}`,
        ...headers.flatMap((header) => ["-H", header]),
        ...paths.map((path) => `http://localhost${path}`),
      ],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    await once(child, "close");
    const succeeded = Number(/(\d+) succeeded/.exec(output)?.[1] ?? 0);
    if (succeeded !== requests) throw new Error(`h2load: ${succeeded} of ${requests} requests succeeded\n${output}`);
    const lines = readFileSync(times, "utf8").trimEnd().split("\n");
    return lines.map((line) => Number(line.split("\t")[2]));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** A gRPC message on the wire: not compressed, length, bytes. */
function framed(message: Uint8Array): Buffer {
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  return frame;
}
