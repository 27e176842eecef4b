// Evaluations that tests start, interrupt and read again.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type EvaluateEvent, evaluate as evaluateIt } from "../../../src/library/evaluate.ts";
import type { EvaluationOptions } from "../../../src/superb/run/evaluation.types.ts";

export const tinyLibri = fileURLToPath(new URL("../../../examples/hubert-small-libri", import.meta.url));

type Changes = Omit<Partial<EvaluationOptions>, "upstream" | "data" | "run"> & {
  readonly upstream?: string;
  readonly data?: Partial<EvaluationOptions["data"]>;
};

/** Small evaluations of phonemes in filterbanks, each in a folder of its own below `root`, with one cache. */
export function evaluationsIn(root: string, corpus: string) {
  let folders = 0;
  return {
    folder: () => join(root, `run ${folders++}`),
    optionsFor: (outDir: string, { upstream: model = "fbank", ...given }: Changes = {}): EvaluationOptions => ({
      task: "pr",
      ...given,
      upstream: { model },
      data: { root: corpus, ...given.data },
      training: { steps: 6, evaluateEvery: 3, batchSize: 5, accumulate: 2, patience: 0, ...given.training },
      head: { projection: 12, ...given.head },
      features: { cache: join(root, "cache"), ...given.features },
      run: { outDir, threads: 1 },
    }),
  };
}

/** Every event; `seen` gets each as it comes, with its number from 1. */
export async function evaluate(
  options: EvaluationOptions,
  seen: (event: EvaluateEvent, number: number) => void = () => {},
): Promise<EvaluateEvent[]> {
  const events: EvaluateEvent[] = [];
  for await (const event of evaluateIt(options)) {
    events.push(event);
    seen(event, events.length);
  }
  return events;
}

export const doneOf = (events: readonly EvaluateEvent[]) => {
  const last = events.at(-1);
  if (last?.kind !== "done") throw new Error(`the evaluation ended with ${JSON.stringify(last)}`);
  return last;
};

export const kindsOf = (events: readonly EvaluateEvent[]) => new Set(events.map(({ kind }) => kind));
export const notesOf = (events: readonly EvaluateEvent[]) =>
  events.flatMap((event) => (event.kind === "note" ? [event.text] : []));

export interface Answer {
  readonly id: string;
  readonly reference: string;
  readonly hypothesis: string;
  readonly audio: string;
}

/** A prediction file of a run, read as what it is: a JSON object a line. */
export const answersOf = (run: string, file: string): Answer[] =>
  readFileSync(join(run, file), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Answer);

/** Fewest edits, by the textbook's table. */
function edits(a: readonly string[], b: readonly string[]): number {
  let row = [...Array(b.length + 1).keys()];
  for (const [i, x] of a.entries()) {
    const next = [i + 1];
    for (const [j, y] of b.entries()) next.push(Math.min(row[j] + (x === y ? 0 : 1), row[j + 1] + 1, next[j] + 1));
    row = next;
  }
  return row.at(-1)!;
}

const tokens = (text: string) => text.split(" ").filter((token) => token !== "");

/** Percent of edits over all reference tokens. */
export function rateOf(answers: readonly Answer[]): number {
  const total = answers.reduce((sum, { reference }) => sum + tokens(reference).length, 0);
  const wrong = answers.reduce(
    (sum, { reference, hypothesis }) => sum + edits(tokens(reference), tokens(hypothesis)),
    0,
  );
  return (100 * wrong) / total;
}

/** What a run leaves that must not depend on how often it was interrupted. */
export const leftBehind = (run: string): Record<string, string> =>
  Object.fromEntries(
    ["head/model.safetensors", "head/head.json", "predictions/dev.jsonl", "predictions/test.jsonl"].map((file) => [
      file,
      readFileSync(join(run, file)).toString("base64"),
    ]),
  );

/** result.json without times and place. */
export function resultOf(run: string): unknown {
  const { created: _, seconds: __, ...rest } = JSON.parse(readFileSync(join(run, "result.json"), "utf8"));
  return rest;
}
