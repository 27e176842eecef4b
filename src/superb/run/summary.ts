// What result.json says of a run: its folds summed up, with every choice and where it was made.

import type { Prediction } from "../../metrics/predictions.ts";
import { environment } from "../../training/environment.ts";
import { SPLITS, type Split } from "../labels/classes.ts";
import { headlineOf } from "../measures/index.ts";
import { factsOf } from "../tasks/splits.ts";
import type { SplitFacts } from "../tasks/task.types.ts";
import type { FoldOutcome, ResultParts, TestedFold } from "./evaluation.types.ts";
import {
  type ChoiceResult,
  type DecodingResult,
  type EvaluationResult,
  type FoldResult,
  type LearningRateResult,
  upstreamFacts,
} from "./result.ts";

interface Written {
  /** The headline's first. */
  readonly decodings: readonly DecodingResult[];
  readonly dev: readonly Prediction[];
  readonly devFile: string | null;
}

export function resultOf(
  parts: ResultParts,
  outcomes: readonly FoldOutcome[],
  { decodings, dev, devFile }: Written,
): EvaluationResult {
  const { name, upstream, objective, featureSeconds, root, fingerprint, protocol, options, headParameters } = parts;
  const [{ metric, otherMetrics, predictions }] = decodings;
  const sum = (of: (outcome: FoldOutcome) => number) => outcomes.reduce((total, outcome) => total + of(outcome), 0);
  return {
    format: 1,
    task: name,
    created: new Date().toISOString(),
    upstream: upstreamFacts(parts.upstreamName, upstream),
    data: { root, fingerprint, ...allFacts(outcomes) },
    protocol,
    options,
    metric,
    otherMetrics,
    dev: devFile === null ? null : headlineOf(dev, objective.unit),
    choices: choicesOf(outcomes),
    folds: outcomes.flatMap((outcome) => foldResult(outcome) ?? []),
    decodings,
    unit: objective.unit,
    layerWeights: outcomes[0].weights.map((___, i) => sum(({ weights }) => weights[i]) / outcomes.length),
    headParameters,
    learningRates: outcomes.flatMap(ratesOf),
    seconds: {
      features: featureSeconds,
      training: sum(({ swept }) => swept.trained.reduce((seconds, { state }) => seconds + state.seconds, 0)),
      testing: sum(({ testingSeconds }) => testingSeconds),
    },
    predictions: { dev: devFile, test: predictions },
    environment: { ...environment(parts.runtime) },
  };
}

const factsOfFold = ({ data, utterances }: TestedFold, split: Split): SplitFacts =>
  factsOf(utterances[split], data.facts[split].source);

/** Those of the one fold there is, or the sums over all of them. */
function allFacts(outcomes: readonly FoldOutcome[]): Record<Split, SplitFacts> {
  const of = (split: Split): SplitFacts => {
    const all = outcomes.map(({ fold }) => factsOfFold(fold, split));
    if (all.length === 1) return all[0];
    return {
      utterances: all.reduce((sum, { utterances }) => sum + utterances, 0),
      seconds: all.reduce((sum, { seconds }) => sum + seconds, 0),
      source: `${all.length} folds together, the first ${all[0].source}`,
    };
  };
  const [train, dev, test] = SPLITS.map(of);
  return { train, dev, test };
}

function foldResult({ fold, tested, weights }: FoldOutcome): FoldResult | undefined {
  const { data, objective } = fold;
  if (data.fold === undefined) return undefined;
  return {
    name: data.fold,
    value: headlineOf(tested.readings[0].predictions, objective.unit),
    dev: tested.dev ? headlineOf(tested.dev, objective.unit) : null,
    train: factsOfFold(fold, "train"),
    devSplit: factsOfFold(fold, "dev"),
    test: factsOfFold(fold, "test"),
    layerWeights: weights,
  };
}

const ratesOf = ({ fold, swept: { trained, chosen } }: FoldOutcome): LearningRateResult[] =>
  trained.map(({ learningRate, state }) => ({
    learningRate,
    steps: state.step,
    best: state.best,
    curve: state.curve,
    skippedSteps: state.skippedSteps,
    chosen: learningRate === chosen.learningRate,
    ...(fold.data.fold !== undefined && { fold: fold.data.fold }),
  }));

/** Every choice that scores decided. */
const choicesOf = (outcomes: readonly FoldOutcome[]): ChoiceResult[] =>
  outcomes.flatMap(({ fold, swept: { trained, chosen }, tested }) => {
    const of = fold.data.fold === undefined ? "" : ` of fold ${fold.data.fold}`;
    const on = fold.checkpointsFrom;
    const rate = { what: `learning rate${of}`, chosen: String(chosen.learningRate), among: trained.length, on };
    return [
      ...(trained.length > 1 ? [rate] : []),
      {
        what: `checkpoint${of}`,
        chosen: `step ${chosen.state.best?.step}`,
        among: chosen.state.curve.length,
        on,
      },
      ...(tested.choice ? [{ ...tested.choice, what: `${tested.choice.what}${of}` }] : []),
    ];
  });
