// A stop that one process is asked for and all make at the same place.
import type { ProcessGroup } from "./group.ts";

export class AgreedStop {
  /** Aborted in all processes after the same `check`; without others, as soon as it is asked for. */
  readonly signal: AbortSignal | undefined;
  private readonly asked: AbortSignal | undefined;
  private readonly group: ProcessGroup | undefined;
  private readonly agreed = new AbortController();

  constructor(asked: AbortSignal | undefined, group: ProcessGroup | undefined) {
    this.asked = asked;
    this.group = group;
    this.signal = group ? this.agreed.signal : asked;
  }

  /** Whether to stop here. Every process comes to the same checks. */
  async check(): Promise<boolean> {
    if (this.group && !this.agreed.signal.aborted && (await this.group.any("stop", this.asked?.aborted ?? false)))
      this.agreed.abort();
    return this.signal?.aborted ?? false;
  }
}
