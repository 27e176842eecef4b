// Tells loggers what happens, one call after another, and keeps what goes wrong in one of them from the training.
import type { LoggedEnd, LoggedRow, LoggedRun, Logger } from "./logger.ts";

export interface Loggers {
  log(row: LoggedRow): void;
  end(end: LoggedEnd): Promise<void>;
}

/** Begins the run in every logger. `note` hears of one that fails, once: it gets nothing more. */
export async function startLoggers(
  loggers: readonly Logger[],
  run: LoggedRun,
  note: (text: string) => void,
): Promise<Loggers> {
  const told = loggers.map((logger) => new Told(logger, note));
  for (const one of told) await one.call((logger) => logger.start?.(run));
  return {
    log: (row) => {
      for (const one of told) void one.call((logger) => logger.log(row));
    },
    async end(end) {
      for (const one of told) await one.call((logger) => logger.end?.(end));
    },
  };
}

class Told {
  private readonly logger: Logger;
  private readonly note: (text: string) => void;
  private hasFailed = false;
  /** The calls that are under way or wait; undefined: none, so that the next one is made at once. */
  private busy: Promise<void> | undefined;

  constructor(logger: Logger, note: (text: string) => void) {
    this.logger = logger;
    this.note = note;
  }

  /** At once, or after the calls before it. Never rejects. */
  call(action: (logger: Logger) => void | Promise<void>): Promise<void> {
    const made = this.busy ? this.busy.then(() => this.attempt(action)) : this.attempt(action);
    if (!(made instanceof Promise)) return Promise.resolve();
    const busy = made.then(() => {
      if (this.busy === busy) this.busy = undefined;
    });
    this.busy = busy;
    return busy;
  }

  private attempt(action: (logger: Logger) => void | Promise<void>): void | Promise<void> {
    if (this.hasFailed) return;
    try {
      const result = action(this.logger);
      if (result) return Promise.resolve(result).catch((error: unknown) => this.fail(error));
    } catch (error) {
      this.fail(error);
    }
  }

  private fail(error: unknown): void {
    this.hasFailed = true;
    const reason = error instanceof Error ? error.message : String(error);
    this.note(
      `logger ${this.logger.name} failed and gets nothing more of this start: ${reason}. The run goes on, and its metrics.jsonl has every row`,
    );
  }
}
