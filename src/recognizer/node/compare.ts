// An exported recogniser beside the run it was made of, on the same speech: logits, and what is decided by them.
import { InternalError } from "../../errors.ts";
import type { Drift } from "../../export/export.types.ts";
import type { HostArray } from "../../graph/array.ts";
import { editDistance } from "../../metrics/align.ts";
import { padWaveforms } from "../../models/waveform.ts";
import type { OnnxFile } from "../../runtime/onnx-file.types.ts";
import { symbolDecoding } from "../../superb/objectives/decoding.ts";
import { differenceOf } from "../../upstream/difference.ts";
import { classificationOf, meanLogits } from "../answers.ts";
import { frameOutput } from "../facts.ts";
import { ctcSpecOf } from "../recognizer.ts";
import type { FrameLogits, LogitsSource, RecognizerFacts } from "../recognizer.types.ts";

/** Decisions that differ, of how many. */
export interface ChangedDecisions {
  /** `symbol`: edits between the greedy readings. `answer`: of classes. */
  readonly what: "symbol" | "answer";
  readonly changed: number;
  readonly of: number;
}

/** Runs the source item by item, and the file on all of them padded together. */
export async function compareRecognizers(
  open: () => Promise<OnnxFile>,
  source: LogitsSource,
  facts: RecognizerFacts,
  speech: readonly Float32Array[],
): Promise<{ drift: Drift[]; changed: ChangedDecisions }> {
  const expected: FrameLogits[] = [];
  for (const wave of speech) expected.push(await source.infer(wave));
  const width = facts.labels.length;
  const { wave, paddedSamples, samples } = padWaveforms(speech);
  const file = await open();
  const results = await file.run({
    waveform: { shape: [samples.length, paddedSamples], data: wave },
    lengths: { shape: [samples.length], data: BigInt64Array.from(samples, BigInt) },
  });
  await file.dispose();
  const frames = [...(results.valid_frames.data as BigInt64Array)].map(Number);
  if (frames.join() !== expected.map((one) => one.frames).join())
    throw new InternalError(
      `export: the file has ${frames} valid frames, the run ${expected.map((one) => one.frames)}`,
    );
  const name = frameOutput(facts);
  const actual = results[name] as HostArray;
  const time = actual.shape[1];
  const padded = new Float32Array(samples.length * time * width);
  for (const [item, { data }] of expected.entries()) padded.set(data, item * time * width);
  const drift = [
    { output: name, ...differenceOf(actual, { shape: [samples.length, time, width], data: padded }, frames) },
  ];
  if (facts.kind === "classes") {
    const data = Float32Array.from(expected.flatMap((one) => [...meanLogits(one, width)]));
    const logits = results.logits as HostArray;
    drift.unshift({ output: "logits", ...differenceOf(logits, { shape: [samples.length, width], data }) });
  }
  const found = frames.map((count, item): FrameLogits => {
    const start = item * time * width;
    return { frames: count, data: actual.data.subarray(start, start + count * width) };
  });
  return { drift, changed: changedDecisions(facts, expected, found) };
}

function changedDecisions(
  facts: RecognizerFacts,
  expected: readonly FrameLogits[],
  found: readonly FrameLogits[],
): ChangedDecisions {
  const spec = ctcSpecOf(facts);
  if (!spec) {
    const answerOf = (one: FrameLogits) => classificationOf(facts, meanLogits(one, facts.labels.length), 1).label;
    const changed = expected.filter((one, item) => answerOf(one) !== answerOf(found[item])).length;
    return { what: "answer", changed, of: expected.length };
  }
  const decoding = symbolDecoding(spec);
  const symbolsOf = ({ data }: FrameLogits) =>
    decoding.decode(data)[0].parts.flatMap(({ symbols }) => symbols.map(String));
  const readings = expected.map(symbolsOf);
  const changed = readings.map((reading, item) => editDistance(reading, symbolsOf(found[item])));
  return {
    what: "symbol",
    changed: changed.reduce((sum, edits) => sum + edits, 0),
    of: readings.reduce((sum, { length }) => sum + length, 0),
  };
}
