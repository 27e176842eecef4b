// Seconds that exported models take: student and HuBERT-Base-sized teacher, by length, batch and dtype, with their drift.
// Usage: npx tsx bench/inference.ts [--models student,teacher] [--dtypes fp32,int8] [--seconds 1,10,30] [--runs 5]
//        [--recipe armhubert-s-960] [--no-batch] [--json]
// Every measurement has its own process (memory and first call are its own), and the machine's matrix rate beside it.
import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { loadRecipe } from "../src/distill/recipe/read.ts";
import { studentConfig } from "../src/distill/recipe/student.ts";
import type { ExportDtype } from "../src/export/index.ts";
import { exportOnnx, shippedSpeech } from "../src/export/index.ts";
import { initParameters } from "../src/models/init.ts";
import { publishedArchitecture } from "../src/models/published.ts";
import { Random } from "../src/random.ts";
import { matrixRate } from "../src/runtime/matrix-rate.ts";
import { createRuntime, openOnnxFile } from "../src/runtime/node/index.ts";

const { values } = parseArgs({
  options: {
    models: { type: "string", default: "student,teacher" },
    dtypes: { type: "string", default: "fp32,int8" },
    seconds: { type: "string", default: "1,10,30" },
    runs: { type: "string", default: "5" },
    recipe: { type: "string", default: "armhubert-s-960" },
    "no-batch": { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    measure: { type: "string" },
  },
});
const SAMPLES_PER_SECOND = 16000;
/** Batch 8 of mixed lengths. */
const MIXED_SECONDS = [2.1, 3.4, 5, 6.2, 8.8, 10, 12.5, 15];

const now = () => performance.now() / 1000;
const median = (list: readonly number[]) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

/** One file on one batch, in this process. */
async function measure(path: string, lengths: readonly number[], runs: number) {
  const runtime = await createRuntime();
  const before = process.memoryUsage.rss();
  const opening = now();
  const file = await openOnnxFile(path);
  const openSeconds = now() - opening;
  const samples = lengths.map((seconds) => Math.round(seconds * SAMPLES_PER_SECOND));
  const padded = Math.max(...samples);
  const random = new Random(7, "bench");
  const wave = Float32Array.from({ length: samples.length * padded }, () => 0.1 * random.normal());
  const feeds = {
    waveform: { shape: [samples.length, padded], data: wave },
    lengths: { shape: [samples.length], data: BigInt64Array.from(samples, BigInt) },
  };
  const times: number[] = [];
  const rates: number[] = [];
  for (let i = 0; i <= runs; i++) {
    const start = now();
    await file.run(feeds);
    times.push(now() - start);
  }
  const peak = process.resourceUsage().maxRSS * 1024;
  for (let i = 0; i < 3; i++) rates.push(await matrixRate(runtime));
  const steady = times.slice(1);
  const audio = lengths.reduce((a, b) => a + b, 0);
  return {
    openSeconds,
    firstSeconds: times[0],
    medianSeconds: median(steady),
    bestSeconds: Math.min(...steady),
    realTimeFactor: median(steady) / audio,
    peakMiB: peak / 2 ** 20,
    beforeMiB: before / 2 ** 20,
    matrixRate: median(rates),
  };
}

if (values.measure) {
  const { path, lengths, runs } = JSON.parse(values.measure) as { path: string; lengths: number[]; runs: number };
  console.log(JSON.stringify(await measure(path, lengths, runs)));
} else {
  const folder = await mkdtemp(join(tmpdir(), "stillwave-bench-"));
  try {
    await compare(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function compare(folder: string): Promise<void> {
  const recipe = await loadRecipe(values.recipe);
  const teacher = publishedArchitecture("facebook/hubert-base-ls960")!;
  const configs = { student: studentConfig(recipe, teacher), teacher };
  const speech = await shippedSpeech(2);
  const batches = values.seconds.split(",").map((text) => [Number(text)]);
  if (!values["no-batch"]) batches.push(MIXED_SECONDS);
  const rows: Record<string, unknown>[] = [];
  for (const name of values.models.split(",") as (keyof typeof configs)[])
    for (const dtype of values.dtypes.split(",") as ExportDtype[]) {
      const config = configs[name];
      const path = join(folder, `${name}.${dtype}.onnx`);
      const model = { config, parameters: initParameters(config, { seed: 1 }) };
      const { drift, bytes } = await exportOnnx(model, { out: path, dtype, speech, heads: false, output: "hidden-states", force: true }); // biome-ignore format: one line
      const worst = Math.max(...drift.map(({ relativeL2 }) => relativeL2));
      for (const lengths of batches) {
        const argument = JSON.stringify({ path, lengths, runs: Number(values.runs) });
        const script = fileURLToPath(import.meta.url);
        const child = spawnSync(process.execPath, ["--import", "tsx", script, "--measure", argument], { encoding: "utf8" }); // biome-ignore format: one line
        if (child.status !== 0) throw new Error(child.stderr);
        const batch = lengths.length === 1 ? `${lengths[0]} s` : `${lengths.length} x ${Math.min(...lengths)}-${Math.max(...lengths)} s`; // biome-ignore format: one line
        rows.push({ model: name, dtype, batch, ...JSON.parse(child.stdout), fileMB: bytes / 1e6, driftL2: worst });
        if (!values.json) console.error(`${name} ${dtype} ${batch}: done`);
      }
    }
  if (values.json) console.log(JSON.stringify(rows));
  else console.table(rows.map((row) => Object.fromEntries(Object.entries(row).map(([key, value]) => [key, typeof value === "number" ? Number(value.toPrecision(3)) : value])))); // biome-ignore format: one line
}
