// Any model that Stillwave reads as an upstream: folders, checkpoints, Hugging Face ids.
import { createHash } from "node:crypto";
import { totalmem } from "node:os";
import { SAMPLE_RATE_HZ } from "../audio/index.ts";
import { type LoadedModel, loadUpstream } from "../checkpoint/index.ts";
import { StillwaveError } from "../errors.ts";
import { fingerprintOf } from "../extract/index.ts";
import { type Parameters, sizeOf } from "../graph/array.ts";
import { frameCount, type ModelConfig, receptiveField, samplesPerFrame } from "../models/config.ts";
import { createRuntime } from "../runtime/node/index.ts";
import type { FeatureUpstream, UtteranceStates } from "../superb/features/features.types.ts";
import { framesOfSamples, joinStates } from "../superb/features/frames.ts";
import { createUpstream } from "./inference.ts";
import { checkLengths } from "./lengths.ts";
import { chosenStates, describeStates, hasHeads, resolveStates } from "./states.ts";
import type { UpstreamOptions } from "./upstream.types.ts";

/** Raised when the numbers that the same weights and options give change. */
const ALGORITHM_VERSION = 1;
const BATCH_SECONDS = 60;
/** Attention maps of one layer, with room for a second copy, may take this share of the machine's memory. */
const MEMORY_SHARE = 0.5;

/** Loads a model and makes it an upstream whose states of an utterance do not depend on its batch. */
export async function modelUpstream(spec: string, options: UpstreamOptions): Promise<FeatureUpstream> {
  const { part, reuse, teacherHeads } = options;
  const model = await loadUpstream(spec, {
    ...(part && { part }),
    ...(reuse && { reuse }),
    ...(teacherHeads && { teacherHeads }),
  });
  for (const note of model.info.notes) options.onNote?.(`${spec}: ${note}`);
  return loadedUpstream(spec, model, options);
}

/** `modelUpstream` of a model that is loaded already. */
export async function loadedUpstream(
  name: string,
  { config, parameters }: Pick<LoadedModel, "config" | "parameters">,
  options: UpstreamOptions = {},
): Promise<FeatureUpstream> {
  const states = resolveStates(options.states ?? "auto", hasHeads(config), name);
  const { layers, dim } = describeStates(config, states);
  const { device = "cpu", threads } = options;
  const runtime = await createRuntime({ device, arena: false, optimize: "all", ...(threads && { threads }) });
  const upstream = createUpstream({ config, parameters }, runtime);
  const perFrame = samplesPerFrame(config.conv);
  const minSamples = receptiveField(config.conv);
  return {
    name,
    kind: "model",
    fingerprint: modelFingerprint(config, parameters, states),
    layers,
    dim,
    samplesPerFrame: perFrame,
    parameters: [...parameters.values()].reduce((total, { shape }) => total + sizeOf(shape), 0),
    minSamples,
    batchSeconds: mixesUtterances(config) ? 0 : BATCH_SECONDS,
    async extract(waves): Promise<UtteranceStates[]> {
      checkLengths(waves, minSamples, name);
      checkMemory(waves, config);
      if (waves.length === 0) return [];
      const out = await upstream.extract(waves, { isolate: true });
      const arrays = chosenStates(out, states);
      return waves.map(({ length }, item) => {
        const parts = arrays.map((array) => {
          const [, time, width] = array.shape as [number, number, number];
          return { array, start: item * time * width, frames: out.validFrames[item] };
        });
        return joinStates(parts, { frames: framesOfSamples(length, perFrame), dim, layers });
      });
    },
    dispose: () => upstream.dispose(),
  };
}

/** Under official semantics utterances of a batch see each other's maps (arXiv:2305.11685, released code). */
const mixesUtterances = ({ reuse, attentionFrom }: ModelConfig) =>
  reuse === "official" && attentionFrom.some((source, layer) => source !== layer);

function modelFingerprint(config: ModelConfig, parameters: Parameters, states: string): string {
  const { reuse, layerShapes } = config;
  const model = fingerprintOf(config, parameters);
  const settings = { kind: "model", version: ALGORITHM_VERSION, model, states, reuse, layerShapes, isolate: true };
  return createHash("sha256").update(JSON.stringify(settings)).digest("hex");
}

/** Attention needs memory with the square of the length. */
function checkMemory(waves: readonly Float32Array[], config: ModelConfig): void {
  const longest = waves.reduce((most, { length }) => Math.max(most, length), 0);
  const frames = frameCount(config.conv, longest);
  const bytes = 2 * 4 * waves.length * config.heads * frames * frames;
  if (bytes <= MEMORY_SHARE * totalmem()) return;
  const gib = (count: number) => `${(count / 2 ** 30).toFixed(0)} GiB`;
  throw new StillwaveError(
    `${(longest / SAMPLE_RATE_HZ).toFixed(0)} s: its attention maps need ${gib(bytes)}, this machine has ${gib(totalmem())}; cut it first`,
  );
}
