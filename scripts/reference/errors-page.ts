// docs/errors.md: every reason a call can be refused for, with the gRPC status it goes out under.

import * as grpc from "@grpc/grpc-js";
import type { BrokerErrorCode } from "../../src/backends/errors.ts";
import { BUG_REASON, ERROR_DOMAIN, GRPC_STATUS, STATUS_DETAILS_KEY } from "../../src/server/rpc/status.ts";
import { MEANINGS } from "./error-meanings.ts";

const INTRODUCTION = `# Errors

<!-- Generated from src/server/rpc/status.ts and scripts/reference/error-meanings.ts by npm run generate. Do not edit. -->

A call that fails has changed nothing: the stage that was installed stays installed. Its status has a code and a text for
people; for programs there is a \`google.rpc.Status\` in the trailer \`${STATUS_DETAILS_KEY}\`, with

- one \`google.rpc.ErrorInfo\`: \`domain\` "${ERROR_DOMAIN}", \`reason\` one of the words below, the values in \`metadata\`;
- \`google.rpc.BadRequest\` where fields are at fault, each by its path (\`mappings[3].ipa\`);
- \`google.rpc.RetryInfo\` where waiting helps;
- \`google.rpc.QuotaFailure\` with LIMIT_REACHED.

Branch on \`reason\` and on the metadata, never on the text. New reasons may be added: treat an unknown one by its gRPC code.
Errors within the answer of a batch (\`BatchBindGuestStage\`, \`SetVirtualIommuMode\`) are the same message. What gRPC itself
refuses (an unknown method, a message over \`limits.message_bytes_max\`) has a code and a text and no details.

\`iommuctl\` prints the text and the reason; its exit codes are told by \`iommuctl --help\`.

## May it be repeated?

| status | repeat the same call? |
|---|---|
| UNAVAILABLE | yes, after the RetryInfo or with back-off |
| RESOURCE_EXHAUSTED | after the RetryInfo, or once something was given back |
| CANCELLED, DEADLINE_EXCEEDED | with the same \`request_id\`: it is executed once, whatever became of the first |
| ABORTED | no: read the device, decide anew |
| the others | no: it would be refused again |

## Reasons
`;

export function errorsPage(): string {
  const rows = Object.entries(GRPC_STATUS)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([code, status]) => rowOf(code.toUpperCase(), grpc.status[status], meaningOf(code)));
  rows.push(
    rowOf(BUG_REASON, "INTERNAL", {
      means: "A bug of the broker.",
      remedy: "Report it, with the lines of the log that have this `id`.",
      facts: ["id"],
    }),
  );
  return [
    INTRODUCTION,
    "| reason | status | means | what to do | metadata |",
    "|---|---|---|---|---|",
    ...rows,
    "",
  ].join("\n");
}

function meaningOf(code: string): (typeof MEANINGS)[BrokerErrorCode] {
  const found = Object.entries(MEANINGS).find(([name]) => name === code);
  if (found === undefined) throw new Error(`no meaning for ${code}`);
  return found[1];
}

function rowOf(reason: string, status: string, { facts, means, remedy }: (typeof MEANINGS)[BrokerErrorCode]): string {
  return `| \`${reason}\` | ${status} | ${means} | ${remedy} | ${facts.map((fact) => `\`${fact}\``).join(", ")} |`;
}
