// Seconds of one update of a distillation, on any device: whole updates of a real run, from files of noise to new weights.
// Usage: npx tsx bench/distill-step.ts [--batch 2] [--seconds 5,15] [--steps 5] [--device cpu] [--precision float32]
//        [--recipe armhubert-s-960] [--teacher facebook/hubert-base-ls960] [--set key=value ...] [--speech folder] [--block 1]
//        [--work folder]
// `--speech`: from real files of at least so many seconds (longer ones are cropped) instead of noise.
// One line of JSON a length. Times are those between the events of updates, over blocks of `--block` updates: a device may be
// behind within a block, but not at its end, where metrics are written.
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { prepareRun } from "../src/distill/prepare.ts";
import { loadRecipe } from "../src/distill/recipe/read.ts";
import type { Recipe } from "../src/distill/recipe/schema.ts";
import { studentConfig } from "../src/distill/recipe/student.ts";
import { distillRun } from "../src/distill/run.ts";
import { profile } from "../src/models/profile.ts";
import { publishedArchitecture } from "../src/models/published.ts";
import { Random } from "../src/random.ts";
import { matrixRate } from "../src/runtime/matrix-rate.ts";
import { createRuntime, type DeviceChoice } from "../src/runtime/node/index.ts";
import { isXla } from "../src/runtime/xla/index.ts";
import { writeRandomTeacher } from "./random-teacher.ts";

const { values } = parseArgs({
  options: {
    batch: { type: "string", default: "2" },
    seconds: { type: "string", default: "5,15" },
    steps: { type: "string", default: "5" },
    block: { type: "string", default: "1" },
    device: { type: "string", default: "cpu" },
    precision: { type: "string" },
    recipe: { type: "string", default: "armhubert-s-960" },
    teacher: { type: "string", default: "facebook/hubert-base-ls960" },
    set: { type: "string", multiple: true, default: [] },
    speech: { type: "string" },
    work: { type: "string", default: join(tmpdir(), "stillwave-bench") },
  },
});
const [items, steps, block] = [values.batch, values.steps, values.block].map(Number);
const { device, precision, work } = values;
const SAMPLE_RATE_HZ = 16_000;
/** Batches of an epoch. */
const BATCHES = 4;

const now = () => performance.now() / 1000;
const median = (list: readonly number[]) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

/** A mono WAV file of 16-bit noise. */
function noiseFile(samples: number, index: number): Buffer {
  const random = new Random(7, "bench", index);
  const bytes = Buffer.alloc(44 + 2 * samples);
  bytes.write("RIFF\0\0\0\0WAVEfmt ", 0, "latin1");
  bytes.writeUInt32LE(bytes.length - 8, 4);
  bytes.writeUInt32LE(16, 16);
  for (const [at, value] of [
    [20, 1],
    [22, 1],
    [32, 2],
    [34, 16],
  ] as const)
    bytes.writeUInt16LE(value, at);
  bytes.writeUInt32LE(SAMPLE_RATE_HZ, 24);
  bytes.writeUInt32LE(2 * SAMPLE_RATE_HZ, 28);
  bytes.write("data", 36, "latin1");
  bytes.writeUInt32LE(2 * samples, 40);
  for (let i = 0; i < samples; i++)
    bytes.writeInt16LE(Math.max(-32768, Math.min(32767, Math.round(3277 * random.normal()))), 44 + 2 * i);
  return bytes;
}

/** A folder with `count` files of noise, made where it is not there yet. */
async function noiseFolder(seconds: number, count: number): Promise<string> {
  const folder = join(work, `noise-${count}-of-${seconds}s`);
  if (existsSync(folder)) return folder;
  const made = await mkdtemp(`${folder}.`);
  for (let i = 0; i < count; i++)
    await writeFile(
      join(made, `${String(i).padStart(4, "0")}.wav`),
      noiseFile(Math.round(seconds * SAMPLE_RATE_HZ), i),
    );
  await rename(made, folder);
  return folder;
}

