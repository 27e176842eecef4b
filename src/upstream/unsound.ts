// Items of a batch whose states are no numbers: found one by one, and the others computed as if they had never been there.
import { StillwaveError } from "../errors.ts";

/** A result for each item, or what is wrong with it. */
type Run<Item, Result> = (items: readonly Item[]) => Promise<readonly (Result | StillwaveError)[]>;

interface Sorted<Item, Result> {
  readonly sound: readonly { readonly item: Item; readonly result: Result }[];
  readonly unsound: readonly { readonly item: Item; readonly error: StillwaveError }[];
}

/**
 * Runs a batch. Where items fail, those that fail alone too are taken out (all that failed, if none does), and the rest is run
 * again: an item can spoil its neighbours, and pads them.
 */
export async function runSound<Item, Result>(
  items: readonly Item[],
  run: Run<Item, Result>,
): Promise<Sorted<Item, Result>> {
  const unsound: { item: Item; error: StillwaveError }[] = [];
  let left = items;
  while (left.length > 0) {
    const results = await run(left);
    const failed = left.flatMap((item, i) => {
      const error = results[i];
      return error instanceof StillwaveError ? [{ item, error }] : [];
    });
    if (failed.length === 0) return { sound: left.map((item, i) => ({ item, result: results[i] as Result })), unsound };
    const alone = left.length === 1 ? [] : await failingAlone(failed, run);
    const culprits = alone.length > 0 ? alone : failed;
    unsound.push(...culprits);
    left = left.filter((item) => !culprits.some((culprit) => culprit.item === item));
  }
  return { sound: [], unsound };
}

async function failingAlone<Item, Result>(failed: readonly { readonly item: Item }[], run: Run<Item, Result>) {
  const culprits: { item: Item; error: StillwaveError }[] = [];
  for (const { item } of failed) {
    const [error] = await run([item]);
    if (error instanceof StillwaveError) culprits.push({ item, error });
  }
  return culprits;
}
