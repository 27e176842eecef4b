// A whole run of the tiny models on speech in files, through the recipe that users write. As a program, for tests that kill
// it: tiny-run.ts <root> <outDir> [--resume] [--device=cpu] [<key>=<value>...].
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeModelFolder } from "../../../src/checkpoint/index.ts";
import { type Prepare, prepareRun } from "../../../src/distill/prepare.ts";
import type { Recipe } from "../../../src/distill/recipe/schema.ts";
import { type DistillRunOptions, distillRun } from "../../../src/distill/run.ts";
import { initParameters } from "../../../src/models/init.ts";
import { Random } from "../../../src/random.ts";
import { wavFile } from "../../audio/signals.ts";
import { teacherConfig, tinyRecipe } from "./tiny.ts";

export const STEPS = 14;

/** Speech of 6 utterances to train on and 2 to validate on, in floats, and a teacher. */
export async function writeParts(root: string): Promise<void> {
  const config = teacherConfig();
  await writeModelFolder(join(root, "teacher"), { config, parameters: initParameters(config, { seed: 1 }) });
  for (const [split, count] of Object.entries({ train: 6, dev: 2 })) {
    mkdirSync(join(root, "speech", split), { recursive: true });
    for (let i = 0; i < count; i++) {
      const random = new Random(i, split);
      const samples = Float32Array.from({ length: 3200 - 150 * i }, () => 0.1 * random.normal());
      const data = new Uint8Array(samples.buffer);
      writeFileSync(join(root, "speech", split, `${split}${i}.wav`), wavFile({ code: 3, bits: 32, data }));
    }
  }
}

export function runRecipe(root: string, device: "cpu" | "xla:cpu", set: readonly string[] = []): Recipe {
  const speech = JSON.stringify(join(root, "speech"));
  return tinyRecipe([
    `teacher=${JSON.stringify(join(root, "teacher"))}`,
    `data={ train: { path: ${speech}, splits: [train] }, validation: { path: ${speech}, splits: [dev] }, batchSize: 2, workers: 1, lengths: 1 }`,
    `run={ steps: ${STEPS}, outDir: nowhere, validateEverySteps: 5, checkpointEverySteps: 3, logEverySteps: 1, device: "${device}" }`,
    ...set,
  ]);
}

/** A run into `outDir`. */
export const tinyRun = (
  root: string,
  outDir: string,
  options: Pick<DistillRunOptions, "resume" | "signal"> & {
    readonly device?: "cpu";
    readonly prepare?: Prepare;
    readonly set?: readonly string[];
  } = {},
) => {
  const { device = "xla:cpu", prepare = prepareRun, set, ...rest } = options;
  return distillRun({ recipe: runRecipe(root, device, set), prepare, outDir, ...rest });
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [root, outDir, ...flags] = process.argv.slice(2);
  const resume = flags.includes("--resume");
  const device = flags.includes("--device=cpu") ? "cpu" : undefined;
  const set = flags.filter((flag) => !flag.startsWith("--"));
  for await (const event of tinyRun(root, outDir, { resume, device, set }))
    if (event.kind === "step") console.log(`step ${event.step}`);
  process.exit(0);
}
