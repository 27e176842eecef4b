// Seconds of one distillation step at full size: a HuBERT-Base-sized random teacher and the ARMHuBERT-S student.
// Usage: npx tsx bench/distill-step.ts [--batch 2] [--seconds 5,15] [--steps 5] [--recipe armhubert-s-960] [--json]
import { parseArgs } from "node:util";
import type { Batch } from "../src/data/batch.ts";
import { spanMasks } from "../src/distill/masks.ts";
import { loadRecipe } from "../src/distill/recipe/read.ts";
import { studentConfig } from "../src/distill/recipe/student.ts";
import { createDistillStep, studentGraph } from "../src/distill/step.ts";
import { evaluateShape } from "../src/graph/dim.ts";
import { initParameters } from "../src/models/init.ts";
import { profile } from "../src/models/profile.ts";
import { publishedArchitecture } from "../src/models/published.ts";
import { adamwUpdate, createAdamWState, decayRanges } from "../src/optim/adamw.ts";
import { Random } from "../src/random.ts";
import { createRuntime } from "../src/runtime/node/index.ts";
import type { Feed, Runtime } from "../src/runtime/runtime.ts";
import { matrixRate } from "./matrix-rate.ts";

const { values } = parseArgs({
  options: {
    batch: { type: "string", default: "2" },
    seconds: { type: "string", default: "5,15" },
    steps: { type: "string", default: "5" },
    recipe: { type: "string", default: "armhubert-s-960" },
    json: { type: "boolean", default: false },
  },
});
const items = Number(values.batch);
const steps = Number(values.steps);

const now = () => performance.now() / 1000;
const median = (list: number[]) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const gib = (bytes: number) => bytes / 2 ** 30;

function noise(seconds: number): Batch {
  const paddedSamples = Math.round(seconds * 16000);
  const random = new Random(7, "bench");
  const wave = Float32Array.from({ length: items * paddedSamples }, () => 0.1 * random.normal());
  const ids = Array.from({ length: items }, (_, i) => `noise ${i}`);
  return { wave, paddedSamples, samples: ids.map(() => paddedSamples), ids, paths: ids };
}

const recipe = await loadRecipe(values.recipe);
const teacher = publishedArchitecture("facebook/hubert-base-ls960")!;
const student = studentConfig(recipe, teacher);
const runtime = await createRuntime();
/** Seconds of the last run of each graph, by its name. */
const spent = new Map<string, number>();
const timed: Runtime = {
  ...runtime,
  async compile(graph) {
    const executable = await runtime.compile(graph);
    return {
      ...executable,
      async run(...args) {
        const start = now();
        const outputs = await executable.run(...args);
        spent.set(graph.name, now() - start);
        return outputs;
      },
    };
  },
};
const step = createDistillStep({
  runtime: timed,
  teacher: { config: teacher, parameters: initParameters(teacher, { seed: 1 }) },
  student: { config: student, parameters: initParameters(student, { seed: 2 }) },
  loss: recipe.loss,
  dropout: recipe.student.dropout,
  layerGradientScale: recipe.student.layerGradientScale,
});
const state = createAdamWState(step.weights.length);
const adam = { betas: recipe.optimizer.betas, eps: recipe.optimizer.eps, decay: decayRanges(step.parameters, 0.01) };

/** Multiply-adds that the method needs, as FLOP: features once, two Transformer passes, the student three times. */
function neededFlop(seconds: number): number {
  const t = profile(teacher, { seconds }).macs;
  const s = profile(student, { seconds }).macs;
  return 2 * items * (t.featureExtractor + 2 * (t.total - t.featureExtractor) + 3 * s.total);
}

/** Seconds of the student's forward pass alone: the same graph without its gradients. */
async function forwardSeconds(batch: Batch, frames: number): Promise<number> {
  const dropout = recipe.student.dropout;
  const options = { loss: recipe.loss, dropout, layerGradientScale: false };
  const { graph, sites } = studentGraph(student, options, { training: true, padded: false });
  const sizes = new Map([
    ["batch", items],
    ["samples", batch.paddedSamples],
  ]);
  const ones = (shape: number[]) => ({ shape, data: new Uint8Array(shape.reduce((a, b) => a * b, 1)).fill(1) });
  const targetShape = [items, frames, teacher.dim];
  const target = { shape: targetShape, data: new Float32Array(items * frames * teacher.dim) };
  const feeds: Record<string, Feed> = {
    ...Object.fromEntries(step.parameters),
    wave: { shape: [items, batch.paddedSamples], data: batch.wave },
    mask: ones([items, frames]),
    ...Object.fromEntries(student.headLayers.map((_, k) => [`target.${k}`, { ...target }])),
    ...Object.fromEntries(sites.map(({ name, shape }) => [name, ones(evaluateShape(shape, sizes))])),
  };
  const executable = await runtime.compile({
    name: "forward",
    outputs: new Map([["total", graph.outputs.get("total")!]]),
  });
  const seconds: number[] = [];
  for (let i = 0; i < steps; i++) {
    const start = now();
    await executable.run(feeds);
    seconds.push(now() - start);
  }
  await executable.dispose();
  return median(seconds);
}

const rows = [];
for (const seconds of values.seconds.split(",").map(Number)) {
  const batch = noise(seconds);
  const { frames, valid } = step.framesOf(batch);
  const times: Record<string, number[]> = { step: [], adamw: [], teacher: [], student: [] };
  const rates: number[] = [];
  let peak = 0;
  const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 20);
  for (let i = 0; i <= steps; i++) {
    rates.push(await matrixRate(runtime));
    const mask = spanMasks(new Random(1, "mask", i), frames, valid, { prob: 0.8, length: 10 });
    const start = now();
    step.zeroGradients();
    await step.accumulate(batch, mask, 1, i);
    const middle = now();
    adamwUpdate(step.weights, step.gradients, state, 1e-4, adam);
    const end = now();
    peak = Math.max(peak, process.memoryUsage.rss(), process.resourceUsage().maxRSS * 1024);
    if (i === 0) continue; // compiles
    times.step!.push(end - start);
    times.adamw!.push(end - middle);
    times.teacher!.push(spent.get("teacher-targets")!);
    times.student!.push(spent.get("student-step")!);
  }
  clearInterval(watch);
  const forward = await forwardSeconds(batch, frames);
  const flop = neededFlop(seconds);
  const rate = median(rates);
  const best = Math.min(...times.step!);
  rows.push({
    seconds,
    stepSeconds: median(times.step!),
    bestSeconds: best,
    teacherSeconds: median(times.teacher!),
    studentForwardSeconds: forward,
    studentBackwardSeconds: median(times.student!) - forward,
    adamwSeconds: median(times.adamw!),
    gigaflop: flop / 1e9,
    gigaflopPerSecond: flop / 1e9 / median(times.step!),
    matrixRate: rate,
    share: flop / 1e9 / median(times.step!) / rate,
    bestShare: flop / 1e9 / best / Math.max(...rates),
    peakGiB: gib(peak),
  });
}
await step.dispose();
if (values.json) console.log(JSON.stringify(rows));
else
  console.table(
    rows.map((row) => Object.fromEntries(Object.entries(row).map(([k, v]) => [k, Number(v.toPrecision(4))]))),
  );
