// The model card (README.md) of a fine-tuned upstream: what it was, what it has learnt, how.
import { basename } from "node:path";
import { datasetName, modelFrontMatter } from "../../checkpoint/index.ts";
import { type ModelConfig, samplesPerFrame } from "../../models/config.ts";
import { profile } from "../../models/profile.ts";
import type { PerSplit } from "../../superb/labels/classes.ts";
import type { SplitFacts } from "../../superb/tasks/task.types.ts";
import type { FinetuneRecipe } from "../recipe/schema.ts";

export interface FinetunedFacts {
  readonly recipe: FinetuneRecipe;
  readonly role: "best" | "last";
  readonly step: number;
  readonly config: ModelConfig;
  readonly facts: PerSplit<SplitFacts>;
  /** Identifier of the model that it was begun as, and its licence where that is known. */
  readonly base: string;
  readonly license: string | undefined;
}

const millions = (n: number) => `${(n / 1e6).toFixed(2)} M`;
const hours = (seconds: number) =>
  seconds < 3600 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3600).toFixed(1)} h`;

/** Markdown for the model folder. Paths of the machine it was made on are cut to their last part. */
export function finetunedCard({ recipe, role, step, config, facts, base, license }: FinetunedFacts): string {
  const { parameters, macs, seconds } = profile(config, { seconds: 10 });
  const { upstream, target, data, optimizer } = recipe;
  const { frontEnd, upstream: rate, head } = optimizer.learningRates;
  const rateOf = (value: number | null) => (value === null ? "frozen" : String(value));
  const datasets = [datasetName(data.root)];
  return `${modelFrontMatter(config, { license, baseModels: [base], datasets, tags: ["fine-tuning"] })}# ${role === "best" ? "Best" : "Last"} upstream of a Stillwave fine-tuning for ${target}

A speech model that was trained together with the head in the folder beside it (\`../head\`), which reads its hidden states.
Input: 16 kHz mono waveforms${config.normalizeWaveform ? ", normalised to zero mean and unit variance" : ""}. Output: hidden states, one every ${(samplesPerFrame(config.conv) / 16).toPrecision(3)} ms.

| | |
|---|---|
| begun as | ${basename(upstream.model)} |
| what the head reads | ${upstream.states === "last" ? "the last layer" : `a weighted sum of: ${upstream.states}`} |
| layers, width, feed-forward, heads | ${config.layers}, ${config.dim}, ${config.ffnDim}, ${config.heads} |
| parameters | ${millions(parameters.total)} (${millions(parameters.withoutHeads)} without heads) |
| multiply-accumulates of ${seconds} s of audio | ${(macs.total / 1e9).toFixed(2)} G |
| trained on | ${basename(data.root)}, ${facts.train.source}: ${facts.train.utterances} utterances, ${hours(facts.train.seconds)} |
| chosen on | ${facts.dev.source}: ${facts.dev.utterances} utterances |
| updates | ${step} |
| learning rates | front end ${rateOf(frontEnd)}, upstream ${rateOf(rate)}, head ${head} |

Its scores are in result.json of the run folder.
`;
}
