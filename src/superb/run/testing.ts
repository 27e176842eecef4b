// The trained head on dev and test: answers of every reading, the reading chosen where there are several.
import type { Prediction } from "../../metrics/predictions.ts";
import type { Head } from "../heads/step.ts";
import type { TestedSplit } from "../labels/utterance.types.ts";
import { headlineOf, measureOf } from "../measures/index.ts";
import type { Reading } from "../objectives/objective.types.ts";
import { drained, readSplit } from "../training/evaluate.ts";
import type { EvaluationEvent } from "./events.types.ts";
import type { ChoiceResult } from "./result.ts";
import type { SweepParts } from "./sweep.ts";

export interface TestedReading {
  readonly name: string;
  readonly predictions: readonly Prediction[];
}

export interface Tested {
  /** Of the chosen reading; undefined where there is no dev split. */
  readonly dev: readonly Prediction[] | undefined;
  /** On test: the chosen reading first. */
  readonly readings: readonly [TestedReading, ...TestedReading[]];
  /** How the reading was chosen, where there were several. */
  readonly choice: ChoiceResult | undefined;
}

export interface TestParts extends Pick<SweepParts, "objective" | "source" | "signal"> {
  readonly dev: TestedSplit;
  readonly test: TestedSplit;
  /** Where readings are chosen. */
  readonly readingsFrom: "dev" | "test";
}

/**
 * Reads both splits; undefined where the signal ended it.
 * @param decodings further readings of test, among which nothing is chosen
 */
export async function* testHead(
  parts: TestParts,
  head: Head,
  decodings: readonly Reading[],
): AsyncGenerator<EvaluationEvent, Tested | undefined, undefined> {
  const { objective, source, signal, dev, test } = parts;
  const reading = { head, source, signal };
  const { readings } = objective;
  const hasDev = dev.utterances.length > 0;
  const onDev = hasDev ? await drained(readSplit(reading, dev, readings)) : readings.map(() => []);
  if (!onDev) return undefined;
  const all = [...readings, ...decodings];
  const progress = (done: number): EvaluationEvent => ({
    kind: "testing",
    done,
    total: test.utterances.length,
    decoding: all.map(({ name }) => name).join("; "),
  });
  yield progress(0);
  const onTest = readSplit(reading, test, all);
  for (;;) {
    const { done, value } = await onTest.next();
    if (!done) yield progress(value);
    else if (!value) return undefined;
    else return chooseReading(parts, all, hasDev ? onDev : undefined, value);
  }
}

function chooseReading(
  { objective: { readings, unit }, readingsFrom }: TestParts,
  all: readonly Reading[],
  dev: Prediction[][] | undefined,
  test: Prediction[][],
): Tested {
  const [{ isHigherBetter }] = measureOf(unit).metrics;
  const best = (rows: readonly Prediction[][]) => {
    const values = readings.map((_, i) => headlineOf(rows[i], unit));
    return values.reduce(
      (top, value, i) => ((isHigherBetter ? value > values[top] : value < values[top]) ? i : top),
      0,
    );
  };
  const places = { dev: readings.length > 1 && dev ? best(dev) : 0, test: readings.length > 1 ? best(test) : 0 };
  const at = places[readingsFrom];
  const [first, ...rest] = [at, ...all.keys()].filter((i, place) => place === 0 || i !== at);
  const tested = (i: number): TestedReading => ({ name: all[i].name, predictions: test[i] });
  return {
    dev: dev?.[at],
    readings: [tested(first), ...rest.map(tested)],
    choice:
      readings.length > 1
        ? {
            what: "reading of the outputs",
            chosen: readings[at].name,
            among: readings.length,
            on: readingsFrom,
            ...(readingsFrom === "test" && dev && { onDev: readings[places.dev].name }),
          }
        : undefined,
  };
}
