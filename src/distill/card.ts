// The model card (README.md) of a distilled student: what it is, how it was made, how well it learned.
import { datasetName, loadingCall, modelFrontMatter } from "../checkpoint/index.ts";
import { type ModelConfig, samplesPerFrame } from "../models/config.ts";
import { profile } from "../models/profile.ts";
import { publicNames } from "../public-names.ts";
import { recipeYaml } from "./recipe/read.ts";
import type { Recipe } from "./recipe/schema.ts";
import type { DistillRecord, RunRecipe } from "./record.ts";

/** What a model card can say about the run. */
export interface ModelFacts<R extends RunRecipe = Recipe> {
  readonly role: "best" | "last";
  readonly step: number;
  readonly recipe: R;
  readonly record: DistillRecord<R>;
  readonly initialValidation: number | null;
  readonly validation: number | null;
}

const millions = (n: number) => `${(n / 1e6).toFixed(2)} M`;
const loss = (value: number | null) => (value === null ? "not measured" : value.toPrecision(5));
const hours = (seconds: number) =>
  seconds < 3600 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3600).toFixed(1)} h`;

/** What its student learns by, in words. */
function methodOf({ objectives }: Pick<Recipe, "objectives">): string {
  if (!objectives) return "attention-map reuse and masking distillation (arXiv:2305.11685)";
  const kinds = objectives.map(({ kind, weight }) => `${kind}${weight === 1 ? "" : ` x ${weight}`}`);
  return `these objectives: ${kinds.join(", ")} (docs/objectives.md of Stillwave)`;
}

/** What the run's teachers are called, and the licence that the first states. */
export interface TeacherFacts {
  readonly names: readonly string[];
  readonly license: string | undefined;
}

/** Markdown for a model folder. Sizes are computed from the configuration, losses are those of the run. */
export function modelCard(config: ModelConfig, facts: ModelFacts, teachers: TeacherFacts): string {
  const { record } = facts;
  const recipe = publicNames(record.recipe);
  const { parameters, macs, seconds } = profile(config, { seconds: 10 });
  const frameMs = (samplesPerFrame(config.conv) / 16).toPrecision(3);
  const { train, validation } = record.data;
  const computing = config.attentionFrom.filter((source, layer) => source === layer).length;
  const { environment } = record;
  const frontMatter = modelFrontMatter(config, {
    license: teachers.license,
    baseModels: teachers.names,
    datasets: [datasetName(record.recipe.data.train.path)],
    tags: ["distillation"],
  });
  return `${frontMatter}# ${facts.role === "best" ? "Best" : "Last"} student of a Stillwave run

A thin speech model, distilled by ${methodOf(recipe)}.
Input: 16 kHz mono waveforms${config.normalizeWaveform ? ", normalised to zero mean and unit variance" : ""}. Output: hidden states, one every ${frameMs} ms.
\`${loadingCall(config)}\` of transformers reads this folder.

| | |
|---|---|
| layers, width, feed-forward, heads | ${config.layers}, ${config.dim}, ${config.ffnDim}, ${config.heads} |
| layers that compute an attention map | ${computing} of ${config.layers} |
| reuse semantics | ${config.reuse} |
| parameters | ${millions(parameters.total)} (${millions(parameters.withoutHeads)} without heads) |
| multiply-accumulates of ${seconds} s of audio | ${(macs.total / 1e9).toFixed(2)} G |
| hidden states | ${recipe.student.hiddenStates === "heads" ? "head outputs" : "layer outputs"} |

## How it was made
| | |
|---|---|
| teacher | ${recipe.teacher}${recipe.secondTeacher ? `, and ${recipe.secondTeacher}` : ""} |
| training data | ${recipe.data.train.path}: ${train.utterances} utterances, ${hours(train.seconds)} |
| validation data | ${validation === null ? "none" : `${recipe.data.validation?.path}: ${validation.utterances} utterances, ${hours(validation.seconds)}`} |
| updates | ${facts.step} of ${record.totalSteps} |
| validation loss | ${loss(facts.initialValidation)} before training, ${loss(facts.validation)} here |
| made with | Stillwave ${environment.stillwave}, ONNX Runtime ${environment.onnxruntime}, Node ${environment.node} |

The weights derive from the teacher's and from the training data: their licences apply.

## Recipe
Absolute paths by their last parts.
\`\`\`yaml
${recipeYaml(recipe)}\`\`\`
`;
}
