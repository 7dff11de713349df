// What the edge may ask about one translation: every step that an access would take. explainer.ts answers.

import type { ExplainRequest, Explanation } from "../../backends/explanation.ts";
import type { VirtualStreamID } from "../../backends/ids.ts";

export interface ExplainVerbs {
  /**
   * For the owner alone; `session` undefined: an observer, for any device that has an owner, in the guest's terms only.
   * Throws policy_denied for `showsHost` where nobody may play hardware.
   */
  explain(
    session: string | undefined,
    request: ExplainRequest,
  ): { readonly virtualStreamID: VirtualStreamID | undefined; readonly explanation: Explanation };
}
