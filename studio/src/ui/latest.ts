/** Work of which only the newest counts: whatever ran before is aborted. */
export class Latest {
  private running: AbortController | null = null;

  /** What the work gives, or null where it was aborted on the way. Other errors are thrown. */
  async run<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T | null> {
    this.abort();
    const own = new AbortController();
    this.running = own;
    try {
      const result = await work(own.signal);
      return own.signal.aborted ? null : result;
    } catch (error) {
      if (own.signal.aborted) return null;
      throw error;
    } finally {
      if (this.running === own) this.running = null;
    }
  }

  get busy(): boolean {
    return this.running !== null;
  }

  abort(): void {
    this.running?.abort();
    this.running = null;
  }
}
