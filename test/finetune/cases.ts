// Tiny upstreams with heads, a batch with labels and everything random about a training pass: cases for gradients.

import { type JointModel, joined, type Part } from "../../src/finetune/model/parameters.ts";
import { JointStep } from "../../src/finetune/model/step.ts";
import { drawMasks, type FeatureMasks } from "../../src/finetune/specaugment.ts";
import type { Parameters } from "../../src/graph/array.ts";
import { frameCount, type ModelConfig } from "../../src/models/config.ts";
import { initParameters } from "../../src/models/init.ts";
import { type PaddedWaveforms, padWaveforms } from "../../src/models/waveform.ts";
import { Random } from "../../src/random.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import type { HeadConfig } from "../../src/superb/heads/config.ts";
import { initHead } from "../../src/superb/heads/parameters.ts";
import type { ObjectiveSpec } from "../../src/superb/objectives/spec.ts";
import { type State, statesFor } from "../../src/upstream/states.ts";

export const tinyConfig: ModelConfig = {
  family: "student",
  conv: [
    { channels: 4, kernel: 10, stride: 5 },
    { channels: 6, kernel: 3, stride: 2 },
    { channels: 6, kernel: 2, stride: 2 },
  ],
  convNorm: "group",
  convBias: false,
  featureProjection: true,
  dim: 8,
  layers: 2,
  heads: 2,
  ffnDim: 10,
  posConv: { kernel: 4, groups: 2 },
  normFirst: false,
  normalizeWaveform: false,
  layerNormEps: 1e-5,
  relativePosition: null,
  attentionFrom: [0, 0],
  reuse: "exact",
  frameRule: "conv",
  headDim: 5,
  headLayers: [0, 1],
};

export interface JointCase {
  readonly name: string;
  readonly model: JointModel;
  readonly states: readonly State[];
  readonly parameters: Parameters;
  readonly objective: ObjectiveSpec;
  readonly batch: PaddedWaveforms;
  readonly labels: readonly (readonly number[])[];
  readonly masks: FeatureMasks;
  readonly learning: ReadonlySet<Part>;
  readonly dropoutSeed: number;
}

export const RATES = { residual: 0.1, attention: 0.1, activation: 0.1, input: 0.1, layer: 0.3 };

const phones: ObjectiveSpec = {
  kind: "ctc",
  text: "phones",
  symbols: ["<pad>", "<eos>", "A", "B", "C"],
  special: ["<pad>", "<eos>"],
};
const classes: ObjectiveSpec = { kind: "classes", slots: [{ name: "label", values: ["no", "yes", "maybe"] }] };
const own = { projection: 7, normalizeStates: false };

interface Sketch {
  readonly name: string;
  readonly config?: Partial<ModelConfig>;
  readonly states: "last" | "all" | "heads";
  readonly head: HeadConfig;
  readonly objective: ObjectiveSpec;
  readonly labels: readonly (readonly number[])[];
  readonly learning: readonly Part[];
}

function caseOf({ name, config: other, states: choice, head, objective, labels, learning }: Sketch): JointCase {
  const config = { ...tinyConfig, ...other };
  const states = statesFor(config, choice);
  const input = { layers: states.length, dim: choice === "heads" ? 5 : 8 };
  const model = { config, head, input };
  const random = new Random(3, name);
  const upstream = { config, parameters: initParameters(config, { seed: 1 }) };
  // nothing at its initial zero or one, where a gradient may hide
  for (const { data } of upstream.parameters.values())
    for (let i = 0; i < data.length; i++) data[i] += 0.1 * random.normal();
  const batch = padWaveforms([300, 250].map((n) => Float32Array.from({ length: n }, () => random.normal())));
  const valid = batch.samples.map((count) => frameCount(config.conv, count));
  const frames = frameCount(config.conv, batch.paddedSamples);
  const settings = { timeProbability: 0.1, timeLength: 3, timeSpans: 1, featureProbability: 0.2, featureLength: 2 };
  return {
    name,
    model,
    states,
    parameters: joined(upstream, initHead(head, input, 2)),
    objective,
    batch,
    labels,
    masks: drawMasks(settings, { frames, valid, dim: config.dim }, random),
    learning: new Set(learning),
    dropoutSeed: 5,
  };
}

const ctcLabels = [
  [2, 3, 3, 4, 1],
  [4, 2, 1],
];

export const jointCases: readonly JointCase[] = [
  caseOf({
    name: "phones from the last layer, everything learns",
    states: "last",
    head: { kind: "frames", outputs: 5, ...own },
    objective: phones,
    labels: ctcLabels,
    learning: ["frontEnd", "upstream", "head"],
  }),
  caseOf({
    name: "classes from a weighted sum, the front end frozen",
    config: { convNorm: "layer", convBias: true, normFirst: true },
    states: "all",
    head: { kind: "utterance", outputs: 3, ...own, normalizeStates: true },
    objective: classes,
    labels: [[2], [0]],
    learning: ["upstream", "head"],
  }),
  caseOf({
    name: "a recurrent head alone, on heads of a student",
    states: "heads",
    head: { kind: "bilstm", outputs: 5, ...own, hidden: 3, lstmLayers: 1, dropout: 0.1, stack: 1 },
    objective: phones,
    labels: ctcLabels,
    learning: ["head"],
  }),
];

export const stepOf = ({ model, states, parameters }: JointCase, runtime: Runtime, rates = RATES) =>
  new JointStep({ model, states, parameters, rates, masksTime: true, runtime });
