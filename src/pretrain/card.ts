// The model card (README.md) of a pre-trained model: what it is, how it was made, how well it guesses.
import { datasetName, loadingCall, modelFrontMatter } from "../checkpoint/index.ts";
import { recipeYaml } from "../distill/recipe/read.ts";
import type { DistillRecord } from "../distill/record.ts";
import { type ModelConfig, samplesPerFrame } from "../models/config.ts";
import { profile } from "../models/profile.ts";
import { publicNames } from "../public-names.ts";
import type { UnitSummary } from "../units/making/settings.ts";
import type { IterationRunRecipe } from "./iteration.ts";

interface CardFacts {
  readonly step: number;
  readonly validation: number | null;
  readonly record: DistillRecord<IterationRunRecipe>;
  readonly units: UnitSummary;
}

const millions = (n: number) => `${(n / 1e6).toFixed(2)} M`;
const hours = (seconds: number) => `${(seconds / 3600).toFixed(2)} h`;
const percent = (value: number) => `${(100 * value).toFixed(1)} %`;

/** Markdown for a model folder. */
export function pretrainedCard(config: ModelConfig, { step, validation, record, units }: CardFacts): string {
  const { data, environment } = record;
  const recipe = publicNames(record.recipe);
  const { parameters } = profile(config, { seconds: 10 });
  const frameMs = (samplesPerFrame(config.conv) / 16).toPrecision(3);
  const { phones } = units;
  const family = config.relativePosition ? "WavLM" : "HuBERT";
  const datasets = [datasetName(record.recipe.data.train.path)];
  return `${modelFrontMatter(config, { datasets, tags: ["pre-training"] })}# A ${family} of a Stillwave run

Pre-trained by masked prediction of k-means units (arXiv:2106.07447), iteration ${recipe.number} of its run.
Input: 16 kHz mono waveforms${config.normalizeWaveform ? ", normalised to zero mean and unit variance" : ""}. Output: hidden states, one every ${frameMs} ms.
\`${loadingCall(config)}\` of transformers reads this folder.

| | |
|---|---|
| layers, width, feed-forward, heads | ${config.layers}, ${config.dim}, ${config.ffnDim}, ${config.heads} |
| parameters | ${millions(parameters.total)} |
| layer norm | ${config.normFirst ? "before each block (pre-LN)" : "after each block (post-LN)"} |

## How it was made
| | |
|---|---|
| training data | ${recipe.data.train.path}: ${data.train.utterances} utterances, ${hours(data.train.seconds)} |
| units | ${units.clusters} clusters of ${units.features}, ${units.perplexity.toFixed(1)} of them in use by perplexity |
| units against phones | ${phones === null ? "no phones were given" : `phone purity ${percent(phones.phonePurity)}, PNMI ${phones.pnmi.toFixed(3)} (${phones.kind === "frames" ? "labels of frames" : "phones spread evenly over their utterances, no alignment"})`} |
| updates | ${step} of ${record.totalSteps} |
| validation loss | ${validation === null ? "not measured" : validation.toPrecision(5)} |
| made with | Stillwave ${environment.stillwave}, ONNX Runtime ${environment.onnxruntime}, Node ${environment.node} |

The weights derive from the training data: its licence applies.

## Recipe of this iteration
Absolute paths by their last parts.
\`\`\`yaml
${recipeYaml(recipe)}\`\`\`
`;
}
