// The house rules, read from the tree. A breach says the file, the line and what to do; each rule is also shown to bite.
// The rules themselves are in tidy/; what is allowed besides stands here, with the reason.

import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { arrowBreaches } from "./tidy/arrows.ts";
import { bitwiseBreaches } from "./tidy/bits.ts";
import {
  ambientBreaches,
  castBreaches,
  consoleBreaches,
  exitBreaches,
  headerBreaches,
  layoutBreaches,
  metricBreaches,
  nameBreaches,
  noteBreaches,
  type TestedThrough,
  unreferencedBreaches,
  untestedBreaches,
} from "./tidy/rules.ts";
import { type Breach, readSources, type SourceFile, sourceFile } from "./tidy/source.ts";

const ROOT = join(import.meta.dirname, "..");
const SRC = readSources(ROOT, "src/**/*.ts");
const TREE = [...SRC, ...readSources(ROOT, "{test,examples,scripts,bench}/**/*.ts")];

/** Files that work on 32-bit words, on bigints, or on flags of the kernel. */
const BITWISE = new Map([
  ["src/spec/layout.ts", "fields of 32-bit words"],
  ["src/spec/u64.ts", "halves of 64-bit values"],
  ["src/backends/vste.ts", "doublewords as bigint"],
  ["src/backends/sim/used-bits.ts", "masks over 32-bit words"],
  ["src/backends/sim/write-entry.ts", "32-bit words of an entry"],
  ["src/backends/sim/file-windows.ts", "frame numbers below 2^31"],
  ["src/backends/smmuv3/ats.ts", "signed halves"],
  ["src/backends/smmuv3/translation-request.ts", "permission sets"],
  ["src/backends/smmuv3/ats-walk.ts", "descriptor words and permission sets"],
  ["src/backends/smmuv3/fast-path.ts", "words of the TLB"],
  ["src/backends/smmuv3/nested-walk.ts", "descriptor words and words of the TLB"],
  ["src/backends/smmuv3/memory.ts", "32-bit words of memory"],
  ["src/backends/smmuv3/memory-type.ts", "attributes packed into ten bits"],
  ["src/backends/smmuv3/permissions.ts", "permission sets and descriptor words"],
  ["src/backends/smmuv3/stage1.ts", "descriptor words and permission sets"],
  ["src/backends/smmuv3/stage2.ts", "descriptor words and permission sets"],
  ["src/backends/smmuv3/tlb.ts", "tags packed into 32-bit words"],
  ["src/backends/smmuv3/walk.ts", "descriptor words"],
  ["src/server/rpc/fault-writer.ts", "halves of 64-bit values"],
  ["src/server/rpc/translation-codec.ts", "varints from 32-bit halves"],
  ["src/os/libc.ts", "flags of flock(2)"],
  ["src/os/descriptors.ts", "flags of recvmsg(2) and fcntl(2)"],
  ["src/os/memory-files.ts", "flags of open(2)"],
  ["src/os/tls-files.ts", "permission bits"],
  ["src/os/shared-view.ts", "flags of mmap(2)"],
  ["src/os/native-call.ts", "flags of open(2) and mmap(2)"],
  ["src/server/store/journal-writer.ts", "flags of open(2)"],
  ["src/os/state-directory.ts", "flags of open(2), permission bits"],
  ["src/os/compile-cache.ts", "permission bits"],
  ["src/os/unix-listener.ts", "flags of open(2), permission bits"],
]);

/** Constructors that have just checked what they claim. */
const CASTS = new Map([
  ["src/backends/ids.ts", "branded identifiers"],
  ["src/spec/layout.ts", "one Field for each key"],
  ["src/backends/iommufd/struct-layout.ts", "one value for each field"],
  ["src/server/rpc/field.ts", "one result for each parser"],
  ["src/client/plain.ts", "a message without its class"],
]);

/** Each command of iommuctl against a real daemon. */
const HAND_WORK = "test/e2e/iommuctl-hand-work.test.ts";

