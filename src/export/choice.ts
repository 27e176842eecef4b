// Checks the options of an export against the model, and resolves which values the file outputs.
import { UsageError, unknownName } from "../errors.ts";
import type { ModelConfig } from "../models/config.ts";
import type { ExportDtype, ExportOptions, ExportOutput, OutputChoice } from "./export.types.ts";

const DTYPES: readonly ExportDtype[] = ["fp32", "fp16", "int8"];
const OUTPUTS: readonly ExportOutput[] = ["hidden-states", "last", "weighted-sum"];
/** LayerNormalization came with 17; the runtimes that we test on know 23. */
export const OPSETS = { first: 17, last: 23 } as const;

/** @throws UsageError that says what is valid */
export function checkOptions(options: ExportOptions): void {
  const { dtype = "fp32", output = "hidden-states", opset = 21 } = options;
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

function chosenLayers(config: ModelConfig, layers: readonly number[] | undefined): readonly number[] {
  if (!layers) return Array.from({ length: config.layers + 1 }, (_, i) => i);
  if (layers.length === 0) throw new UsageError("layers is empty; name at least one hidden state");
  for (const layer of layers)
    if (!Number.isInteger(layer) || layer < 0 || layer > config.layers)
      throw new UsageError(`no hidden state ${layer}: the model has 0 (the encoder's input) to ${config.layers}`);
  const unique = [...new Set(layers)];
  if (unique.length !== layers.length) throw new UsageError(`layers names a hidden state twice: ${layers.join(",")}`);
  return unique;
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
  const { output = "hidden-states", heads = true } = options;
  if (output === "last") return { kind: "last" };
  const all = config.headDim === null ? [] : config.headLayers;
  if (output === "weighted-sum") {
    const of = options.sumOf ?? "hidden-states";
    if (of !== "heads" && of !== "hidden-states") throw unknownName("sum", String(of), ["hidden-states", "heads"]);
    if (of === "heads" && all.length === 0) throw new UsageError("the model has no heads to sum");
    if (of === "heads" && options.layers) throw new UsageError("layers chooses hidden states; heads are all summed");
    const layers = of === "heads" ? [] : chosenLayers(config, options.layers);
    return { kind: "weighted-sum", of, layers, weights: sumWeights(of === "heads" ? all.length : layers.length, options.weights) }; // biome-ignore format: one line
  }
  const layers = chosenLayers(config, options.layers);
  return { kind: "hidden-states", layers, heads: heads ? all.filter((layer) => layers.includes(layer + 1)) : [] };
}
