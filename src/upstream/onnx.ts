// An exported ONNX file as an upstream: what `stillwave export` writes, or any file with the same inputs and outputs.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { SAMPLE_RATE_HZ } from "../audio/index.ts";
import { StillwaveError, UsageError } from "../errors.ts";
import type { HostArray } from "../graph/array.ts";
import { padWaveforms } from "../models/waveform.ts";
import type { OnnxHeader } from "../onnx/header.ts";
import { Random } from "../random.ts";
import { type Feeds, type OnnxFile, openOnnxFile } from "../runtime/node/index.ts";
import type { BatchStates } from "./frames.ts";
import { readOnnxHeader } from "./onnx-header.ts";
import { outputName, resolveStates, type StateChoice, stateLabel, statesOfOutputs } from "./states.ts";
import { BATCH_SECONDS, type Upstream, type UpstreamOptions, upstreamOf } from "./upstream.ts";
import { SHORT_WINDOW_SECONDS } from "./windows/plan.ts";

/** Raised when the numbers that the same file and options give change. */
const ALGORITHM_VERSION = 1;

/** An output of the file, and what its states are called. */
interface Output {
  readonly name: string;
  readonly layer: string;
}

/**
 * Opens an exported file. Its waveforms go through it one at a time, unless it was exported so that items of a batch do
 * not see each other.
 */
export async function onnxUpstream(path: string, options: UpstreamOptions = {}): Promise<Upstream> {
  if (options.device && options.device !== "cpu") options.onNote?.(`${path}: exported files run on the CPU here`);
  const header = readOnnxHeader(path);
  const file = await openOnnxFile(path, { threads: options.threads });
  try {
    if (!header || !namesOf(file.inputs).includes("waveform"))
      throw new StillwaveError(
        `${path}: its inputs are ${namesOf(file.inputs).join(", ")}; expected waveform and lengths, as stillwave export writes them`,
      );
    const outputs = chooseOutputs(path, namesOf(file.outputs), options.states ?? "auto");
    const run: Run = (waves) => runFile(path, file, waves, outputs);
    const facts = {
      name: path,
      kind: "onnx" as const,
      fingerprint: await fingerprint(path, header, outputs),
      layers: outputs.map(({ layer }) => layer),
      parameters: null,
      batchSeconds: keepsItemsApart(header) ? BATCH_SECONDS : 0,
      windowSeconds: SHORT_WINDOW_SECONDS,
      ...(await measure(path, run, header, outputs)),
    };
    return upstreamOf(facts, run, { dispose: () => file.dispose() });
  } catch (error) {
    await file.dispose();
    throw error;
  }
}

const namesOf = (ports: OnnxFile["inputs"]) => ports.map(({ name }) => name);

/** int8 rounds activations over the whole batch, and official reuse reads maps across it: there even isolation does not help. */
const keepsItemsApart = ({ metadata }: OnnxHeader) =>
  metadata.get("stillwave.isolate") === "true" &&
  metadata.get("stillwave.dtype") !== "int8" &&
  metadata.get("stillwave.reuse") !== "official";

/**
 * The outputs that `choice` means. A file has no layer outputs before the final norm of pre-LN models: `layers` are its
 * hidden states from 1. Under `auto`, a file of one output (`features`, `last_hidden_state`) gives that.
 */
function chooseOutputs(path: string, names: readonly string[], choice: StateChoice): Output[] {
  const heads = statesOfOutputs(names, "heads");
  const resolved = resolveStates(choice, heads.length > 0, path);
  const hidden = statesOfOutputs(names, "hidden-states").filter(({ number }) => number > 0 || resolved === "all");
  const chosen = resolved === "heads" ? heads : resolved === "last" ? hidden.slice(-1) : hidden;
  if (chosen.length > 0) return chosen.map((state) => ({ name: outputName(state), layer: stateLabel(state) }));
  const single = ["features", "last_hidden_state"].filter((name) => names.includes(name));
  if (choice === "auto" && single.length > 0) return [{ name: single[0], layer: single[0].replaceAll("_", " ") }];
  throw new UsageError(
    `${path}: no output for states "${choice}"; it has ${names.join(", ")}${single.length > 0 ? "; valid: auto" : ""}`,
  );
}

