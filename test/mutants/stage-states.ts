// The stage states of an IOMMU group: every cell of the transition table, there and absent, and the rules around it.

import { type Mutant, mutantsOf, type Row } from "./mutant.ts";

const FILE = "src/server/core/stage-state.ts";
const ARBITER = ["test/server/core/arbiter.test.ts"];
const VSTE = { file: "src/backends/vste.ts", tests: ["test/backends/vste.test.ts"] };

const BOUND = [
  ["bindBypass", "nest-parent"],
  ["bindAbort", "guest-abort"],
  ["bindTranslate", "guest-nested"],
  ["unbind", "nest-parent"],
  ["release", "default-domain"],
  ["ownerLost", "guest-abort"],
] as const;

const TABLE: readonly (readonly [state: string, cells: readonly (readonly [trigger: string, to: string])[]])[] = [
  [
    "default-domain",
    [
      ["attach", "nest-parent"],
      ["attachAborted", "guest-abort"],
      ["release", "default-domain"],
      ["ownerLost", "default-domain"],
    ],
  ],
  ["nest-parent", BOUND],
  ["guest-abort", BOUND],
  ["guest-nested", BOUND],
];
const TRIGGERS = ["attach", "attachAborted", "bindBypass", "bindAbort", "bindTranslate", "unbind"];
const OTHER: Readonly<Record<string, string>> = {
  "default-domain": "nest-parent",
  "nest-parent": "guest-nested",
  "guest-abort": "nest-parent",
  "guest-nested": "guest-abort",
};

function rowText(state: string, cells: readonly (readonly [string, string])[]): string {
  return [`  "${state}": {`, ...cells.map(([trigger, to]) => `    ${trigger}: "${to}",`)].join("\n");
}

/** Each cell leads elsewhere, each absent cell leads somewhere. */
function cellRows(): Row[] {
  return TABLE.flatMap(([state, cells]) => {
    const find = rowText(state, cells);
    const changed = cells.map(([trigger, to], at): Row => {
      const others = cells.map((cell, index) => (index === at ? ([trigger, OTHER[to] ?? ""] as const) : cell));
      return [`${state}, ${trigger}: ${to}`, find, rowText(state, others)];
    });
    const absent = TRIGGERS.filter((trigger) => !cells.some(([known]) => known === trigger));
    const added = absent.map((trigger): Row => {
      return [`${state}, ${trigger}: illegal`, find, rowText(state, [...cells, [trigger, "guest-abort"]])];
    });
    return [...changed, ...added];
  });
}

/** Source: ARCHITECTURE.md, "The unit of stage state is the IOMMU group"; IHI 0070G.b §5.2 for the dispositions. */
export const STAGE_STATES: readonly Mutant[] = mutantsOf(
  {
    section: "7",
    about: "stage states (ARCHITECTURE.md)",
    file: FILE,
    tests: ["test/server/core/stage-state.test.ts"],
  },
  [
    ...cellRows(),
    ["an absent cell is refused", "if (to === undefined) {", "if (false) {"],
    ["abort is bindAbort", 'return "bindAbort";', 'return "bindBypass";'],
    ["bypass is bindBypass", 'return "bindBypass";', 'return "bindTranslate";'],
    ["translate is bindTranslate", 'return "bindTranslate";', 'return "bindBypass";'],
    ["V=0 is abort", "if ((dword0 & VALID) === 0n) return Object", "if (false) return Object", VSTE],
    [
      "nothing of V=0 is kept",
      'dword0: 0n, dword1: 0n, disposition: "abort" });\n  const',
      'dword0, dword1, disposition: "abort" });\n  const',
      VSTE,
    ],
    ["Config 0b0xx is abort", "if (config < CONFIG_BYPASS) return", "if (config === 0n) return", VSTE],
    ["Config 0b0xx becomes 0b000", "dword0: dword0 & ~CONFIG_MASK, dword1", "dword0, dword1", VSTE],
    [
      "Config 0b100 is bypass",
      'if (config === CONFIG_BYPASS) return Object.freeze({ dword0, dword1, disposition: "bypass" });',
      'if (config === CONFIG_BYPASS) return Object.freeze({ dword0, dword1, disposition: "translate" });',
      VSTE,
    ],
    [
      "Config 0b101 translates",
      "if (config === CONFIG_TRANSLATE) return Object",
      "if (config > CONFIG_TRANSLATE) return Object",
      VSTE,
    ],
    [
      "Config 0b11x is refused",
      "if (config === CONFIG_TRANSLATE) return",
      "if (config >= CONFIG_TRANSLATE) return",
      VSTE,
    ],
    ["a bit outside the mask is refused", "if (forbidden.length > 0) {", "if (false) {", VSTE],
    ["EATS 2 and 3 are refused", "if (eats > 1) throw", "if (eats > 3) throw", VSTE],
    ["EATS 1 is allowed", "if (eats > 1) throw", "if (eats > 0) throw", VSTE],
    ["S1ContextPtr[55:52] is refused", "& ~CONTEXT_PTR_HIGH, mask", ", mask", VSTE],
    [
      "a lost owner is aborted first",
      'return await this.setPlain(group, "ownerLost", "abort", session);',
      "return group;",
      { file: "src/server/core/stage-change.ts", tests: ["test/server/core/reaper.test.ts"] },
    ],
    [
      "a lost owner's group is then released",
      "await arbiter.release(await arbiter.abort(group, session), session);",
      "await arbiter.abort(group, session);",
      { file: "src/server/core/reaper.ts", tests: ["test/server/core/reaper.test.ts"] },
    ],
    [
      "each change counts a generation, binding again too",
      "generation: group.generation + 1 });",
      "generation: group.state === change.state ? group.generation : group.generation + 1 });",
      { file: "src/server/core/group.ts", tests: ARBITER },
    ],
    [
      "a group that another session owns is refused",
      "if (group.owner === undefined || group.owner === session) return;",
      "return;",
      { file: "src/server/core/admission.ts", tests: ["test/server/core/arbiter-refusals.test.ts"] },
    ],
    [
      "a caller that has not seen the latest change is fenced",
      "if (expected === undefined || expected === BigInt(group.generation)) return;",
      "return;",
      { file: "src/server/core/admission.ts", tests: ["test/server/core/arbiter-refusals.test.ts"] },
    ],
    [
      "a device that is not attached is refused",
      "if (device.attached) return;",
      "return;",
      { file: "src/server/core/admission.ts", tests: ["test/server/core/arbiter-refusals.test.ts"] },
    ],
    [
      "TRANSLATE needs a virtual StreamID",
      'if (disposition === "translate" && virtualStreamID === undefined) {',
      "if (false) {",
      { file: "src/server/core/admission.ts", tests: ["test/server/core/arbiter-refusals.test.ts"] },
    ],
    [
      "a virtual StreamID is not changed under bound tables",
      'device.virtualStreamID !== undefined && group.state === "guest-nested"',
      "false",
      { file: "src/server/core/admission.ts", tests: ["test/server/core/arbiter-refusals.test.ts"] },
    ],
    [
      "a virtual StreamID is one device's",
      "if (holder) {",
      "if (false) {",
      { file: "src/server/core/admission.ts", tests: ["test/server/core/arbiter-refusals.test.ts"] },
    ],
    [
      "a virtual StreamID fits SIDSIZE",
      "if (asked >= 2 ** streamBits) {",
      "if (false) {",
      { file: "src/server/core/admission.ts", tests: ["test/server/core/arbiter-refusals.test.ts"] },
    ],
  ],
);
