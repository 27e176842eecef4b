// Ctrl-C and SIGTERM for a command that runs long: first it stops with what is done, then, if asked again, it is out at once.
import { constants } from "node:os";

type Signal = "SIGINT" | "SIGTERM";

/** Exit code of a process that stopped because another one was interrupted. */
export const OTHERS_INTERRUPTED = 130;

/** Shell convention for a process that a signal ended. */
const exitCodeOf = (signal: Signal): number => 128 + constants.signals[signal];

/**
 * The exit code of `work`, which resolves to whether it came to its end. The first SIGINT or SIGTERM aborts the signal that
 * it is given; `onFirst` may tell the user what is coming. The second one ends the process immediately; nothing on the disk is
 * harmed by that, since every file is written beside and renamed.
 */
export async function runStoppable(
  onFirst: () => void,
  work: (signal: AbortSignal) => Promise<boolean>,
): Promise<number> {
  const controller = new AbortController();
  let received: Signal | undefined;
  const handle = (signal: Signal) => {
    if (received) process.exit(exitCodeOf(signal));
    received = signal;
    controller.abort();
    onFirst();
  };
  const signals: readonly Signal[] = ["SIGINT", "SIGTERM"];
  for (const signal of signals) process.on(signal, handle);
  try {
    if (await work(controller.signal)) return 0;
    return received ? exitCodeOf(received) : OTHERS_INTERRUPTED;
  } finally {
    for (const signal of signals) process.off(signal, handle);
  }
}