type Run = (waves: readonly Float32Array[]) => Promise<BatchStates>;

function noise(samples: number): Float32Array {
  const random = new Random(0, "noise");
  return Float32Array.from({ length: samples }, () => 0.1 * random.normal());
}

/** Width, frame shift and shortest waveform: from the metadata, and by running the file on noise where that says nothing. */
async function measure(
  path: string,
  run: Run,
  { metadata }: OnnxHeader,
  outputs: readonly Output[],
): Promise<Pick<Upstream, "dim" | "samplesPerFrame" | "minSamples">> {
  const one = await run([noise(SAMPLE_RATE_HZ)]);
  const two = await run([noise(2 * SAMPLE_RATE_HZ)]);
  const dim = one.arrays[0].shape[2];
  const other = one.arrays.findIndex(({ shape }) => shape[2] !== dim);
  if (other >= 0)
    throw new StillwaveError(
      `${path}: ${outputs[0].name} has ${dim} values a frame, ${outputs[other].name} has ${one.arrays[other].shape[2]}; export states of one width`,
    );
  const stated = (name: string) => {
    const value = Number(metadata.get(`stillwave.${name}`));
    return Number.isInteger(value) && value > 0 ? value : undefined;
  };
  const samplesPerFrame = stated("frame_shift_samples") ?? SAMPLE_RATE_HZ / (two.frames[0] - one.frames[0]);
  if (!Number.isInteger(samplesPerFrame))
    throw new StillwaveError(
      `${path}: 1 s of audio gives ${one.frames[0]} frames, 2 s give ${two.frames[0]}: the frame shift cannot be told; add stillwave.frame_shift_samples to its metadata`,
    );
  const minSamples = stated("receptive_field_samples") ?? (await shortest(run));
  return { dim, samplesPerFrame, minSamples };
}

/** The shortest waveform that the file gives a frame for, by halving. */
async function shortest(run: Run): Promise<number> {
  const runs = (samples: number) =>
    run([noise(samples)]).then(
      ({ frames }) => frames[0] > 0,
      () => false,
    );
  let [low, high] = [0, SAMPLE_RATE_HZ];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (await runs(middle)) high = middle;
    else low = middle;
  }
  return high;
}

/** The wanted outputs, [items, time, dim] each, and the valid frames of every item. */
async function runFile(
  path: string,
  file: OnnxFile,
  waves: readonly Float32Array[],
  outputs: readonly Output[],
): Promise<BatchStates> {
  const { wave, paddedSamples, samples } = padWaveforms(waves);
  const waveform = { shape: [waves.length, paddedSamples], data: wave };
  const lengths = { shape: [waves.length], data: BigInt64Array.from(samples, BigInt) };
  const feeds: Feeds = namesOf(file.inputs).includes("lengths") ? { waveform, lengths } : { waveform };
  const results = await file.run(feeds).catch((error: Error) => {
    throw new StillwaveError(`${error.message} (on ${paddedSamples} samples)`);
  });
  const arrays = outputs.map(({ name }): HostArray => {
    const { shape, data } = results[name];
    if (!(data instanceof Float32Array) || shape.length !== 3 || shape[0] !== waves.length)
      throw new StillwaveError(`${path}: output ${name} is [${shape}]; expected float32 [batch, frames, dim]`);
    return { shape, data };
  });
  const valid = results.valid_frames?.data;
  return { arrays, frames: waves.map((_, item) => (valid ? Number(valid[item]) : arrays[0].shape[1])) };
}

/** SHA-256 over the file, the files its weights lie in, and which outputs are read. */
async function fingerprint(path: string, { external }: OnnxHeader, outputs: readonly Output[]): Promise<string> {
  const files = [path, ...external.map((name) => join(dirname(path), name))];
  const hashes: string[] = [];
  for (const file of files) {
    const hash = createHash("sha256");
    await pipeline(createReadStream(file), hash).catch((error: NodeJS.ErrnoException) => {
      throw new StillwaveError(`${file}: cannot be read (${error.code})`);
    });
    hashes.push(hash.digest("hex"));
  }
  const settings = { kind: "onnx", version: ALGORITHM_VERSION, hashes, outputs: outputs.map(({ name }) => name) };
  return createHash("sha256").update(JSON.stringify(settings)).digest("hex");
}
