// Replays a published output: one utterance, and what the original tool wrote for one layer of a real model.
import { readdir, readFile, stat } from "node:fs/promises";
import { extname, join } from "node:path";
import { AUDIO_EXTENSIONS, loadAudio } from "../audio/index.ts";
import { type LoadedModel, loadCheckpoint, loadModel, ModelUnavailableError } from "../checkpoint/index.ts";
import { exists } from "../checkpoint/read/folder.ts";
import { StillwaveError } from "../errors.ts";
import { readNpy } from "../extract/npy.ts";
import type { HostArray } from "../graph/array.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { createModel } from "../upstream/model.ts";
import { compareKind, type Difference } from "./compare.ts";

/**
 * Relative L2 of one layer's output. The recorded numbers come from another framework in float32 or float16 on hardware
 * that is not known: float32 differs from ours by about 1e-5 after nine layers, half precision (or TF32 matrix products) by
 * 1e-3 to 3e-3. A neighbouring layer, a forgotten norm or other weights differ by more than 1e-1.
 */
const TOLERANCE = 5e-3;
/** Share of frames that may fall to another cluster: frames that lie between two centroids do so at any rounding. */
const UNIT_TOLERANCE = 0.02;

/** The published weights of the recording, and the name under which fairseq distributes them. */
const DEFAULT_MODEL = "facebook/hubert-base-ls960";
const DEFAULT_FILE = "hubert_base_ls960.pt";

/** The files of a golden folder: one utterance, `<name>.L<layer>.npy` and perhaps `<name>.L<layer>.km<k>.km`. */
interface GoldenCase {
  readonly folder: string;
  readonly audio: string;
  readonly features: string;
  /** Counted from 1: the output of the layer-th encoder layer. */
  readonly layer: number;
  readonly units: { readonly file: string; readonly clusters: number; readonly centroids: string } | null;
}

export interface GoldenResult {
  readonly differences: readonly Difference[];
  readonly notes?: readonly string[];
  /** Why there are no differences. */
  readonly skipped?: string;
}

/** The golden case in `folder`, or undefined if there is none. Two candidates for a file are an error. */
export async function findGolden(folder: string): Promise<GoldenCase | undefined> {
  const names = await readdir(folder).catch(() => []);
  const features = names.filter((name) => /\.L\d+\.npy$/.test(name));
  if (features.length === 0) return undefined;
  const audio = names.filter((name) => AUDIO_EXTENSIONS.includes(extname(name).toLowerCase()));
  if (features.length !== 1 || audio.length !== 1)
    throw new StillwaveError(
      `${folder}: a golden case has one audio file and one *.L<layer>.npy, found ${audio.length} and ${features.length}`,
    );
  const stem = features[0].slice(0, -".npy".length);
  const layer = Number(/\.L(\d+)$/.exec(stem)![1]);
  const units = names.find((name) => name.startsWith(`${stem}.km`) && name.endsWith(".km"));
  const clusters = Number(/\.km(\d+)\.km$/.exec(units ?? "")?.[1]);
  return {
    folder,
    audio: join(folder, audio[0]),
    features: join(folder, features[0]),
    layer,
    units: units
      ? { file: join(folder, units), clusters, centroids: join(folder, units.replace(/\.km$/, ".centroids.npy")) }
      : null,
  };
}

/**
 * Runs the utterance through `model` (path or Hugging Face id; the published HuBERT Base unless given) and compares the
 * layer's output, and the k-means units where the centroids lie beside them. Skipped, with the reason, where the weights
 * are neither here nor to be had.
 */