const THROUGH: TestedThrough = [
  [/^src\/backends\/iommufd\/doctor-(?:devices|hardware|host)\.ts$/, "test/backends/iommufd/doctor.test.ts"],
  [/^src\/backends\/smmuv3\/explain-(?:ats|translated)\.ts$/, "test/oracle/random-ats.test.ts"],
  [/^src\/backends\/smmuv3\/explain(?:\/|\.ts$)/, "test/oracle/golden.test.ts"],
  [/^src\/backends\/smmuv3\/(?:ats|ats-walk|translation-request)\.ts$/, "test/judge/ats-requests.test.ts"],
  [/^src\/backends\/smmuv3\/(?:ats-commands|atc-port)\.ts$/, "test/judge/atc-invalidation.test.ts"],
  [/^src\/backends\/smmuv3\/(?:page-requests|page-request-queue|pri-record)\.ts$/, "test/judge/page-requests.test.ts"],
  [/^src\/backends\/smmuv3\/route\.ts$/, "test/backends/smmuv3/translate.test.ts"],
  [/^src\/backends\/iommufd\/(?:hwpt|ioas|vfio)-ioctl\.ts$/, "test/backends/iommufd/fake-iommufd.test.ts"],
  [/^src\/backends\/iommufd\/errno-table\.ts$/, "test/backends/iommufd/errno.test.ts"],
  [/^src\/os\/native-call\.ts$/, "test/os/native-kernel.test.ts"],
  [/^src\/os\/(?:ioctl-chain|native-memory)\.ts$/, "test/os/native-kernel.test.ts"],
  [
    /^src\/backends\/iommufd\/(?:bind-job|bound-device|guest-stage|undo)\.ts$/,
    "test/backends/iommufd/unwinding.test.ts",
  ],
  [/^src\/backends\/iommufd\/(?:counting|early-notices|probing|reset)\.ts$/, "test/backends/iommufd/backend.test.ts"],
  [/^src\/backends\/iommufd\/doublewords\.ts$/, "test/backends/iommufd/invalidation.test.ts"],
  [/^src\/backends\/iommufd\/fault-answers\.ts$/, "test/backends/iommufd/fault-queue.test.ts"],
  [/^src\/backends\/iommufd\/part-queue\.ts$/, "test/backends/iommufd/veventq.test.ts"],
  [/^src\/backends\/sim\/objects\.ts$/, "test/backends/sim/contract.test.ts"],
  [/^src\/cli\/vend\.ts$/, "test/e2e/iommuctl-vend.test.ts"],
  [/^src\/server\/daemon\//, "test/server/daemon.test.ts"],
  [/^src\/server\/config\//, "test/server/config.test.ts"],
  [/^src\/metrics\/http-answer\.ts$/, "test/metrics/http.test.ts"],
  [/^src\/metrics\//, "test/metrics/metrics.test.ts"],
  [/^src\/os\/memory-file\.ts$/, "test/os/memory-files.test.ts"],
  [/^src\/os\/errno\.ts$/, "test/os/memory-files.test.ts"],
  [/^src\/os\/tcp-listener\.ts$/, "test/server/rpc/listener.test.ts"],
  [/^src\/server\/rpc\/convert-address-space\.ts$/, "test/server/rpc/address-space-calls.test.ts"],
  [/^src\/server\/rpc\/convert-admin\.ts$/, "test/server/rpc/admin-service.test.ts"],
  [/^src\/server\/rpc\/convert-capability\.ts$/, "test/server/rpc/capability-calls.test.ts"],
  [/^src\/server\/rpc\/convert-explain\.ts$/, "test/server/rpc/explain-calls.test.ts"],
  [/^src\/server\/rpc\/convert-fault\.ts$/, "test/server/rpc/fault-calls.test.ts"],
  [/^src\/server\/rpc\/convert-session\.ts$/, "test/server/rpc/session-calls.test.ts"],
  [/^src\/server\/rpc\/convert-simulator\.ts$/, "test/server/rpc/simulator-service.test.ts"],
  [/^src\/server\/rpc\/convert-(?:stage|vste)\.ts$/, "test/server/rpc/stage-calls.test.ts"],
  [/^src\/server\/rpc\/convert-virtual-iommu\.ts$/, "test/server/rpc/virtual-iommu-calls.test.ts"],
  [/^src\/server\/rpc\/heartbeat\.ts$/, "test/server/rpc/device-watch-calls.test.ts"],
  [/^src\/server\/rpc\/(?:failure|server-stream)\.ts$/, "test/server/rpc/calls.test.ts"],
  [/^src\/server\/rpc\/(?:call-context|call-over|draining|unary-runs)\.ts$/, "test/server/rpc/calls.test.ts"],
  [/^src\/server\/rpc\/request-replays\.ts$/, "test/server/rpc/calls.test.ts"],
  [/^src\/server\/rpc\/streams-per-session\.ts$/, "test/server/rpc/session-calls.test.ts"],
  [/^src\/client\/(?:session|simulator|messages|present)\.ts$/, "test/client/client.test.ts"],
  [/^src\/cli\/command-tree\.ts$/, "test/cli/teaching.test.ts"],
  [/^src\/cli\/explain\.ts$/, "test/cli/program.test.ts"],
  [/^src\/cli\/(?:capabilities|device|capabilities-text|device-text|devices|json-output)\.ts$/, HAND_WORK],
  [/^src\/cli\/(?:attach|bind|hand-session|map|session|sessions)\.ts$/, HAND_WORK],
  [/^src\/client\/lease\.ts$/, HAND_WORK],
  [/^src\/cli\/(?:top|screen|metrics-source)\.ts$/, "test/e2e/iommuctl-top.test.ts"],
  [/^src\/cli\/top-text\.ts$/, "test/cli/top-rates.test.ts"],
  [/^src\/cli\/render(?:-vmms)?\.ts$/, "test/cli/render-values.test.ts"],
  [/^src\/server\/core\/(?:admission|attach|bind|device|group|stage-change)\.ts$/, "test/server/core/arbiter.test.ts"],
  [/^src\/spec\/page-requests\.ts$/, "test/judge/page-requests.test.ts"],
  [/^src\/server\/core\/session-(?:authentication|errors|table|watches)\.ts$/, "test/server/core/sessions.test.ts"],
  [/^src\/spec\/descriptor\.ts$/, "test/backends/smmuv3/walk.test.ts"],
];

/** What only a process shows, or a thread. */
const BY_PROCESS = [/^src\/(?:server|cli)\/main\.ts$/, /^src\/os\/kernel-worker\.ts$/];

function told(breaches: readonly Breach[]): string[] {
  return breaches.map(({ path, line, rule }) => `${path}:${line}: ${rule}`);
}

/** One sample file; `path` decides which rules it falls under. */
function sample(path: string, text: string): SourceFile[] {
  return [sourceFile(path, text)];
}

test("the tree is there to be read", () => {
  expect(SRC.length).toBeGreaterThan(80);
  expect(TREE.some((file) => file.path === "test/tidy.test.ts")).toBe(true);
  expect(SRC.some((file) => file.path.includes("generated"))).toBe(false);
});

describe("imports go one way", () => {
  test("in the tree", () => {
    expect(told(arrowBreaches(SRC))).toEqual([]);
  });

  test.each([
    ["src/server/core/x.ts", "../../backends/sim/backend.ts", "core may not import sim"],
    ["src/server/core/x.ts", "../rpc/status.ts", "core may not import rpc"],
    ["src/server/core/x.ts", "../../os/libc.ts", "core may not import os"],
    ["src/server/core/x.ts", "node:fs", "core may not import node:fs"],
    ["src/backends/smmuv3/x.ts", "../ids.ts", "smmuv3 may not import front"],
    ["src/backends/smmuv3/x.ts", "node:crypto", "smmuv3 may not import node:crypto"],
    ["src/backends/sim/x.ts", "../../server/core/core.ts", "sim may not import core"],
    ["src/backends/x.ts", "./smmuv3/smmu.ts", "front may not import smmuv3"],
    ["src/backends/iommufd/x.ts", "../smmuv3/smmu.ts", "iommufd may not import smmuv3"],
    ["src/backends/iommufd/x.ts", "../sim/backend.ts", "iommufd may not import sim"],
    ["src/backends/walks/x.ts", "../sim/backend.ts", "walks may not import sim"],
    ["src/spec/x.ts", "../backends/ids.ts", "spec may not import front"],
    ["src/server/core/x.ts", "../rpc/generated/messages.js", "core may not import generated"],
    ["src/metrics/x.ts", "../server/rpc/generated/messages.js", "metrics may not import generated"],
    ["src/server/rpc/x.ts", "../../metrics/catalog.ts", "rpc may not import metrics"],
    ["src/server/log.ts", "../metrics/catalog.ts", "process may not import metrics"],
    ["src/server/rpc/x.ts", "../daemon.ts", "rpc may not import daemon"],
    ["src/server/log.ts", "./daemon.ts", "process may not import daemon"],
    ["src/server/log.ts", "./daemon/state.ts", "process may not import daemon"],
    ["src/server/rpc/x.ts", "../../backends/select.ts", "rpc may not import select"],
    ["src/server/rpc/x.ts", "../../backends/counters.ts", "rpc may not import front"],
    ["src/metrics/x.ts", "../backends/simulator-control.ts", "metrics may not import front"],
    ["src/client/x.ts", "../server/core/core.ts", "client may not import core"],
    ["src/cli/x.ts", "../server/rpc/services.ts", "cli may not import rpc"],
    ["src/client/x.ts", "../cli/program.ts", "client may not import cli"],
    ["src/server/core/x.ts", "@grpc/grpc-js", "core may not import @grpc/grpc-js"],
    ["src/server/rpc/x.ts", "koffi", "rpc may not import koffi"],
    ["src/server/log.ts", "left-pad", "left-pad is in no room's list"],
  ])("%s may not import %s", (path, from, rule) => {
    const [breach] = arrowBreaches(sample(path, `// x\nimport type { A } from "${from}";\n`));
    expect(breach).toMatchObject({ path, line: 2, rule: expect.stringContaining(rule) });
  });

  test.each([
    'import "../rpc/status.ts";',
    'import {\n  a,\n  b,\n} from "../rpc/status.ts";',
    'export { a } from "../rpc/status.ts";',
    'export * from "../rpc/status.ts";',
    'const a = await import("../rpc/status.ts");',
  ])("%j is seen as an import", (text) => {
    expect(arrowBreaches(sample("src/server/core/x.ts", text))).toHaveLength(1);
  });

  test("an import in a comment or a string is none", () => {
    const text =
      '// import "../rpc/a.ts";\n/* import { a } from "../rpc/a.ts"; */\nconst a = \'import "../rpc/a.ts"\';\n';
    expect(arrowBreaches(sample("src/server/core/x.ts", text))).toEqual([]);
  });

  test("a file in no room is refused", () => {
    expect(() => arrowBreaches(sample("src/attic/x.ts", 'import "node:fs";'))).toThrow("is in no room");
  });
});

describe("core, the model and the tables have no clock, chance, timers, output or process", () => {
  test("in the tree", () => {
    expect(told(ambientBreaches(SRC))).toEqual([]);
  });

  test.each(["Date.now()", "new Date()", "Math.random()", "setTimeout(f, 1)", "setImmediate(f)", "performance.now()"])(
    "%s bites",
    (code) => {
      for (const folder of ["src/server/core", "src/backends/smmuv3"]) {
        expect(ambientBreaches(sample(`${folder}/x.ts`, `// x\nconst a = ${code};\n`))).toMatchObject([{ line: 2 }]);
      }
      expect(ambientBreaches(sample("src/os/x.ts", `const a = ${code};\n`))).toEqual([]);
    },
  );

  test("words in prose do not", () => {
    const text = '// Date.now() is not for us\nconst a = "Math.random()"; /* console.log */\nconst b = /process\\./;\n';
    expect(ambientBreaches(sample("src/server/core/x.ts", text))).toEqual([]);
  });

  test("code inside a template does", () => {
    const text = "const a = `at $" + "{Date.now()} Math.random()`;";
    expect(ambientBreaches(sample("src/server/core/x.ts", text))).toHaveLength(1);
  });
});

describe("every table of bit-fields cites its section", () => {
  test("in the tree", () => {
    expect(SRC.filter((file) => file.code.includes("= layout(")).length).toBeGreaterThan(5);
    expect(told(layoutBreaches(SRC))).toEqual([]);
  });

  test("a table without one bites, also when another above it has one", () => {
    const good = "/** A. Source: §5.2. */\nexport const A = layout(64, { V: 0 });\n";
    const bad = "/** B, from memory. */\nexport const B = layout(64, { V: 0 });\n";
    const bare = "const C = layout(64, { V: 0 });\n";
    const found = layoutBreaches(sample("src/spec/x.ts", `${good}\n${bad}\n${bare}`));
    expect(told(found)).toEqual([
      "src/spec/x.ts:5: B: its docstring cites no section (§)",
      "src/spec/x.ts:7: C: its docstring cites no section (§)",
    ]);
  });
});

describe("files are named after their idea", () => {
  test("in the tree", () => {
    expect(told(nameBreaches(TREE.map((file) => file.path)))).toEqual([]);
  });

  test.each([
    "src/os/memoryFiles.ts",
    "src/os/Libc.ts",
    "src/os/utils.ts",
    "src/server/core/types.ts",
    "test/helpers.ts",
  ])("%s bites", (path) => {
    expect(nameBreaches([path])).toHaveLength(1);
  });
});

describe("a file begins with what it is", () => {
  test("in the tree", () => {
    expect(told(headerBreaches(SRC))).toEqual([]);
  });

  test("one that begins with an import bites; a program's first line is passed over", () => {
    expect(headerBreaches(sample("src/x.ts", 'import "node:fs";\n'))).toHaveLength(1);
    expect(headerBreaches(sample("src/x.ts", "#!/usr/bin/env node\n// The process.\n"))).toEqual([]);
  });
});

describe("notes to oneself are issues", () => {
  test("in the tree", () => {
    expect(told(noteBreaches(TREE))).toEqual([]);
  });

  test("one in a comment bites", () => {
    expect(noteBreaches(sample("src/x.ts", `// a\n// TO${"DO"}: later\n`))).toMatchObject([{ line: 2 }]);
  });
});

describe("nobody prints but programs, and nobody ends the process but main.ts", () => {
  test("in the tree", () => {
    expect(told([...consoleBreaches(TREE), ...exitBreaches(SRC)])).toEqual([]);
  });

  test("a print and an exit bite, each where it is not allowed", () => {
    const text = "// x\nconsole.log(1);\nprocess.exit(1);\nprocess.exitCode = 2;\n";
    expect(consoleBreaches(sample("src/server/daemon.ts", text))).toMatchObject([{ line: 2 }]);
    expect(exitBreaches(sample("src/server/daemon.ts", text))).toMatchObject([{ line: 3 }, { line: 4 }]);
    expect(consoleBreaches(sample("scripts/build.ts", text))).toEqual([]);
    expect(exitBreaches(sample("src/server/main.ts", text))).toEqual([]);
  });
});

describe("no cast outside the checked constructors", () => {
  test("in the tree", () => {
    expect(told(castBreaches(SRC, CASTS))).toEqual([]);
  });

  test("a cast bites; as const and renamed imports do not", () => {
    const text =
      'import * as a from "a";\nimport { b as c } from "b";\nconst d = [1] as const;\nconst e = f() as string;\n';
    expect(castBreaches(sample("src/x.ts", text), new Map())).toMatchObject([{ line: 4 }]);
  });

  test("every file that may cast still does", () => {
    for (const path of CASTS.keys()) {
      expect(
        castBreaches(
          SRC.filter((file) => file.path === path),
          new Map(),
        ).length,
        path,
      ).toBeGreaterThan(0);
    }
  });
});

describe("metrics come from the catalogue", () => {
  test("in the tree", () => {
    expect(told(metricBreaches(SRC))).toEqual([]);
  });

  test("one that is made elsewhere, and one that nobody measures, bite", () => {
    const catalog = sourceFile(
      "src/metrics/catalog/faults.ts",
      "export const FAULTS = {\n  used: {\n  },\n  idle: {\n  },\n};\n",
    );
    const user = sourceFile("src/metrics/sample.ts", "const a = gauge(r, METRICS.used);\nconst b = new Gauge({});\n");
    expect(told(metricBreaches([catalog, user]))).toEqual([
      "src/metrics/sample.ts:2: new Gauge: through instruments.ts",
      "src/metrics/catalog/faults.ts:4: idle is measured by nobody",
    ]);
  });
});

describe("nothing lies about", () => {
  test("in the tree every file is reached from src, examples or scripts", () => {
    expect(told(unreferencedBreaches(TREE))).toEqual([]);
  });

  test("a file that only a test imports bites", () => {
    const lonely = sourceFile("src/os/lonely.ts", "export const a = 1;");
    const user = sourceFile("test/os/lonely.test.ts", 'import { a } from "../../src/os/lonely.ts";');
    expect(unreferencedBreaches([lonely, user])).toMatchObject([{ path: "src/os/lonely.ts" }]);
    expect(unreferencedBreaches([lonely, sourceFile("src/x.ts", 'import "./os/lonely.ts";')])).toMatchObject([
      { path: "src/x.ts" },
    ]);
  });
});

describe("every file with behaviour has a test", () => {
  test("in the tree", () => {
    const tree = TREE.filter((file) => !BY_PROCESS.some((pattern) => pattern.test(file.path)));
    expect(told(untestedBreaches(tree, THROUGH))).toEqual([]);
  });

  const code = "// x\nexport function a(): void {}\n";

  test("one without a test bites; a mirror, an import, and a named test that reaches it are tests", () => {
    const file = sourceFile("src/os/x.ts", code);
    expect(untestedBreaches([file], [])).toHaveLength(1);
    expect(untestedBreaches([file, sourceFile("test/os/x.test.ts", "")], [])).toEqual([]);
    expect(untestedBreaches([file, sourceFile("test/y.test.ts", 'import "../src/os/x.ts";')], [])).toEqual([]);
    const between = sourceFile("src/os/y.ts", 'import "./x.ts";');
    const through = sourceFile("test/os/y.test.ts", 'import "../../src/os/y.ts";');
    expect(untestedBreaches([file, between, through], [[/x\.ts$/, "test/os/y.test.ts"]])).toEqual([]);
  });

  test("a named test that does not reach the file is none", () => {
    const files = [sourceFile("src/os/x.ts", code), sourceFile("test/os/y.test.ts", "")];
    expect(untestedBreaches(files, [[/x\.ts$/, "test/os/y.test.ts"]])).toHaveLength(1);
  });

  test("a file of types alone needs none", () => {
    expect(untestedBreaches(sample("src/x.ts", "// x\nexport interface A {\n  readonly a: 1 | 2;\n}\n"), [])).toEqual(
      [],
    );
  });
});

describe("bitwise operators stay where words are 32 bits wide", () => {
  test("in the tree", () => {
    expect(told(bitwiseBreaches(SRC, BITWISE))).toEqual([]);
  });

  test.each([
    "const a = ipa >>> 12;",
    "const a = ipa >> 12;",
    "const a = 1 << bits;",
    "a >>>= 1;",
    "const a = ipa & 0xfff;",
    "const a = ipa & ~0xfff;",
    "const a = (ipa + 1) & PAGE_MASK;",
    "const a = FLAGS.READ | FLAGS.WRITE;",
    "const a = ipa ^ 1;",
    "const a = ~ipa;",
    "a |= flag;",
    "a &= mask;",
  ])("%s bites", (text) => {
    expect(bitwiseBreaches(sample("src/server/core/x.ts", `// x\n${text}\n`), new Map())).toMatchObject([{ line: 2 }]);
  });

  test.each([
    "const a = (dword0 & 0xffn) >> 4n;",
    "const a = 1n << BigInt(bits);",
    "const a: string | undefined = b;",
    "readonly stage: 1 | 2 | undefined;",
    "function f(a: Config & Limits, b: 4 | 8): Map<string, Array<number>> {",
    "  | { readonly kind: A }",
    "const a = b && c || d;",
    "// ipa >>> 12",
    'const a = "1 << 2";',
  ])("%s does not", (text) => {
    expect(told(bitwiseBreaches(sample("src/server/core/x.ts", text), new Map()))).toEqual([]);
  });

  test("every file that may use them still does", () => {
    for (const path of BITWISE.keys()) {
      expect(
        bitwiseBreaches(
          SRC.filter((file) => file.path === path),
          new Map(),
        ).length,
        path,
      ).toBeGreaterThan(0);
    }
  });
});
