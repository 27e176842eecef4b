// One state in the cache instead of all: a smaller evaluation teaches the weights, and the sum they make is what is kept.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { InternalError, StillwaveError, UsageError } from "../../errors.ts";
import type { Parameters } from "../../graph/array.ts";
import { RECORD_NAME } from "../../training/run-folder.ts";
import type { StateSum } from "../../upstream/derived/weighted-sum.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import { FEATURIZER } from "../heads/parameters.ts";
import type { CheckedSettings } from "../recipe/read.ts";
import type { EvaluationOptions, PreparedEvaluation } from "./evaluation.types.ts";
import type { EvaluationEvent } from "./events.types.ts";

/** Of the training utterances of the part, so many choose, and so many are tested. */
const SHARE_OF_OTHERS = 4;
/** Weights below this share are said together. */
const LEAST_SAID = 0.05;

type Evaluate = (options: EvaluationOptions) => AsyncGenerator<EvaluationEvent, void, undefined>;

/**
 * Learns the weights of the hidden states on `features.oneState` training utterances, by an evaluation of its own in the folder `part`,
 * which a resume goes on with. Nothing in it is chosen on test data. undefined where the signal ended it.
 * @throws UsageError where there is nothing to add up, or where every fold would need weights of its own
 */
export async function* learnSum(
  asked: CheckedSettings,
  { upstream, signal, folds }: { readonly upstream: Upstream; readonly signal?: AbortSignal; readonly folds: number },
  evaluate: Evaluate,
): AsyncGenerator<EvaluationEvent, StateSum | undefined, undefined> {
  const { oneState: train, ...features } = asked.features;
  if (train === undefined) throw new InternalError("no part is asked for");
  if (upstream.layers.length < 2)
    throw new UsageError(`features.oneState: ${upstream.name} has one hidden state; leave --one-state out`);
  if (folds > 1)
    throw new UsageError(
      "features.oneState: each fold would need weights of its own, or they would be learnt on what another fold tests; take one with --fold, or leave --one-state out",
    );
  const outDir = join(asked.run.outDir, "part");
  const others = Math.ceil(train / SHARE_OF_OTHERS);
  const { most = {} } = asked.data;
  const least = (count: number, own = count) => Math.min(count, own);
  const { decoding: _, ...settings } = asked;
  yield { kind: "note", text: `weights of ${upstream.layers.length} hidden states are learnt on ${train} utterances first, in ${outDir}` }; // biome-ignore format: one line
  const events = evaluate({
    ...settings,
    data: {
      ...asked.data,
      most: { train: least(train, most.train), dev: least(others, most.dev), test: least(others, most.test) },
    },
    training: { ...asked.training, protocol: "fixed" },
    features,
    run: { ...asked.run, outDir },
    resume: existsSync(join(outDir, RECORD_NAME)),
    signal,
  });
  for await (const event of events) {
    if (event.kind === "interrupted") return undefined;
    if (event.kind !== "done") yield event;
    else {
      const { layerWeights: weights, upstream: own } = event.result;
      if (own.fingerprint !== upstream.fingerprint)
        throw new StillwaveError(`${outDir}: its weights are of another upstream; delete it, and start again`);
      yield { kind: "note", text: `what is kept is ${describeSum(weights, own.layers)}` };
      return { weights, normalize: asked.head.normalizeStates ?? false };
    }
  }
  return undefined;
}

/** `0.62 layer 2 + 0.31 layer 1 + 0.07 of 5 more`. */
function describeSum(weights: readonly number[], layers: readonly string[]): string {
  const sorted = weights
    .map((weight, i) => ({ weight, name: layers[i] }))
    .toSorted((one, other) => other.weight - one.weight);
  const said = sorted.filter(({ weight }) => weight >= LEAST_SAID);
  const rest = sorted.slice(said.length);
  const more = rest.reduce((sum, { weight }) => sum + weight, 0);
  const terms = said.map(({ weight, name }) => `${weight.toFixed(2)} ${name}`);
  return [...terms, ...(rest.length > 0 ? [`${more.toFixed(2)} of ${rest.length} more`] : [])].join(" + ");
}

/** The head that is saved, which reads all states, whatever it was trained on. */
export const headReadingAll = ({ config, input, sum }: Pick<PreparedEvaluation, "config" | "input" | "sum">) => ({
  config: sum ? { ...config, normalizeStates: sum.normalize } : config,
  input: sum ? { ...input, layers: sum.weights.length } : input,
});

/** Its parameters: the weights of the states are what made the sum. */
export function parametersReadingAll(parameters: Parameters, { weights }: StateSum): Parameters {
  const data = Float32Array.from(weights, (weight) => Math.log(Math.max(weight, Number.MIN_VALUE)));
  return new Map([...parameters, [FEATURIZER, { shape: [weights.length], data }]]);
}
