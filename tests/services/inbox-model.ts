interface Change {
  kind: 'added' | 'read' | 'deleted';
  ids: readonly string[];
}

interface Outline {
  kind: Change['kind'];
  version: number;
  previousVersion: number;
  ids: string[];
}

/** What an inbox must be like after a history of changes, as plainly as it can be said. */
export class InboxModel {
  /** The change that made version n stands at n - 1. */
  readonly #history: Change[] = [];
  /** Whether read, by id, in the order of the inbox. */
  readonly state = new Map<string, boolean>();

  get ids(): string[] {
    return [...this.state.keys()];
  }

  get head() {
    const unreadCount = [...this.state.values()].filter((read) => !read).length;
    return { version: this.#history.length, totalCount: this.state.size, unreadCount };
  }

  add(id: string): void {
    this.#apply({ kind: 'added', ids: [id] });
  }

  /** Answers with those that were unread. */
  read(ids: readonly string[]): readonly string[] {
    return this.#apply({ kind: 'read', ids: ids.filter((id) => this.state.get(id) === false) });
  }

  delete(ids: readonly string[]): readonly string[] {
    return this.#apply({ kind: 'deleted', ids });
  }

  #apply(change: Change): readonly string[] {
    if (change.ids.length > 0) this.#history.push(change);
    applyTo(this.state, change);
    return change.ids;
  }

  /** What a reader holds who has been told everything up to a version. */
  stateAt(version: number): Map<string, boolean> {
    const state = new Map<string, boolean>();
    for (const change of this.#history.slice(0, version)) applyTo(state, change);
    return state;
  }

  /** Of the ids that changed at a version, those that the log still tells to a reader who knows everything up to `after`. */
  groupAt(version: number, after: number): string[] {
    const { kind, ids } = this.#history[version - 1] as Change;
    const told = kind === 'deleted' ? this.stateAt(after) : this.state;
    return ids.filter((id) => told.has(id)).toSorted();
  }

  changesSince(after: number): Outline[] {
    const outlines: Outline[] = [];
    for (const [index, { kind }] of this.#history.entries()) {
      const version = index + 1;
      const ids = version > after ? this.groupAt(version, after) : [];
      const previousVersion = outlines.at(-1)?.version ?? after;
      if (ids.length > 0) outlines.push({ kind, version, previousVersion, ids });
    }
    return outlines;
  }
}

function applyTo(state: Map<string, boolean>, { kind, ids }: Change): void {
  for (const id of ids) {
    if (kind === 'deleted') state.delete(id);
    else state.set(id, kind === 'read');
  }
}
