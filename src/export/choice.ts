// Checks the options of an export against the model, and resolves which values the file outputs.
import { UsageError, unknownName } from "../errors.ts";
import type { ModelConfig } from "../models/config.ts";
import { allStates, chooseStates, outputName, type State, type States, stateOf } from "../upstream/states.ts";
import type { ExportDtype, ExportOptions, ExportOutput, OutputChoice } from "./export.types.ts";
import { DEFAULT_OPSET, OPSETS } from "./opset.ts";

const DTYPES: readonly ExportDtype[] = ["fp32", "fp16", "int8"];
const OUTPUTS: readonly ExportOutput[] = ["hidden-states", "last", "weighted-sum"];

/** @throws UsageError that says what is valid */
export function checkOptions(options: ExportOptions): void {
  const { dtype = "fp32", output = "hidden-states", opset = DEFAULT_OPSET } = options;
  if (!DTYPES.includes(dtype)) throw unknownName("dtype", String(dtype), DTYPES);
  if (!OUTPUTS.includes(output)) throw unknownName("output", String(output), OUTPUTS);
  if (!Number.isInteger(opset) || opset < OPSETS.first || opset > OPSETS.last)
    throw new UsageError(`opset must be an integer from ${OPSETS.first} to ${OPSETS.last}, got ${opset}`);
  if (options.compact && dtype !== "int8")
    throw new UsageError(`compact goes with dtype int8; ${dtype === "fp16" ? "fp16 is compact" : "choose fp16"}`);
  if (output !== "weighted-sum" && (options.weights || options.sumOf))
    throw new UsageError(`weights and what they sum go with output weighted-sum, not ${output}`);
  if (output === "last" && options.layers) throw new UsageError("output last is one layer; layers go with the others");
  if (options.speech?.length === 0) throw new UsageError("no speech to compare on");
}

function sumWeights(count: number, weights: readonly number[] | undefined): readonly number[] {
  if (!weights) return Array.from({ length: count }, () => 1 / count);
  if (weights.length !== count) throw new UsageError(`${count} states are summed, got ${weights.length} weights`);
  const odd = weights.find((weight) => typeof weight !== "number" || !Number.isFinite(Math.fround(weight)));
  if (odd !== undefined) throw new UsageError(`weights must be finite numbers, got ${JSON.stringify(odd) ?? odd}`);
  return weights;
}

/**
 * Which values to output.
 * @throws UsageError where the model has no such states
 */
export function resolveOutputs(config: ModelConfig, options: ExportOptions): OutputChoice {
  const { output = "hidden-states", heads = true, sumOf = "hidden-states", layers = "all" } = options;
  if (output === "last") return { output, states: [{ kind: "hidden-states", number: config.layers }] };
  if (output === "weighted-sum") {
    if (sumOf !== "heads" && sumOf !== "hidden-states")
      throw unknownName("sum", String(sumOf), ["hidden-states", "heads"]);
    if (sumOf === "heads" && options.layers) throw new UsageError("layers chooses hidden states; heads are all summed");
    const states = chooseStates(config, sumOf, layers);
    return { output, states, weights: sumWeights(states.length, options.weights) };
  }
  const hidden = chooseStates(config, "hidden-states", layers);
  const chosen = new Set(hidden.map(({ number }) => number));
  const along = allStates(config, "heads").filter(({ number }) => heads && chosen.has(number));
  return { output, states: [...hidden, ...along] };
}

/** A file's outputs by name: the chosen states, or what `sum` makes of them. As values of its graph, or as arrays. */
export function outputsOf<T>(
  config: ModelConfig,
  { output, states, weights = [] }: OutputChoice,
  pass: States<T>,
  sum: (states: readonly T[], weights: readonly number[]) => T,
): Map<string, T> {
  const chosen = states.map((state) => stateOf(config, pass, state));
  if (output === "weighted-sum") return new Map([["features", sum(chosen, weights)]]);
  const nameOf = (state: State) => (output === "last" ? "last_hidden_state" : outputName(state));
  return new Map(states.map((state, i) => [nameOf(state), chosen[i]]));
}
