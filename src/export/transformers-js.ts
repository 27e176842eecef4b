// A folder that transformers.js loads: a model from input_values to last_hidden_state, as onnx/model.onnx and its smaller variants.
import { copyFile, link, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { licenseOf, modelFrontMatter, modelName, openTarget, transformersJsFields, writePreprocessor } from "../checkpoint/index.ts"; // biome-ignore format: one line
import { UsageError } from "../errors.ts";
import { makeFolder, writeFileAtomic } from "../files.ts";
import type { HostArray, Parameters } from "../graph/array.ts";
import { input, type Value } from "../graph/value.ts";
import { checkModelConfig, type ModelConfig } from "../models/config.ts";
import { encode, extractFeatures } from "../models/forward.ts";
import type { ModelWeights } from "../models/parameters.ts";
import { BATCH, SAMPLES } from "../models/trace.ts";
import { createRuntime, openOnnxFile } from "../runtime/node/index.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { differenceOf } from "../upstream/difference.ts";
import { createModel } from "../upstream/model.ts";
import type { Drift, ExportDtype } from "./export.types.ts";
import { foldConstants } from "./fold.ts";
import { constantLookup, type ExportGraph } from "./graph.ts";
import { checkDrift } from "./limits.ts";
import { formatMetadata, onnxModel } from "./model.ts";
import { shippedSpeech } from "./speech.ts";
import { needsExternalData, placeOnnx } from "./write.ts";

/** Files of each dtype: the names by which transformers.js asks for `dtype: "fp32"`, `"fp16"`, `"q8"` and `"int8"`. */
const VARIANTS: readonly (readonly [ExportDtype, string, ...string[]])[] = [
  ["fp32", "model.onnx"],
  ["fp16", "model_fp16.onnx"],
  ["int8", "model_quantized.onnx", "model_int8.onnx"],
];

const OUTPUT = "last_hidden_state";

export interface TransformersJsOptions {
  /** Folder to write; new or empty, unless `force`. */
  readonly out: string;
  /** Write into a folder that holds files, and keep files that differ too much from their source. */
  readonly force?: boolean;
  readonly threads?: number;
  /** What the files are compared with their source on; default: shipped utterances. */
  readonly speech?: readonly Float32Array[];
}

export interface TransformersJsExport {
  readonly folder: string;
  readonly files: readonly { readonly path: string; readonly bytes: number; readonly drift: Drift }[];
}

/** The model as a graph without lengths: what it is given is whole utterances, as its feature extractor makes them. */
function wholeGraph(config: ModelConfig, parameters: Parameters): ExportGraph {
  const constants = new Map<string, Value>();
  const lookup = constantLookup(parameters, constants);
  const wave = input("input_values", [BATCH, SAMPLES]);
  const { projected } = extractFeatures(config, lookup, wave, { features: "channels-first" });
  const { last } = encode(config, lookup, projected, null);
  return {
    outputs: foldConstants(new Map([[OUTPUT, last]])),
    constantNames: new Map([...constants].map(([name, value]) => [value, name])),
  };
}

/**
 * Writes a model as transformers.js wants it: config.json, preprocessor_config.json, a card, and in `onnx/` the model in
 * float32, float16 and 8 bits, each run and compared with its source before it appears. Students keep their reused maps: the
 * graph has them.
 * @throws StillwaveError beyond the limit of a variant (unless `force`), or for a folder that holds files
 */
export async function exportTransformersJs(
  model: ModelWeights & { readonly info: { readonly path: string } },
  options: TransformersJsOptions,
): Promise<TransformersJsExport> {
  const { out, force = false, threads } = options;
  const { config, parameters } = model;
  checkModelConfig(config);
  await openTarget(out, force);
  const runtime = await createRuntime({ threads });
  const speech = options.speech ?? (await shippedSpeech());
  const expected = await lastStates(model, speech, runtime);
  const graph = wholeGraph(config, parameters);
  await makeFolder(join(out, "onnx"));
  const files: TransformersJsExport["files"][number][] = [];
  for (const [dtype, name, ...others] of VARIANTS) {
    const path = join(out, "onnx", name);
    const format = { dtype, fusedHeads: null };
    const onnx = onnxModel(graph, format, formatMetadata(format, runtime.version));
    if (needsExternalData(onnx))
      throw new UsageError(`${out}: more than 2 GB of weights are not for browsers; export a smaller model`);
    const check = async (written: string) => {
      const drift = await driftOf(written, speech, expected, threads);
      checkDrift([drift], { out: path, dtype, force });
      return drift;
    };
    const { bytes, found: drift } = await placeOnnx(onnx, { out: path }, check);
    for (const one of [name, ...others]) files.push({ path: `onnx/${one}`, bytes, drift });
    for (const other of others) await sameFile(path, join(out, "onnx", other));
  }
  await writePreprocessor(out, config);
  await writeFileAtomic(join(out, "README.md"), await cardOf(model, out));
  await writeFileAtomic(join(out, "config.json"), `${JSON.stringify(transformersJsFields(config), null, 2)}\n`);
  return { folder: out, files };
}

/** The last hidden states of waveforms one by one, taken as they are. */
async function lastStates(
  model: ModelWeights,
  speech: readonly Float32Array[],
  runtime: Runtime,
): Promise<HostArray[]> {
  const source = createModel(model, runtime);
  const states: HostArray[] = [];
  for (const wave of speech)
    states.push((await source.extract(wave, { normalize: false })).hiddenStates[model.config.layers]);
  await source.dispose();
  return states;
}

/** How far a file is from its source: the worst over the waveforms. */
async function driftOf(
  path: string,
  speech: readonly Float32Array[],
  expected: readonly HostArray[],
  threads?: number,
): Promise<Drift> {
  const file = await openOnnxFile(path, { threads });
  const all: Drift[] = [];
  for (const [i, data] of speech.entries()) {
    const { [OUTPUT]: actual } = await file.run({ input_values: { shape: [1, data.length], data } });
    all.push({ output: OUTPUT, ...differenceOf(actual as HostArray, expected[i]) });
  }
  await file.dispose();
  const worst = (key: "maxAbsolute" | "maxRelative" | "relativeL2") => Math.max(...all.map((one) => one[key]));
  return { output: OUTPUT, maxAbsolute: worst("maxAbsolute"), maxRelative: worst("maxRelative"), relativeL2: worst("relativeL2") }; // biome-ignore format: one line
}

/** One content under a second name, which takes no room where the file system can. */
async function sameFile(path: string, other: string): Promise<void> {
  await rm(other, { force: true });
  await link(path, other).catch(() => copyFile(path, other));
}

async function cardOf(
  model: ModelWeights & { readonly info: { readonly path: string } },
  out: string,
): Promise<string> {
  const { config, info } = model;
  const license = await licenseOf(info);
  const matter = modelFrontMatter(config, { license, baseModels: [modelName(info)], tags: ["onnx"], library: "transformers.js" }); // biome-ignore format: one line
  return `${matter}# ${basename(out)}

${modelName(info)} for transformers.js: \`input_values\` [batch, samples] at 16 kHz in, \`last_hidden_state\` [batch, frames, ${config.dim}] out.

\`\`\`js
import { AutoFeatureExtractor, AutoModel } from "@huggingface/transformers";
const extractor = await AutoFeatureExtractor.from_pretrained("organisation/name");
const model = await AutoModel.from_pretrained("organisation/name", { dtype: "fp32" }); // or fp16, q8
const { last_hidden_state } = await model(await extractor(waveform));
\`\`\`

Utterances of one length make a batch: there is no attention mask.
`;
}
