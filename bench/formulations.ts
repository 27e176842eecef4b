// Ungrouped convolutions on an XLA device: products of gathered rows, as students compute them, beside native convolutions.
// Usage: npx tsx bench/formulations.ts [--device xla] [--recipes armhubert-s-960,quickstart] [--batch 2] [--seconds 5]
//        [--precisions float32,bf16] [--rounds 7] [--threads 2] [--json]
// For every layer shape: milliseconds of the forward pass and of both gradients, each a program whose operands stay on the
// device, in turn within every round, medians; and how many times as long as products convolutions take. What both give is
// compared before it is timed, and a difference is an error. `--json`: one line a measurement.
import { parseArgs } from "node:util";
import { gradients } from "../src/autodiff/gradient.ts";
import { loadRecipe } from "../src/distill/recipe/read.ts";
import { bytesOf, sizeOf } from "../src/graph/array.ts";
import { evaluateDim, mulDims, symbol } from "../src/graph/dim.ts";
import * as g from "../src/graph/ops.ts";
import { input } from "../src/graph/value.ts";
import { convolveRows } from "../src/nn/features/channels-last.ts";
import { frameDim, paddedDims, type Window } from "../src/nn/features/frames.ts";
import { Random } from "../src/random.ts";
import { createRuntime, type DeviceChoice } from "../src/runtime/node/index.ts";
import type { Handle, PjrtClient } from "../src/runtime/xla/client.ts";
import { isXla } from "../src/runtime/xla/index.ts";
import type { Emitter, Tensor } from "../src/stablehlo/emitter.ts";
import { type Precision, storageType } from "../src/stablehlo/precision.ts";
import { precisionConfig, productOperand } from "../src/stablehlo/product.ts";
import { lowerGraph, type Program, ProgramWriter } from "../src/stablehlo/program.ts";

const { values } = parseArgs({
  options: {
    device: { type: "string", default: "xla" },
    recipes: { type: "string", default: "armhubert-s-960,quickstart" },
    batch: { type: "string", default: "2" },
    seconds: { type: "string", default: "5" },
    precisions: { type: "string", default: "float32,bf16" },
    rounds: { type: "string", default: "7" },
    threads: { type: "string" },
    json: { type: "boolean", default: false },
  },
});
const SAMPLE_RATE_HZ = 16_000;
const [items, rounds] = [values.batch, values.rounds].map(Number);

/** One layer: [items, stride * frames, inputs] -> [items, frames, outputs]. */
interface Layer extends Window {
  readonly inputs: number;
  readonly outputs: number;
  readonly frames: number;
}

const PASSES = ["forward", "input gradient", "weight gradient"] as const;
type Pass = (typeof PASSES)[number];

/** What a formulation reads: x and cotangent as activations are kept, weight [outputs, inputs, kernel]. */
interface Operands {
  readonly emit: Emitter;
  readonly x: Tensor;
  readonly weight: Tensor;
  readonly cotangent: Tensor;
  readonly precision: Precision;
}

const batch = symbol("batch");
const sizes = new Map([["batch", items]]);

/** The layer as a graph: what students trace. */
function graphOf({ kernel, stride, inputs, outputs, frames }: Layer) {
  const x = input("x", [mulDims(batch, stride * frames), inputs]);
  const weight = input("weight", [outputs, inputs, kernel]);
  const cotangent = input("cotangent", [mulDims(batch, frames), outputs]);
  const y = convolveRows(x, weight, { kernel, stride }, mulDims(batch, frames));
  return { x, weight, cotangent, y, loss: g.sumAll(g.mul(y, cotangent)) };
}

/** Products of gathered rows, and what their gradient rules make of them. */
function products(layer: Layer, pass: Pass, { emit, precision, ...operands }: Operands): Tensor {
  const { x, weight, y, loss } = graphOf(layer);
  const [result] = pass === "forward" ? [y] : gradients(loss, [pass === "input gradient" ? x : weight]);
  const named = lowerGraph({ name: pass, outputs: new Map([["y", result]]) }, { emit, sizes, precision }, (name) => {
    const tensor = operands[name as keyof typeof operands];
    return name === "weight" ? tensor : emit.reshape(tensor, [items * tensor.shape[1], tensor.shape[2]]);
  });
  return named.get("y") as Tensor;
}

