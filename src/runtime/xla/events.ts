// Events of a plugin: promises that wait for them, few threads at a time, and none left undestroyed.
import type { PjrtPlugin } from "./plugin.ts";

/** Threads that wait at once. A wait holds one of Node's pool, which has four, and files are read there too. */
const MAX_WAITING = 2;

export class Events {
  private readonly plugin: PjrtPlugin;
  private readonly queue: (() => void)[] = [];
  private waiting = 0;
  /** Events that are not destroyed yet, and the host's memory that is read or written until then. */
  private readonly pending = new Map<Promise<void>, Uint8Array | undefined>();

  constructor(plugin: PjrtPlugin) {
    this.plugin = plugin;
  }

  get alive(): number {
    return this.pending.size;
  }

  /**
   * Resolves when the event is ready and destroyed; rejects with its error, which need not be waited for. `memory` stays
   * until then. An event of 0 is over already.
   */
  done(event: bigint, memory?: Uint8Array): Promise<void> {
    if (event === 0n) return Promise.resolve();
    const over = this.wait(event);
    this.pending.set(over, memory);
    const forget = () => void this.pending.delete(over);
    over.then(forget, forget);
    return over;
  }

  /** Resolves when no event is pending. */
  async idle(): Promise<void> {
    while (this.pending.size > 0) await Promise.allSettled(this.pending.keys());
  }

  private async wait(event: bigint): Promise<void> {
    try {
      if (this.isReady(event)) this.plugin.call("Event_Await", { event });
      else await this.onThread(() => this.plugin.callAsync("Event_Await", { event }));
    } finally {
      this.plugin.call("Event_Destroy", { event });
    }
  }

  private isReady(event: bigint): boolean {
    return (this.plugin.call("Event_IsReady", { event })("is_ready") & 0xffn) !== 0n;
  }

  private async onThread(wait: () => Promise<unknown>): Promise<void> {
    if (this.waiting === MAX_WAITING) await new Promise<void>((resolve) => this.queue.push(resolve));
    else this.waiting++;
    try {
      await wait();
    } finally {
      const next = this.queue.shift();
      if (next) next();
      else this.waiting--;
    }
  }
}
