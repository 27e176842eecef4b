// Ctrl-C and SIGTERM for a command that runs a training: first a checkpoint, then, if asked again, out at once.
import { constants } from "node:os";

/** Shell convention for a process that a signal ended. */
export const exitCodeOf = (signal: "SIGINT" | "SIGTERM"): number => 128 + constants.signals[signal];

export interface StopSignals {
  /** Aborted at the first SIGINT or SIGTERM: give it to the run. */
  readonly signal: AbortSignal;
  /** The signal that came, for the exit code. */
  readonly received: () => "SIGINT" | "SIGTERM" | undefined;
  /** Removes the handlers. */
  dispose(): void;
}

/**
 * Handles SIGINT and SIGTERM until disposed. The second one ends the process immediately; nothing on the disk is harmed
 * by that, since every file of a run is written beside and renamed. `onFirst` may tell the user that a checkpoint is coming.
 */
export function stopOnSignals(onFirst?: (signal: "SIGINT" | "SIGTERM") => void): StopSignals {
  const controller = new AbortController();
  let received: "SIGINT" | "SIGTERM" | undefined;
  const handle = (signal: "SIGINT" | "SIGTERM") => {
    if (received) process.exit(exitCodeOf(signal));
    received = signal;
    controller.abort();
    onFirst?.(signal);
  };
  process.on("SIGINT", handle);
  process.on("SIGTERM", handle);
  return {
    signal: controller.signal,
    received: () => received,
    dispose() {
      process.off("SIGINT", handle);
      process.off("SIGTERM", handle);
    },
  };
}
