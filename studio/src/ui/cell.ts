/** A value that says when it changes. */
export class Cell<T> {
  private readonly watchers = new Set<(value: T, before: T) => void>();

  constructor(private current: T) {}

  get value(): T {
    return this.current;
  }

  set value(next: T) {
    if (Object.is(next, this.current)) return;
    const before = this.current;
    this.current = next;
    for (const watcher of [...this.watchers]) watcher(next, before);
  }

  /** Called at each change; returns what ends it. */
  watch(watcher: (value: T, before: T) => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  /** As `watch`, and once at the beginning. */
  follow(watcher: (value: T, before: T) => void): () => void {
    watcher(this.current, this.current);
    return this.watch(watcher);
  }
}