/** One convolution of StableHLO's for each pass, channels last. */
function convolutions({ kernel, stride, inputs, outputs, frames }: Layer, pass: Pass, operands: Operands): Tensor {
  const { emit, x, weight, cotangent, precision } = operands;
  const after = Math.max(kernel - stride, 0);
  const convolve = (
    pair: readonly Tensor[],
    numbers: string,
    padding: readonly number[],
    [strides, inputDilation, kernelDilation]: readonly number[],
    result: Pick<Tensor, "shape" | "type">,
  ) =>
    emit.op(
      "convolution",
      pair.map((operand) => productOperand(emit, operand, precision)),
      result,
      [
        `dimension_numbers = #stablehlo.conv<${numbers}>`,
        `window_strides = array<i64: ${strides}>`,
        `padding = dense<[[${padding.join(", ")}]]> : tensor<1x2xi64>`,
        `lhs_dilation = array<i64: ${inputDilation}>, rhs_dilation = array<i64: ${kernelDilation}>`,
        "window_reversal = array<i1: false>, feature_group_count = 1 : i64, batch_group_count = 1 : i64",
        precisionConfig(precision),
      ].join(", "),
    );
  if (pass === "forward") {
    const result = { shape: [items, frames, outputs], type: cotangent.type };
    return convolve([x, weight], "[b, 0, f]x[o, i, 0]->[b, 0, f]", [0, after], [stride, 1, 1], result);
  }
  if (pass === "input gradient") {
    const turned = emit.op("reverse", [weight], weight, "dimensions = array<i64: 2>");
    const padding = [kernel - 1, stride - 1];
    return convolve([cotangent, turned], "[b, 0, f]x[i, o, 0]->[b, 0, f]", padding, [1, stride, 1], x);
  }
  const result = { shape: [outputs, inputs, kernel], type: "f32" } as const;
  return convolve([x, cotangent], "[f, 0, b]x[i, 0, o]->[f, b, 0]", [0, after], [1, 1, stride], result);
}

type Formulation = typeof products;

/** A formulation of one pass as a program: activations come and go as they are kept between the layers of a step. */
function programOf(formulation: Formulation, layer: Layer, pass: Pass, precision: Precision): Program {
  const writer = new ProgramWriter(formulation.name);
  const { inputs, outputs, kernel, stride, frames } = layer;
  const { x, cotangent } = graphOf(layer);
  const shapes = { x: [items, stride * frames, inputs], cotangent: [items, frames, outputs] };
  const kept = (name: "x" | "cotangent", value: typeof x) =>
    writer.argument(name, shapes[name], storageType(value, shapes[name], precision) ?? "f32");
  const operands: Operands = {
    emit: writer.emit,
    x: kept("x", x),
    weight: writer.argument("weight", [outputs, inputs, kernel], "f32"),
    cotangent: kept("cotangent", cotangent),
    precision,
  };
  writer.result("y", formulation(layer, pass, operands));
  return writer.finish();
}

/** Layers of a student that read several frames, at the padded length of a batch. */
async function layersOf(recipe: string): Promise<Layer[]> {
  const { student } = await loadRecipe(recipe);
  const conv = student.conv.map(([channels, kernel, stride]) => ({ channels, kernel, stride }));
  const samples = symbol("samples");
  const lengths = new Map([["samples", Number(values.seconds) * SAMPLE_RATE_HZ]]);
  const padded = paddedDims(conv, frameDim(conv, samples)).map((frames) => evaluateDim(frames, lengths));
  return conv.slice(1).flatMap(({ channels: outputs, kernel, stride }, i) => {
    const layer = { kernel, stride, inputs: conv[i].channels, outputs, frames: padded[i + 1] };
    return kernel > 1 ? [layer] : [];
  });
}

/** The last frames, which count nowhere: products wrap around to the first rows there, convolutions read padding. */
const unreadFrames = ({ kernel, stride }: Layer): number => Math.ceil(Math.max(kernel - stride, 0) / stride);

/** Noise on the device, as the program's arguments. */
function uploads(client: PjrtClient, { inputs }: Program, layer: Layer): Handle[] {
  const unread = unreadFrames(layer);
  return inputs.map(({ name, shape: own, type }) => {
    const random = new Random(3, name);
    const data = Float32Array.from({ length: sizeOf(own) }, (_, i) => {
      const frame = Math.floor(i / own[2]) % own[1];
      return name === "cotangent" && frame >= own[1] - unread ? 0 : 0.1 * random.normal();
    });
    if (type === "f32") return client.upload(bytesOf(data), own, type);
    const halves = Uint16Array.from(new Uint32Array(data.buffer), (bits) => bits >>> 16);
    return client.upload(new Uint8Array(halves.buffer), own, type);
  });
}

