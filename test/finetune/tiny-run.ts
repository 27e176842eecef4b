// A fine-tuning of seconds for tests: a made-up upstream, phones of real speech or classes of tones.
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeModelFolder } from "../../src/checkpoint/index.ts";
import type { FinetuneEvent } from "../../src/finetune/events.ts";
import { parseFinetuneRecipe } from "../../src/finetune/recipe/read.ts";
import type { FinetuneRecipe } from "../../src/finetune/recipe/schema.ts";
import { initParameters } from "../../src/models/init.ts";
import { tinyConfig } from "./cases.ts";

const speech = fileURLToPath(new URL("../../examples/speech", import.meta.url));

const config = {
  ...tinyConfig,
  conv: [
    { channels: 6, kernel: 10, stride: 5 },
    ...Array(4).fill({ channels: 6, kernel: 3, stride: 2 }),
    ...Array(2).fill({ channels: 6, kernel: 2, stride: 2 }),
  ],
};

const RECIPE = `
target: phones
optimizer: {learningRates: {frontEnd: 1.0e-3, upstream: 2.0e-3, head: 5.0e-3}, frozenSteps: 2}
specAugment: {timeSpans: 1}
augment: {speed: [0.9, 1, 1.1], gainDb: [-6, 6], noise: {}, lowPass: {}, padSeconds: 0.1}
run: {steps: 6, evaluateEverySteps: 3, checkpointEverySteps: 2, logEverySteps: 1, threads: 1}
`;

/** Writes the upstream and a list of a few utterances with phones into `folder`, once. */
async function prepareFolder(folder: string): Promise<{ model: string; list: string }> {
  const [model, list] = [join(folder, "upstream"), join(folder, "speech.jsonl")];
  mkdirSync(folder, { recursive: true });
  await writeModelFolder(model, { config, parameters: initParameters(config, { seed: 4 }) });
  const files = (split: string) =>
    readdirSync(join(speech, split), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".flac"))
      .sort()
      .map((name) => join(speech, split, name));
  const rows = [
    ...files("train")
      .slice(0, 6)
      .map((path) => ({ path, split: "train" })),
    ...files("dev")
      .slice(0, 2)
      .map((path) => ({ path, split: "dev" })),
    ...files("dev")
      .slice(-3)
      .map((path) => ({ path, split: "test" })),
  ].map((row) => ({ ...row, id: basename(row.path, ".flac") }));
  writeFileSync(list, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  return { model, list };
}

/** The recipe of a run in `folder`/run. */
export async function tinyRecipe(folder: string, set: readonly string[] = []): Promise<FinetuneRecipe> {
  const { model, list } = await prepareFolder(folder);
  const upstream = { model, dropout: { residual: 0.1, attention: 0.1, input: 0.1 }, layerDrop: 0.2 };
  const data = { root: list, phones: join(speech, "phones.txt"), batchSize: 2 };
  const text = `${RECIPE}upstream: ${JSON.stringify(upstream)}\ndata: ${JSON.stringify(data)}\n`;
  return parseFinetuneRecipe(text, "tiny.yaml", [`run.outDir=${JSON.stringify(join(folder, "run"))}`, ...set]);
}

export async function allEvents(run: AsyncIterable<FinetuneEvent>): Promise<FinetuneEvent[]> {
  const all: FinetuneEvent[] = [];
  for await (const event of run) all.push(event);
  return all;
}
