// The processes that were started together for one piece of work: from their meeting to their end.
import { createHash } from "node:crypto";
import type { StillwaveError } from "../errors.ts";
import { packageVersion } from "../package.ts";
import { readPlace } from "./environment.ts";
import type { ProcessGroup } from "./group.ts";
import { joinProcesses } from "./join.ts";

/** A device may wait for ever for another process's, and whoever frees it for the device. */
const ENDS_AFTER_MS = 30_000;

/**
 * Works together with the processes that mpirun, srun, torchrun or a script has started, or alone. Where one fails, all do.
 * @param about what all of them must have in common beside the version
 * @throws StillwaveError where one does not come, or does something else
 */
export async function together<T>(
  about: string,
  signal: AbortSignal,
  work: (group: ProcessGroup | undefined) => Promise<T>,
): Promise<T> {
  const place = readPlace(process.env);
  if (!place) return work(undefined);
  const group = await joinProcesses({ ...place, about: `stillwave ${packageVersion()}, ${about}` }, { signal });
  void group.failed.then(endSoon);
  try {
    const result = await work(group);
    await group.close();
    return result;
  } catch (error) {
    await group.close(error as Error);
    throw error;
  }
}

/** In few letters, what all processes must be asked for alike: any value that JSON holds. */
export const digestOf = (asked: unknown): string =>
  createHash("sha256").update(JSON.stringify(asked)).digest("hex").slice(0, 16);

function endSoon({ message }: StillwaveError): void {
  setTimeout(() => {
    process.stderr.write(`stillwave: ${message}\n`);
    process.exit(1);
  }, ENDS_AFTER_MS).unref();
}
