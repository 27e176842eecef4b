// The few sizes that batches are enlarged to where a program is compiled for each.

/** Items and their length, in samples or frames. */
export interface BatchSize {
  readonly items: number;
  readonly length: number;
}

/** With more, padding hardly shrinks: eight lengths of LibriSpeech leave 8 % of the samples padding. */
const MOST_EXPECTED = 8;
/** A size of at most so many times the least work is good enough. */
const MOST_WASTE = 2;
/** Sizes are rounded up to these, times powers of two. */
const LENGTH_STEPS = [1, 1.25, 1.5, 1.75, 2] as const;
const ITEM_STEPS = [1, 1.5, 2] as const;

export class ShapeLadder {
  private readonly align: (length: number) => number;
  private known: BatchSize[] = [];

  /** @param align rounds a length up to one that is computed fast */
  constructor(align: (length: number) => number = (length) => length) {
    this.align = align;
  }

  /** Chooses sizes for the batches that will come: as many as are worth compiling for, with the least work in all. */
  expect(sizes: readonly BatchSize[]): void {
    const steps = new Map<number, Step>();
    for (const { items, length: own } of sizes) {
      const length = this.align(own);
      const { items: most = 0, batches = 0 } = steps.get(length) ?? {};
      steps.set(length, { items: Math.max(items, most), length, batches: batches + 1 });
    }
    this.known = leastWork(
      [...steps.values()].sort((a, b) => a.length - b.length),
      MOST_EXPECTED,
    );
  }

  /** What a batch is enlarged to. */
  fit(size: BatchSize): BatchSize {
    const fitting = this.known.filter(({ items, length }) => items >= size.items && length >= size.length);
    const best = fitting.sort((a, b) => workOf(a) - workOf(b)).at(0);
    const least = { items: size.items, length: this.align(size.length) };
    if (best && workOf(best) <= MOST_WASTE * workOf(least)) return best;
    const fresh = roundedUp(size, this.align);
    if (best && workOf(best) <= workOf(fresh)) return best;
    this.known.push(fresh);
    return fresh;
  }
}

/** One of few sizes for a batch: a function of the batch alone, so that what resumes gives the same numbers. */
export const roundedUp = ({ items, length }: BatchSize, align: (length: number) => number): BatchSize => ({
  items: stepUp(items, ITEM_STEPS),
  length: align(stepUp(length, LENGTH_STEPS)),
});

/** Batches of one length. */
interface Step extends BatchSize {
  readonly batches: number;
}

const workOf = ({ items, length }: BatchSize): number => items * length;

/** The least number that is no smaller, among `steps` times powers of two. */
function stepUp(size: number, steps: readonly number[]): number {
  const power = 2 ** Math.floor(Math.log2(Math.max(1, size)));
  return Math.ceil(power * (steps.find((step) => power * step >= size) ?? 2));
}

/** At most `count` sizes that hold all of `steps`, which ascend in length: neighbours share one. Dynamic programming. */
function leastWork(steps: readonly Step[], count: number): BatchSize[] {
  /** Of the first `i` steps, the sizes chosen and the work they make; index 0: of none. */
  let best: { readonly work: number; readonly sizes: readonly BatchSize[] }[] = steps.map(() => ({
    work: Number.POSITIVE_INFINITY,
    sizes: [],
  }));
  best.unshift({ work: 0, sizes: [] });
  for (let rung = 0; rung < count; rung++) {
    const next = best.slice();
    for (let to = 1; to <= steps.length; to++) {
      let [items, batches] = [0, 0];
      for (let from = to - 1; from >= 0; from--) {
        items = Math.max(items, steps[from].items);
        batches += steps[from].batches;
        const size = { items, length: steps[to - 1].length };
        const work = best[from].work + batches * workOf(size);
        if (work < next[to].work) next[to] = { work, sizes: [...best[from].sizes, size] };
      }
    }
    best = next;
  }
  return [...best[steps.length].sizes];
}
