// Bad input: ExplainTranslation.

import type { ExplainTranslation } from "../../src/client/client.ts";
import { BROKER } from "../../src/server/rpc/services.ts";
import {
  type BadCase,
  bad,
  type Expected,
  invalid,
  MALFORMED_DEVICES,
  precondition,
  shown,
  UNKNOWN_DEVICE,
  unknown,
} from "./e2e-case.ts";
import { IDLE, NESTED, OTHERS, TWIN } from "./e2e-world.ts";

function badExplain(fields: string, wrong: string, changes: ExplainTranslation, expected: Expected): BadCase {
  return bad(BROKER.explainTranslation, fields, wrong, () => ({ device: NESTED, ...changes }), expected);
}

export const EXPLAIN_CASES: readonly BadCase[] = [
  ...MALFORMED_DEVICES.map((device) =>
    badExplain("device", `malformed ${shown(device)}`, { device }, invalid("device")),
  ),
  badExplain("device", "unknown", { device: UNKNOWN_DEVICE }, unknown("DEVICE")),
  badExplain("device", "someone else's", { device: OTHERS }, precondition("DEVICE_OWNED")),
  badExplain("device", "nobody's", { device: IDLE }, precondition("NOT_OWNER")),
  ...[2 ** 20, 2 ** 32 - 1].map((substreamId) =>
    badExplain("substream_id", `${substreamId}`, { substreamId }, invalid("substream_id")),
  ),
  badExplain("stream_index", "one too many", { streamIndex: 1 }, invalid("stream_index")),
  badExplain("stream_index", "one too many of two", { device: TWIN, streamIndex: 2 }, invalid("stream_index")),
  badExplain("stream_index", "2^32 - 1", { streamIndex: 2 ** 32 - 1 }, invalid("stream_index")),
  ...[4, -1, 2 ** 31 - 1].map((access) => badExplain("access", `${access}`, { access }, invalid("access"))),
  badExplain(
    "device substream_id stream_index access",
    "all wrong at once",
    { device: "", substreamId: 2 ** 20, streamIndex: 8, access: Number("9") },
    invalid("device", "substream_id", "stream_index", "access"),
  ),
];
