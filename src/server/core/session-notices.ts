// What the broker tells a session's owner besides answers, and who listens: its keep-alive streams.

import type { DeviceID } from "../../backends/ids.ts";
import type { LossReason } from "./session.ts";

export type SessionNotice =
  | { readonly kind: "deviceRemoved"; readonly device: DeviceID }
  /** A device is about to be taken away for the sake of another session. */
  | ({ readonly kind: "preempted"; readonly device: DeviceID } & Preemption)
  /** The last ones: whoever listens is told no more. */
  | { readonly kind: "revoked"; readonly reason: string }
  | { readonly kind: "transferred"; readonly to: string }
  /** Not the last one: it may be resumed. */
  | { readonly kind: "lost"; readonly reason: LossReason; readonly graceMs: number }
  | { readonly kind: "ended" };

export interface Preemption {
  /** Milliseconds until the device is set to abort. */
  readonly deadlineMs: number;
  /** Display name of the session that is to have it. */
  readonly by: string;
  readonly reason: string;
}

export type NoticeListener = (notice: SessionNotice) => void;

export class SessionNotices {
  readonly #listeners = new Map<string, Set<NoticeListener>>();

  subscribe(session: string, listener: NoticeListener): () => void {
    const listeners = this.#listeners.get(session) ?? new Set();
    this.#listeners.set(session, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(session) === listeners) this.#listeners.delete(session);
    };
  }

  tell(session: string, notice: SessionNotice): void {
    for (const listener of [...(this.#listeners.get(session) ?? [])]) listener(notice);
  }

  /** The last notice of these listeners. */
  tellLast(session: string, notice: SessionNotice): void {
    this.tell(session, notice);
    this.#listeners.delete(session);
  }
}
