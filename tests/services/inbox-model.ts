export interface ModelChange {
  kind: 'added' | 'read' | 'updated' | 'deleted';
  ids: readonly string[];
  /** Of a deletion: whether it was a recall. */
  recalled?: boolean;
}

export interface Outline {
  kind: ModelChange['kind'];
  version: number;
  previousVersion: number;
  ids: string[];
  recalled: boolean;
}

/** What an inbox must be like after a history of changes, as plainly as it can be said. */
export class InboxModel {
  /** The change that made version n stands at n - 1. */
  readonly #history: ModelChange[] = [];
  /** Whether read, by id, in the order of the inbox. */
  readonly state = new Map<string, boolean>();
  /** The version of the last change of each id. */
  readonly #lastChange = new Map<string, number>();

  get ids(): string[] {
    return [...this.state.keys()];
  }

  get head() {
    const unreadCount = [...this.state.values()].filter((read) => !read).length;
    return { version: this.#history.length, totalCount: this.state.size, unreadCount };
  }

  add(id: string): void {
    this.apply({ kind: 'added', ids: [id] });
  }

  /** Answers with those that were unread. */
  read(ids: readonly string[]): readonly string[] {
    const unread = [...new Set(ids)].filter((id) => this.state.get(id) === false);
    return this.apply({ kind: 'read', ids: unread });
  }

  /** Reads the oldest `most` unread ones of those that were added up to a version. Answers with them. */
  readUpTo(version: number, most: number): readonly string[] {
    return this.read(this.unreadUpTo(version).slice(0, most));
  }

  /** The unread ones that were added up to a version, oldest first. */
  unreadUpTo(version: number): string[] {
    const added = this.#history.slice(0, version).flatMap(({ kind, ids }) => (kind === 'added' ? ids : []));
    return added.filter((id) => this.state.get(id) === false);
  }

  /** Answers with the id if it was read. */
  unread(id: string): readonly string[] {
    return this.apply({ kind: 'updated', ids: this.state.get(id) === true ? [id] : [] });
  }

  /** Answers with those that were there. */
  delete(ids: readonly string[]): readonly string[] {
    return this.apply({ kind: 'deleted', ids: [...new Set(ids)].filter((id) => this.state.has(id)) });
  }

  /** Answers with those that were there. */
  recall(ids: readonly string[]): readonly string[] {
    const present = [...new Set(ids)].filter((id) => this.state.has(id));
    return this.apply({ kind: 'deleted', ids: present, recalled: true });
  }

  /** Takes over a change that has been seen to be right. */
  apply(change: ModelChange): readonly string[] {
    if (change.ids.length > 0) this.#history.push(change);
    applyTo(this.state, change);
    for (const id of change.ids) this.#lastChange.set(id, this.#history.length);
    return change.ids;
  }

  /** What a reader holds who has been told everything up to a version. */
  stateAt(version: number): Map<string, boolean> {
    const state = new Map<string, boolean>();
    for (const change of this.#history.slice(0, version)) applyTo(state, change);
    return state;
  }

  /** What the log still tells of a version to a reader who knows everything up to `known`. */
  #groupAt(version: number, known: Map<string, boolean>): string[] {
    const { kind, ids } = this.#history[version - 1] as ModelChange;
    if (kind === 'deleted') return ids.filter((id) => known.has(id)).toSorted();
    // Of several changes of one notification only the last one is there to tell; its addition is told beside it.
    return ids
      .filter((id) => this.state.has(id) && (kind === 'added' || this.#lastChange.get(id) === version))
      .toSorted();
  }

  changesSince(after: number): Outline[] {
    const known = this.stateAt(after);
    const outlines: Outline[] = [];
    for (let version = after + 1; version <= this.#history.length; version += 1) {
      const ids = this.#groupAt(version, known);
      const previousVersion = outlines.at(-1)?.version ?? after;
      const { kind, recalled = false } = this.#history[version - 1] as ModelChange;
      if (ids.length > 0) outlines.push({ kind, version, previousVersion, ids, recalled });
    }
    return outlines;
  }
}

function applyTo(state: Map<string, boolean>, { kind, ids }: ModelChange): void {
  for (const id of ids) {
    if (kind === 'deleted') state.delete(id);
    else state.set(id, kind === 'read');
  }
}
