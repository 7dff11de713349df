// Who is next where many wait for few: owners take turns, one call each, and of one owner's the first that may run. So who
// brings many calls makes nobody wait for more than one of them at a time; who comes new has the turn after those who wait.

export class FairLine<T> {
  /** By owner, who has the next turn first; nobody is in it with nothing to do. */
  readonly #queues = new Map<string | undefined, T[]>();
  #length = 0;

  get length(): number {
    return this.#length;
  }

  lengthOf(owner: string | undefined): number {
    return this.#queues.get(owner)?.length ?? 0;
  }

  add(owner: string | undefined, item: T): void {
    const queue = this.#queues.get(owner);
    if (queue === undefined) this.#queues.set(owner, [item]);
    else queue.push(item);
    this.#length += 1;
  }

  /** Takes what is next, after which its owner's turn is the last. An owner of whom nothing may run keeps the turn. */
  take(mayRun: (item: T) => boolean): T | undefined {
    for (const [owner, queue] of this.#queues) {
      const at = queue.findIndex(mayRun);
      if (at < 0) continue;
      const [item] = queue.splice(at, 1);
      this.#queues.delete(owner);
      if (queue.length > 0) this.#queues.set(owner, queue);
      this.#length -= 1;
      return item;
    }
    return undefined;
  }
}
