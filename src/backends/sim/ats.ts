// ATS and PRI as a simulated device has them: it asks for translations, keeps them in its ATC, and asks for the pages that it
// was not granted. A device without an ATC, or whose ATC is off, sends untranslated transactions.
// Source: IHI 0070G.b §3.9.1, chapter 8, §13.7.

import type { Outcome, PageResponseCode, Smmu, Transaction } from "../smmuv3/smmu.ts";
import type { Atc, AtcKey } from "./atc.ts";
import type { Endpoints } from "./endpoints.ts";

const ABORTED: Outcome = Object.freeze({ kind: "abort", fault: undefined, recorded: false });

export class AtsRequester {
  readonly #smmu: Smmu;
  readonly #endpoints: Endpoints;
  readonly #makesPageRequests: boolean;

  constructor(options: { smmu: Smmu; endpoints: Endpoints; makesPageRequests: boolean }) {
    this.#smmu = options.smmu;
    this.#endpoints = options.endpoints;
    this.#makesPageRequests = options.makesPageRequests;
  }

  /** Untranslated, or by the ATC where ATS is enabled at the device. */
  issue(tx: Transaction, kind: "read" | "write"): Outcome {
    const atc = this.#atc(tx);
    if (atc === undefined) return this.#smmu.translate(tx);
    const refused = this.#fill(atc, tx, kind);
    if (refused === undefined) return this.#byAtc(atc, tx, kind);
    return refused === "not-granted" ? ABORTED : refused;
  }

  /** Undefined: the page is there, or the device does not ask for pages. */
  askForPage(tx: Transaction, kind: "read" | "write"): Promise<PageResponseCode> | undefined {
    const atc = this.#makesPageRequests ? this.#atc(tx) : undefined;
    if (atc === undefined || this.#fill(atc, tx, kind) !== "not-granted") return undefined;
    return this.#requestPage(atc, tx, kind);
  }

  #atc({ streamID }: Transaction): Atc | undefined {
    const atc = this.#endpoints.find(streamID);
    return atc?.isEnabled === true ? atc : undefined;
  }

  /** @returns undefined when the ATC has what the access needs */
  #fill(atc: Atc, tx: Transaction, kind: "read" | "write"): Outcome | "not-granted" | undefined {
    const key = keyOf(tx);
    if (atc.find(key, kind) !== undefined) return undefined;
    const pasid = tx.substreamID === undefined ? {} : { substreamID: tx.substreamID };
    const { streamID, iova } = tx;
    const noWrite = kind === "read";
    const answer = this.#smmu.translationRequest({
      streamID,
      ...pasid,
      iova,
      noWrite,
      execute: false,
      privileged: key.privileged,
    });
    if (answer.kind !== "success") return { kind: "abort", fault: answer.fault, recorded: answer.recorded };
    if (!answer[kind]) return "not-granted";
    atc.remember(key, answer);
    return undefined;
  }

  #byAtc(atc: Atc, tx: Transaction, kind: "read" | "write"): Outcome {
    const translated = atc.find(keyOf(tx), kind);
    if (translated === undefined) return ABORTED;
    return this.#smmu.translate({ ...tx, iova: BigInt(translated), translated: true });
  }

  /** One page, a group of its own; the host answers on a later turn. */
  async #requestPage(atc: Atc, tx: Transaction, kind: "read" | "write"): Promise<PageResponseCode> {
    const group = atc.openGroup();
    if (group === undefined) return "failure";
    const pasid = tx.substreamID === undefined ? {} : { substreamID: tx.substreamID };
    const rights = { read: kind === "read", write: kind === "write", execute: false, privileged: tx.privileged };
    this.#smmu.pageRequest({
      streamID: tx.streamID,
      ...pasid,
      address: tx.iova,
      ...rights,
      last: true,
      prgIndex: group.prgIndex,
    });
    return await group.answered;
  }
}

/** Without a PASID there is no privilege to ask for (IHI 0070G.b §13.7). */
function keyOf({ substreamID, iova, privileged }: Transaction): AtcKey {
  return { substreamID, iova, privileged: substreamID !== undefined && privileged };
}