/** Of a processor the time that it worked, which others beside it do not lengthen much; of other devices the clock's. */
const milliseconds = (platform: string): number => {
  if (platform !== "cpu") return performance.now();
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
const median = (list: readonly number[]) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

/** Compiled and ready: every call of `run` gives milliseconds. */
async function ready(client: PjrtClient, program: Program, layer: Layer) {
  const executable = await client.compile(program.text);
  const held = uploads(client, program, layer);
  const run = async (then: (result: Handle) => Promise<void> = async () => {}) => {
    const began = milliseconds(client.platform);
    const { results, finished } = await client.start(executable, [held.slice()], 1);
    await finished;
    const taken = milliseconds(client.platform) - began;
    await then(results[0][0]);
    client.freeBuffer(results[0][0]);
    return taken;
  };
  const [{ shape: own, type }] = program.outputs;
  const result = async () => {
    const bytes = new Uint8Array(sizeOf(own) * (type === "f32" ? 4 : 2));
    await run((buffer) => client.download(buffer, bytes));
    if (type === "f32") return new Float32Array(bytes.buffer);
    return new Float32Array(Uint32Array.from(new Uint16Array(bytes.buffer), (half) => half << 16).buffer);
  };
  const free = () => {
    for (const buffer of held) client.freeBuffer(buffer);
    client.freeProgram(executable);
  };
  return { run, result, free };
}

/** Relative L2 difference, without the frames that count nowhere. */
function differenceOf(a: Float32Array, b: Float32Array, pass: Pass, layer: Layer): number {
  const { outputs, frames } = layer;
  let [above, below] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    if (pass === "forward" && Math.floor(i / outputs) % frames >= frames - unreadFrames(layer)) continue;
    above += (a[i] - b[i]) ** 2;
    below += b[i] ** 2;
  }
  return Math.sqrt(above / below);
}

/** Largest differences that rounding makes. */
const LIMITS: Readonly<Record<Precision, number>> = { float32: 1e-5, tf32: 5e-3, bf16: 2e-2, fp16: 5e-3 };

/** Medians of both formulations, in turn, and their difference. */
async function measure(client: PjrtClient, layer: Layer, pass: Pass, precision: Precision) {
  const programs = [products, convolutions].map((formulation) => programOf(formulation, layer, pass, precision));
  const made = await Promise.all(programs.map((program) => ready(client, program, layer)));
  const [expected, found] = [await made[0].result(), await made[1].result()];
  const difference = differenceOf(found, expected, pass, layer);
  if (!(difference < LIMITS[precision]))
    throw new Error(`${pass} of ${describe(layer)} in ${precision}: results differ by ${difference}`);
  const times: number[][] = [[], []];
  for (let round = 0; round < rounds; round++) for (const [i, { run }] of made.entries()) times[i].push(await run());
  for (const { free } of made) free();
  const [productMs, convolutionMs] = times.map(median);
  return { productMs, convolutionMs, difference };
}

const describe = ({ inputs, outputs, kernel, stride, frames }: Layer) =>
  `${inputs} to ${outputs}, kernel ${kernel}, stride ${stride}, ${items} x ${frames} frames`;

const cell = ({ productMs, convolutionMs }: { readonly productMs: number; readonly convolutionMs: number }) =>
  `${productMs.toPrecision(3)}, ${convolutionMs.toPrecision(3)}: ${(convolutionMs / productMs).toFixed(2)}`;

async function main(): Promise<void> {
  const { device, threads, recipes, precisions, json } = values;
  const runtime = await createRuntime({
    device: device as DeviceChoice,
    threads: threads ? Number(threads) : undefined,
  });
  if (!isXla(runtime)) throw new Error(`${device} is no XLA device`);
  const { client, version } = runtime;
  if (!json) {
    console.log(`${version}, ${items} x ${values.seconds} s; ms of products, of convolutions: ratio\n`);
    console.log(`| layer | precision | ${PASSES.join(" | ")} | all |\n|---|---|---|---|---|---|`);
  }
  const layers = (await Promise.all(recipes.split(",").map(layersOf))).flat();
  for (const layer of new Map(layers.map((layer) => [describe(layer), layer])).values())
    for (const precision of precisions.split(",") as Precision[]) {
      const sum = { productMs: 0, convolutionMs: 0 };
      const cells: string[] = [];
      for (const pass of PASSES) {
        const found = await measure(client, layer, pass, precision);
        if (json) console.log(JSON.stringify({ device: version, items, ...layer, precision, pass, ...found }));
        cells.push(cell(found));
        sum.productMs += found.productMs;
        sum.convolutionMs += found.convolutionMs;
      }
      if (!json) console.log(`| ${[describe(layer), precision, ...cells, cell(sum)].join(" | ")} |`);
    }
}

await main();
process.exit(0);
