// Any model that Stillwave reads as an upstream: folders, checkpoints, Hugging Face ids.
import { createHash } from "node:crypto";
import { loadCheckpoint } from "../checkpoint/index.ts";
import { StillwaveError } from "../errors.ts";
import { sizeOf } from "../graph/array.ts";
import { receptiveField, samplesPerFrame } from "../models/config.ts";
import type { ModelWeights } from "../models/parameters.ts";
import { createRuntime } from "../runtime/node/index.ts";
import { hasGrown, memoryProblem, mixesUtterances, shapesFor } from "./batches.ts";
import { fingerprintOf } from "./fingerprint.ts";
import { createModel } from "./model.ts";
import { hasHeads, resolveStates, stateLabel, stateOf, statesFor } from "./states.ts";
import { BATCH_SECONDS, type Upstream, type UpstreamOptions, upstreamOf } from "./upstream.ts";
import { ModelWindows } from "./windows/layers.ts";
import { usualWindowSeconds } from "./windows/plan.ts";

/** Raised when the numbers that the same weights and options give change. */
const ALGORITHM_VERSION = 1;

/** Loads a model and makes it an upstream whose states of an utterance do not depend on its batch. */
export async function modelUpstream(spec: string, options: UpstreamOptions): Promise<Upstream> {
  const { part, reuse, teacherHeads } = options;
  const model = await loadCheckpoint(spec, { part, reuse, teacherHeads });
  for (const note of model.info.notes) options.onNote?.(`${spec}: ${note}`);
  return loadedUpstream(spec, model, options);
}

/** `modelUpstream` of a model that is loaded already. */
export async function loadedUpstream(
  name: string,
  weights: ModelWeights,
  options: UpstreamOptions = {},
): Promise<Upstream> {
  const { config, parameters } = weights;
  const { device = "cpu", threads } = options;
  const choice = resolveStates(options.states ?? "auto", hasHeads(config), name);
  const states = statesFor(config, choice);
  const runtime = await createRuntime({ device, optimize: "all", threads });
  const model = createModel(weights, runtime, runtime.compilesShapes ? undefined : hasGrown);
  const inWindows = new ModelWindows(weights, runtime);
  const { stages } = inWindows;
  const facts = {
    name,
    kind: "model" as const,
    fingerprint: modelFingerprint(weights, choice),
    layers: states.map(stateLabel),
    dim: choice === "heads" && config.headDim !== null ? config.headDim : config.dim,
    samplesPerFrame: samplesPerFrame(config.conv),
    parameters: [...parameters.values()].reduce((total, { shape }) => total + sizeOf(shape), 0),
    minSamples: receptiveField(config.conv),
    batchSeconds: mixesUtterances(config) ? 0 : BATCH_SECONDS,
    windowSeconds: usualWindowSeconds(config),
    inParallel: runtime.inParallel,
  };
  const shapes = shapesFor(config, runtime);
  const run = async (waves: readonly Float32Array[]) => {
    const longest = waves.reduce((most, { length }) => Math.max(most, length), 0);
    const problem = memoryProblem(config, longest, {
      items: waves.length,
      remedy: "cut it first (extract and transcribe read long recordings in windows)",
    });
    if (problem) throw new StillwaveError(problem);
    const extraction = await model.extract(waves, { isolate: true, shapes });
    return { arrays: states.map((state) => stateOf(config, extraction, state)), frames: extraction.validFrames };
  };
  return upstreamOf(facts, run, {
    expect: (batches) => shapes?.expect(batches),
    windows: (recording, settings, multiple) => inWindows.states(recording, states, settings, multiple),
    stages: {
      config,
      features: (wave, statistics) => stages.features(wave, statistics),
      positions: (features) => stages.positions(features),
      states: (frames) => stages.layers(frames, states),
    },
    async dispose() {
      await model.dispose();
      await inWindows.dispose();
    },
  });
}

/** The fingerprints of a model by each choice of its states: what evaluations of it know it by. */
export const modelFingerprints = (weights: ModelWeights): ReadonlySet<string> =>
  new Set(["heads", "all", "layers"].map((states) => modelFingerprint(weights, states)));

function modelFingerprint(weights: ModelWeights, states: string): string {
  const { reuse, layerShapes } = weights.config;
  const model = fingerprintOf(weights);
  const settings = { kind: "model", version: ALGORITHM_VERSION, model, states, reuse, layerShapes, isolate: true };
  return createHash("sha256").update(JSON.stringify(settings)).digest("hex");
}