async function teacherFolder(): Promise<string> {
  const { teacher } = values;
  if (!publishedArchitecture(teacher)) return teacher;
  const folder = join(work, `random-${teacher.replaceAll("/", "-")}`);
  await writeRandomTeacher(folder, teacher);
  return folder;
}

/** Multiply-adds that the method needs, as FLOP: features once, two Transformer passes, the student three times. */
function neededFlop(recipe: Recipe, seconds: number): number | null {
  const teacher = publishedArchitecture(values.teacher);
  if (!teacher) return null;
  const t = profile(teacher, { seconds }).macs;
  const s = profile(studentConfig(recipe, teacher), { seconds }).macs;
  return 2 * items * (t.featureExtractor + 2 * (t.total - t.featureExtractor) + 3 * s.total);
}

async function measure(seconds: number) {
  const settings: Record<string, unknown> = {
    teacher: await teacherFolder(),
    "data.train.path": values.speech ?? (await noiseFolder(seconds, BATCHES * items)),
    "data.train.splits": [],
    "data.validation": null,
    "data.batchSize": items,
    "data.maxSeconds": seconds,
    "optimizer.accumulate": 1,
    "run.epochs": null,
    "run.steps": block + steps,
    "run.logEverySteps": block,
    "run.checkpointEverySteps": 1e6,
    "run.keepEvery": null,
    "run.device": device,
    "run.precision": precision ?? "float32",
  };
  const set = Object.entries(settings).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  const recipe = await loadRecipe(values.recipe, [...set, ...values.set]);
  const outDir = await mkdtemp(join(work, "run-"));
  const runtime = await createRuntime({ device: device as DeviceChoice });
  // the yardstick of ONNX Runtime; an accelerator's is measured beside it
  const rates = isXla(runtime) ? [] : [await matrixRate(runtime)];
  const losses: number[] = [];
  let audio = 0;
  const waits: number[] = [];
  const ends: number[] = [];
  const began = now();
  let cpu = process.cpuUsage();
  for await (const event of distillRun({ recipe, prepare: prepareRun, outDir })) {
    if (event.kind === "note") console.error(event.text);
    if (event.kind !== "step") continue;
    if (event.step > block) audio += event.row.audioSecondsPerSecond * event.row.stepSeconds;
    if (event.step % block !== 0) continue;
    ends.push(now());
    losses.push(event.row.loss);
    waits.push(event.row.waitShare);
    if (event.step === block) cpu = process.cpuUsage();
    if (event.step === block + steps) cpu = process.cpuUsage(cpu);
  }
  if (!isXla(runtime)) rates.push(await matrixRate(runtime));
  await rm(outDir, { recursive: true });
  const times = ends.slice(1).map((end, i) => (end - ends[i]) / block);
  const whole = (ends[ends.length - 1] - ends[0]) / steps;
  const flop = neededFlop(recipe, seconds);
  const step = median(times);
  return {
    what: "stillwave_step",
    device: runtime.device,
    engine: runtime.version,
    precision: precision ?? "float32",
    batch: items,
    seconds,
    steps,
    median_s: step,
    best_s: Math.min(...times),
    pipelined_s: whole,
    audio_s_per_s: audio / (whole * steps),
    host_cpu_s: (cpu.user + cpu.system) / 1e6 / steps,
    // of the time, waiting for speech: over the last half of the blocks
    wait_share: median(waits.slice(waits.length >> 1)),
    first_s: ends[0] - began,
    loss_first: losses[0],
    loss_last: losses[losses.length - 1],
    // on the device, where its plugin tells
    peak_device_bytes: isXla(runtime) ? (runtime.client.memory()?.peakBytes ?? null) : null,
    peak_bytes: process.resourceUsage().maxRSS * 1024,
    gigaflop: flop && flop / 1e9,
    gigaflop_per_s: flop && flop / 1e9 / step,
    matrix_gigaflop_per_s: rates.length > 0 ? median(rates) : null,
  };
}

if (steps % block !== 0) throw new Error(`--steps ${steps} is no multiple of --block ${block}`);
await mkdir(work, { recursive: true });
for (const seconds of values.seconds.split(",").map(Number)) console.log(JSON.stringify(await measure(seconds)));
