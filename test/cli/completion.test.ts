// The completion scripts in the shells that they are for: bash on a terminal as a person uses it, and zsh where it is
// installed. What a daemon says is a daemon's word: a script stands in for iommuctl that names devices as an attacker would.

import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BrokerProcess, startBroker } from "../../examples/support/broker-process.ts";
import { iommuctlPages } from "../../scripts/operations/iommuctl-tree.ts";
import { IOMMUCTL, iommuctlHere, soberEnvironment } from "../support/iommuctl-process.ts";
import { onTerminal } from "../support/terminal-run.ts";

const ZSH = spawnSync("zsh", ["--version"]).status === 0;

let broker: BrokerProcess;
let directory: string;
let bashScript: string;
let env: Record<string, string | undefined>;

beforeAll(async () => {
  broker = await startBroker();
  directory = mkdtempSync(join(tmpdir(), "iommuctl-"));
  bashScript = await scriptFor("bash");
  program("iommuctl", `exec '${process.execPath}' '${IOMMUCTL}' "$@"`);
  env = soberEnvironment({ PATH: `${directory}:${process.env.PATH}`, IOMMUBROKER_SOCKET: broker.socket });
});

afterAll(async () => {
  rmSync(directory, { recursive: true });
  expect(await broker.stop()).toBe(0);
});

async function scriptFor(shell: string): Promise<string> {
  const { code, out } = await iommuctlHere(["completion", shell], {});
  expect(code).toBe(0);
  const path = join(directory, `completion.${shell}`);
  writeFileSync(path, out);
  return path;
}

function program(name: string, body: string): void {
  writeFileSync(join(directory, name), `#!/bin/sh\n${body}\n`);
  chmodSync(join(directory, name), 0o755);
}

/** What bash would offer for a line, the cursor at its end. */
function offered(line: string): readonly string[] {
  const script = `source "$1"; COMP_LINE=$2; COMP_POINT=\${#2}; _iommuctl; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { status, stderr, stdout } = spawnSync("bash", ["--norc", "-c", script, "bash", bashScript, line], {
    encoding: "utf8",
    env: { ...env },
  });
  expect([line, status, stderr]).toEqual([line, 0, ""]);
  return stdout.split("\n").filter((word) => word !== "");
}

describe("in bash", () => {
  test("commands are completed, and those beneath a command", () => {
    const names = iommuctlPages().map(({ name }) => name);
    expect(offered("iommuctl ")).toEqual(names.filter((name) => !name.includes(" ")));
    expect(offered("iommuctl ses")).toEqual(["sessions", "session"]);
    expect(offered("iommuctl session ")).toEqual(["open", "keep", "show", "resume", "close"]);
    expect(offered("iommuctl session c")).toEqual(["close"]);
  });

  test.each(iommuctlPages().filter(({ children }) => children.length === 0))(
    "every option of $name is",
    ({ name, options }) => {
      const flags = options.flatMap(({ long, short }) => [short, long]).filter((flag) => flag !== undefined);
      expect(offered(`iommuctl ${name} -`)).toEqual([...flags, "--help"]);
    },
  );

  test("values with a choice are completed, those without are left alone, and paths are files", () => {
    expect(offered("iommuctl explain --access ")).toEqual(["read", "write", "execute"]);
    expect(offered("iommuctl attach --mode ")).toEqual(["bypass", "abort"]);
    expect(offered("iommuctl bind --mode t")).toEqual(["translate"]);
    expect(offered("iommuctl bind --vsid ")).toEqual([]);
    expect(offered(`iommuctl faults --token-file ${directory}/completion`)).toEqual([bashScript]);
    expect(offered("iommuctl render ")).toEqual(["qemu", "libvirt", "cloud-hypervisor"]);
  });

  test("devices are the daemon's, where a device stands; what is before a colon readline has already", () => {
    expect(offered("iommuctl explain 0001:")).toEqual(["00:01.0", "01:00.0"]);
    expect(offered("iommuctl explain 0000:01:00.0 ")).toEqual([]);
    expect(offered("iommuctl devices 0000:01:00.0 0001:01")).toEqual(["01:00.0"]);
    expect(offered("iommuctl render qemu 0001:01")).toEqual(["01:00.0"]);
    expect(offered("iommuctl explain --access write --token-file x 0001:01")).toEqual(["01:00.0"]);
  });

  test("the daemon that the line names is asked, and where none answers there is nothing to choose", () => {
    expect(offered("iommuctl explain --socket /nonexistent 0001:")).toEqual([]);
  });

  test("names that a shell would obey are not offered, nor expanded", () => {
    const evil = ["$(touch pwned)", "`touch pwned`", "x;touch pwned", "a b", "-rf", "good:1", "$HOME", "*"];
    program("evil", `printf '%s\\n' ${evil.map((name) => `'${name}'`).join(" ")}`);
    expect(offered(`${join(directory, "evil")} detach `)).toEqual(
      ["-rf", "good:1"].filter((name) => !name.startsWith("-")),
    );
    expect(existsSync("pwned")).toBe(false);
  });

  test("on a terminal the tabulator writes the command, the option and the device", async () => {
    const rc = join(directory, "rc");
    writeFileSync(rc, `PS1='ready> '\nsource ${bashScript}\nbind 'set enable-bracketed-paste off'\n`);
    const { code, output } = await onTerminal(
      ["bash", "--noprofile", "--rcfile", rc, "-i"],
      [
        ["ready> ", "iommuctl devi\t"],
        ["devices ", "-q 0001:01\t"],
        ["0001:01:00.0 ", "\r"],
        ["\n0001:01:00.0", "exit\r"],
      ],
      { env: { ...env, TERM: "dumb" }, columns: 200 },
    );
    expect({ code, output }).toMatchObject({ code: 0 });
    expect(output).toContain("iommuctl devices -q 0001:01:00.0");
  });
});

test.skipIf(!ZSH)("in zsh the tabulator writes the command and the device", async () => {
  const zshScript = await scriptFor("zsh");
  writeFileSync(
    join(directory, ".zshrc"),
    `PS1='ready> '\nautoload -Uz compinit && compinit -u -d ${directory}/dump\nsource ${zshScript}\n`,
  );
  const { code, output } = await onTerminal(
    ["zsh", "-i"],
    [
      ["ready> ", "iommuctl devi\t"],
      ["ces", "-q 0001:01\t"],
      [":00.0", "\r"],
      ["\n0001:01:00.0", "exit\r"],
    ],
    { env: { ...env, TERM: "dumb", ZDOTDIR: directory }, columns: 200 },
  );
  expect({ code, output }).toMatchObject({ code: 0 });
});

test("both scripts are ones that their shells can read", async () => {
  for (const shell of ["bash", ...(ZSH ? ["zsh"] : [])]) {
    const path = await scriptFor(shell);
    const { status, stderr } = spawnSync(shell, ["-n", path], { encoding: "utf8" });
    expect([shell, status, stderr]).toEqual([shell, 0, ""]);
  }
});
