// An exported file in stages: its graph cut into three, each a session of its own, so that chunks need not begin at the waveform.
import { StillwaveError } from "../errors.ts";
import { type HostArray, sizeOf } from "../graph/array.ts";
import { receptiveField, samplesPerFrame } from "../models/config.ts";
import { type Cut, cutOnnx } from "../onnx/cut.ts";
import { STAGE_POINTS } from "../onnx/stages.ts";
import type { OnnxFile } from "../runtime/onnx-file.types.ts";
import type { Feed } from "../runtime/runtime.ts";
import type { StreamStages } from "../streaming/stream.types.ts";
import { frameOutput } from "./facts.ts";
import type { RecognizerFacts } from "./recognizer.types.ts";

/** Where the bytes of a file are, and how a part of it is opened. */
export interface FileParts {
  /** Of the file, in errors. */
  readonly where: string;
  readonly bytes: () => Promise<Uint8Array>;
  readonly open: (bytes: Uint8Array) => Promise<OnnxFile>;
}

/** The stages; nothing is read or opened before the first of them runs. `dispose` closes what was opened. */
export interface OpenedStages {
  readonly stages: StreamStages;
  dispose(): Promise<void>;
}

/** @throws StillwaveError for a file that says nothing of its stages */
export function fileStages(facts: RecognizerFacts, { where, bytes, open }: FileParts): OpenedStages {
  const { streaming } = facts;
  if (!streaming) throw new StillwaveError(`${where}: it cannot be streamed; export its run again`);
  const { stack, ...config } = streaming;
  const { wave, centre, covariance, features, frames } = STAGE_POINTS;
  const isGroup = config.convNorm === "group";
  const logits = { name: frameOutput(facts), rank: 3 };
  const opened: Promise<OnnxFile>[] = [];
  let content: Promise<Uint8Array> | undefined;
  const part = (cut: Cut) => {
    let file: Promise<OnnxFile> | undefined;
    return (count: number, fed: Readonly<Record<string, HostArray>>) => {
      content ??= bytes();
      if (!file) {
        file = content.then((whole) => open(cutOnnx(whole, cut, where)));
        opened.push(file);
      }
      return runPart(file, count, fed, cut.to[0].name);
    };
  };
  const parts = {
    features: part({ from: isGroup ? [wave, centre, covariance] : [wave], to: [features] }),
    positions: part({ from: [features], to: [frames] }),
    logits: part({ from: [frames], to: [logits] }),
  };
  const samplesOf = ({ shape: [, count] }: HostArray) =>
    (count - 1) * samplesPerFrame(config.conv) + receptiveField(config.conv);
  const stages: StreamStages = {
    config,
    stack,
    features(samples, { mean = 0, scale = 1, centre: middle, covariance: spread } = NO_STATISTICS) {
      const data = config.normalizeWaveform ? samples.map((x) => (x - mean) * scale) : samples;
      const moments = middle &&
        spread && {
          [centre.name]: { shape: [1, 1, middle.length], data: middle },
          [covariance.name]: { shape: [1, middle.length, middle.length], data: spread },
        };
      return parts.features(samples.length, { [wave.name]: { shape: [1, data.length], data }, ...moments });
    },
    positions: (array) => parts.positions(samplesOf(array), { [features.name]: array }),
    async logits(array) {
      const { shape, data } = await parts.logits(samplesOf(array), { [frames.name]: array });
      return { frames: shape[1], data };
    },
  };
  return {
    stages,
    async dispose() {
      const files = await Promise.allSettled(opened);
      for (const file of files) if (file.status === "fulfilled") await file.value.dispose();
    },
  };
}

const NO_STATISTICS = { mean: 0, scale: 1, centre: null, covariance: null };

/** Runs a part. Where it asks for the waveform, that is for its length alone. */
async function runPart(
  opening: Promise<OnnxFile>,
  samples: number,
  fed: Readonly<Record<string, HostArray>>,
  output: string,
): Promise<HostArray> {
  const file = await opening;
  const around: Record<string, Feed> = {
    waveform: { shape: [1, samples], data: new Float32Array(samples) },
    lengths: { shape: [1], data: BigInt64Array.of(BigInt(samples)) },
  };
  const asked = file.inputs.filter(({ name }) => name in around).map(({ name }) => [name, around[name]]);
  const { shape, data } = (await file.run({ ...Object.fromEntries(asked), ...fed }, [output]))[output];
  return { shape, data: (data as Float32Array).subarray(0, sizeOf(shape)) };
}
