// A pre-training of seconds on real speech, for tests: a recipe of two iterations over a few utterances.
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { PretrainEvent } from "../../src/pretrain/events.ts";
import { parsePretrainRecipe } from "../../src/pretrain/recipe/read.ts";
import type { PretrainRecipe } from "../../src/pretrain/recipe/schema.ts";

const speech = fileURLToPath(new URL("../../examples/speech", import.meta.url));

const RECIPE = `
model:
  layers: 2
  dim: 24
  ffnDim: 32
  heads: 2
  conv: [[8, 10, 5], [8, 3, 2], [8, 3, 2], [8, 3, 2], [8, 3, 2], [8, 2, 2], [12, 2, 2]]
  posConv: {kernel: 16, groups: 4}
iterations:
  - {targets: mfcc, clusters: 8, kMeans: {iterations: 30, batchFrames: 300, starts: 2}, steps: 6, unmaskedWeight: 0.5, featurePenalty: 0.05}
  - {targets: {layer: 1}, clusters: 9, kMeans: {iterations: 30, batchFrames: 300, starts: 2, share: 0.8}, from: continue, steps: 5}
mixing: {probability: 0.5}
optimizer: {peakLr: 2.0e-3, clipNorm: 5}
run: {validateEverySteps: 3, checkpointEverySteps: 2, logEverySteps: 1, threads: 1}
`;

/** Files of speech of a split, the first ones by name. */
function audio(split: string, count: number): string[] {
  const all = readdirSync(join(speech, split), { recursive: true, encoding: "utf8" });
  return all
    .filter((name) => name.endsWith(".flac"))
    .sort()
    .slice(0, count)
    .map((name) => join(speech, split, name));
}

/** Writes lists of a few utterances into `folder`, and gives the recipe for a run in `folder`/run. */
export function tinyRecipe(folder: string, set: readonly string[] = []): PretrainRecipe {
  for (const [split, count] of [
    ["train", 6],
    ["dev", 2],
  ] as const)
    writeFileSync(
      join(folder, `${split}.jsonl`),
      audio(split, count)
        .map((path) => `${JSON.stringify({ path })}\n`)
        .join(""),
    );
  const data = {
    train: { path: join(folder, "train.jsonl") },
    validation: { path: join(folder, "dev.jsonl") },
    batchSize: 3,
    maxSeconds: 1.5,
  };
  const text = `${RECIPE}data: ${JSON.stringify(data)}\n`;
  return parsePretrainRecipe(text, "tiny.yaml", [`run.outDir=${JSON.stringify(join(folder, "run"))}`, ...set]);
}

export async function allEvents(run: AsyncIterable<PretrainEvent>): Promise<PretrainEvent[]> {
  const all: PretrainEvent[] = [];
  for await (const event of run) all.push(event);
  return all;
}
