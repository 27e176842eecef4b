// Work that processes share out: each does its part, and process 0 follows what all of them do.
import type { ProcessGroup } from "./group.ts";

/** Every so manieth of `items`, the first process the first; all of them where there is one process. */
export const ownShare = <T>(
  items: readonly T[],
  group: Pick<ProcessGroup, "rank" | "size"> | undefined,
): readonly T[] => (group ? items.filter((_, i) => i % group.size === group.rank) : items);

/** A signal that stops all processes where any of them is asked to; `signal` itself where there is one process. */
export function sharedSignal(
  signal: AbortSignal | undefined,
  group: ProcessGroup | undefined,
): AbortSignal | undefined {
  if (!group) return signal;
  if (signal?.aborted) group.stop();
  signal?.addEventListener("abort", () => group.stop(), { once: true });
  // who has failed needs no more of the others' work
  void group.failed.then(() => group.stop());
  return group.stopped;
}

interface Told<T> {
  /** Absent: the process has done its part. */
  readonly step?: T;
}

type Turn<T> = Promise<Told<T> & { readonly isOwn: boolean }>;

/**
 * In process 0 the steps of all processes, its own in order, until every part is done; in the others their own, which are
 * told to process 0. Steps are values that JSON holds.
 * @throws StillwaveError where a process has failed
 */
export async function* stepsOfAll<T>(
  own: AsyncGenerator<T, void, undefined>,
  group: ProcessGroup | undefined,
): AsyncGenerator<T, void, undefined> {
  if (!group) yield* own;
  else if (group.rank === 0) yield* followed(own, group);
  else {
    for await (const step of own) {
      group.tell({ step } satisfies Told<T>);
      yield step;
    }
    group.tell({});
  }
}

async function* followed<T>(
  own: AsyncGenerator<T, void, undefined>,
  group: ProcessGroup,
): AsyncGenerator<T, void, undefined> {
  const mine = (): Turn<T> => quiet(own.next().then(({ value }) => ({ isOwn: true, step: value ?? undefined })));
  const theirs = (): Turn<T> => quiet(group.hear().then((told) => ({ isOwn: false, ...(told as Told<T>) })));
  let othersAtWork = group.size - 1;
  let [next, heard]: (Turn<T> | undefined)[] = [mine(), theirs()];
  try {
    while (next || heard) {
      const { isOwn, step }: Awaited<Turn<T>> = await Promise.race(
        [next, heard].filter((pending) => pending !== undefined),
      );
      if (step !== undefined) yield step;
      else if (!isOwn) othersAtWork--;
      if (isOwn) next = step === undefined ? undefined : mine();
      else heard = othersAtWork > 0 ? theirs() : undefined;
    }
  } finally {
    await own.return();
  }
}

/** What fails is told when its turn comes; until then it must not count as unhandled. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