export async function verifyGolden(golden: GoldenCase, runtime: Runtime, model?: string): Promise<GoldenResult> {
  const loaded = await loadGoldenModel(golden.folder, model);
  if ("skipped" in loaded) return { ...loaded, differences: [] };
  const { config } = loaded;
  if (golden.layer < 1 || golden.layer > config.layers)
    throw new StillwaveError(
      `${golden.features}: output of layer ${golden.layer}, but ${loaded.info.path} has ${config.layers} layers; give the model of the recording with --model`,
    );
  const [wave, recorded] = [await loadAudio(golden.audio), await readNpy(golden.features)];
  const running = createModel(loaded, runtime);
  const { layers } = await running.extract(wave);
  await running.dispose();
  const state = layers[golden.layer - 1];
  const computed: HostArray = { shape: state.shape.slice(1), data: state.data };
  const notes = [`model: ${loaded.info.path} (${loaded.info.format})`];
  const kind = `layer ${golden.layer}`;
  const differences = compareKind(kind, [{ name: kind, computed, recorded }], "l2", TOLERANCE);
  const units = golden.units && (await compareUnits(golden.units, computed));
  if (typeof units === "string") notes.push(units);
  else if (units) differences.push(units);
  return { differences, notes };
}

async function loadGoldenModel(folder: string, model: string | undefined): Promise<LoadedModel | { skipped: string }> {
  const beside = join(folder, DEFAULT_FILE);
  if (model === undefined && (await exists(beside))) return loadModel(beside);
  // The name of a file that is not there must not pass for a model that cannot be reached.
  if (model !== undefined && /\.(pt|ckpt|bin|safetensors)$/i.test(model)) return loadModel(model);
  const source = model ?? DEFAULT_MODEL;
  try {
    return await loadCheckpoint(source);
  } catch (error) {
    // A model that was asked for and does not exist is a mistake; one that cannot be had from here is not.
    const unknown = model !== undefined && error instanceof ModelUnavailableError && error.status !== undefined;
    if (!(error instanceof ModelUnavailableError) || unknown) throw error;
    return {
      skipped:
        `weights of ${source} are not here (${error.message.replace(`${source}: `, "").replace(/; give a local path.*/, "")}). ` +
        `Get them where there is a network, with \`huggingface-cli download ${source}\` or as ${DEFAULT_FILE} from fairseq's page on HuBERT, ` +
        "and give their path with --model",
    };
  }
}

/** The nearest centroid of every frame against the recorded units, as a share of the frames that differ. */
async function compareUnits(
  { file, clusters, centroids }: NonNullable<GoldenCase["units"]>,
  states: HostArray,
): Promise<Difference | string> {
  const recorded = await readUnits(file, states.shape[0], clusters);
  if (!(await exists(centroids)))
    return `units not compared: that needs the ${clusters} centroids as ${centroids} [${clusters}, dim]`;
  const { shape, data } = await readNpy(centroids);
  const dim = states.shape[1];
  if (shape.length !== 2 || shape[0] !== clusters || shape[1] !== dim)
    throw new StillwaveError(`${centroids}: shape [${shape}], expected [${clusters}, ${dim}]`);
  let different = 0;
  for (const [frame, unit] of recorded.entries())
    if (nearest(states.data.subarray(frame * dim, (frame + 1) * dim), data, clusters) !== unit) different++;
  const share = different / recorded.length;
  const worst = `${different} of ${recorded.length} frames`;
  const passed = share <= UNIT_TOLERANCE;
  return {
    kind: "units",
    tensors: 1,
    maxAbsolute: different,
    maxRelative: share,
    measure: "share",
    worst,
    tolerance: UNIT_TOLERANCE,
    passed,
    failed: passed ? [] : [{ name: worst, maxAbsolute: different, relative: share }],
  };
}

async function readUnits(file: string, frames: number, clusters: number): Promise<number[]> {
  if ((await stat(file)).size > 2 ** 24) throw new StillwaveError(`${file}: too large for the units of one utterance`);
  const units = (await readFile(file, "utf8")).trim().split(/\s+/).map(Number);
  const wrong = units.find((unit) => !(Number.isInteger(unit) && unit >= 0 && unit < clusters));
  if (wrong !== undefined || units.length !== frames)
    throw new StillwaveError(`${file}: expected ${frames} units below ${clusters}, found ${units.length}`);
  return units;
}

function nearest(frame: Float32Array, centroids: Float32Array, clusters: number): number {
  let [best, least] = [0, Number.POSITIVE_INFINITY];
  for (let k = 0; k < clusters; k++) {
    let distance = 0;
    for (let i = 0; i < frame.length; i++) distance += (frame[i] - centroids[k * frame.length + i]) ** 2;
    if (distance < least) [best, least] = [k, distance];
  }
  return best;
}
