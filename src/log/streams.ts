// Streams that people read progress on: a reader that goes away ends nothing, and the terminal is left as it was found.

/** The part of a stream that progress needs; process.stderr and process.stdout have it. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
  on?(event: "error", listener: (error: Error) => void): unknown;
  off?(event: "error", listener: (error: Error) => void): unknown;
}

interface Guard {
  users: number;
  broken: boolean;
  readonly onError: () => void;
}

/** Streams in use: one error listener each, however many pieces of work report to it. */
const guarded = new WeakMap<ProgressStream, Guard>();

/** A reader that went away (`| head`) must not end hours of training: write errors are swallowed, and the stream left alone from then on. */
export function tolerant(stream: ProgressStream): { write(text: string): void; close(): void } {
  const onError = () => {
    fresh.broken = true;
  };
  const fresh: Guard = { users: 0, broken: false, onError };
  const state = guarded.get(stream) ?? fresh;
  if (state.users++ === 0) {
    guarded.set(stream, state);
    stream.on?.("error", state.onError);
  }
  const release = () => {
    if (--state.users > 0) return;
    guarded.delete(stream);
    stream.off?.("error", state.onError);
  };
  return {
    write(text) {
      if (state.broken) return;
      try {
        stream.write(text);
      } catch {
        state.broken = true;
      }
    },
    // Errors of the last writes arrive after the call: the listener stays until they had the time to.
    close: () => void setTimeout(release, 100).unref(),
  };
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Runs `restore` when the process ends, by a signal too (whose effect it leaves as it was). Returns how to undo that. */
export function atExit(restore: () => void): () => void {
  const onSignal = (signal: NodeJS.Signals) => {
    restore();
    undo();
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  };
  const undo = () => {
    process.off("exit", restore);
    for (const signal of SIGNALS) process.off(signal, onSignal);
  };
  process.once("exit", restore);
  // First in line, so that a handler that was registered with `once` is still there to be counted.
  for (const signal of SIGNALS) process.prependOnceListener(signal, onSignal);
  return undo;
}
