// How much of its time training waits for speech.

/** Counts the updates of one row of metrics. */
export class Waiting {
  private waitedSeconds = 0;
  private totalSeconds = 0;

  /** What `next` comes to; the time until then is waited. */
  async during<T>(next: Promise<T>): Promise<T> {
    const began = performance.now();
    try {
      return await next;
    } finally {
      this.waitedSeconds += (performance.now() - began) / 1000;
    }
  }

  /** Share of the time of all updates since the last `restart` that was waited, after one more of `stepSeconds`. */
  shareAfter(stepSeconds: number): number {
    this.totalSeconds += stepSeconds;
    return this.totalSeconds > 0 ? Math.min(1, this.waitedSeconds / this.totalSeconds) : 0;
  }

  restart(): void {
    this.waitedSeconds = 0;
    this.totalSeconds = 0;
  }
}
