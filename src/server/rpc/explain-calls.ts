// ExplainTranslation.

import type { Calls } from "./calls.ts";
import { explanationMessage, parseExplain } from "./convert-explain.ts";
import type { RpcDeps } from "./deps.ts";
import { BROKER } from "./services.ts";

export function explainCalls(calls: Calls, deps: RpcDeps) {
  return {
    explainTranslation: calls.withSession(BROKER.explainTranslation, (request, session) => {
      const asked = parseExplain(request);
      const { explanation, virtualStreamID } = deps.core.explanations.explain(session, asked);
      return explanationMessage(asked.device, virtualStreamID, explanation);
    }),
  };
}
