// ExplainTranslation: who may see a walk, and how much of it. The walk itself is the backend's; nothing here changes.
// It runs beside the group's queue: it reads what the hardware holds at this moment, whatever is waiting to change it.

import type { Backend } from "../../backends/backend.ts";
import { BrokerError, invalidField } from "../../backends/errors.ts";
import type { ExplainRequest } from "../../backends/explanation.ts";
import { requireNotVended, requireOwned } from "./admission.ts";
import type { ExplainVerbs } from "./explain-verbs.ts";
import type { Registry } from "./registry.ts";
import type { Sessions } from "./sessions.ts";

interface ExplainerDeps {
  readonly backend: Backend;
  readonly registry: Registry;
  readonly sessions: Sessions;
  /** The Simulator service is served, which shows the host's structures anyway. */
  readonly mayShowHost: boolean;
}

export class Explainer implements ExplainVerbs {
  readonly #deps: ExplainerDeps;

  constructor(deps: ExplainerDeps) {
    this.#deps = deps;
  }

  explain(session: string | undefined, request: ExplainRequest): ReturnType<ExplainVerbs["explain"]> {
    const { backend, mayShowHost, registry, sessions } = this.#deps;
    if (session !== undefined) sessions.requireLive(session);
    const device = registry.device(request.device);
    const group = registry.group(device.host.group);
    if (session !== undefined) {
      requireOwned(group, device, session, group.owner === undefined ? undefined : sessions.owner(group.owner));
    } else if (group.owner === undefined) {
      const why = `device ${request.device} has no owner: there is no guest's translation to explain`;
      throw new BrokerError("not_owner", why, { device: request.device });
    }
    requireNotVended(group, device);
    const count = Math.max(1, device.host.streamIDs.length); // natively nobody is told how many
    if (request.streamIndex >= count) {
      throw invalidField("stream_index", `${request.streamIndex} is not an index into ${count} StreamIDs`);
    }
    if (request.showsHost && (session === undefined || !mayShowHost)) {
      throw new BrokerError(
        "policy_denied",
        "host addresses are shown only where the Simulator service is served (simulator_api): ask without them",
        { device: request.device },
      );
    }
    return { virtualStreamID: device.virtualStreamID, explanation: backend.explain(request) };
  }
}
