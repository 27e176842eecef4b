// Answers from logits: times, confidences by their definition, classes of several slots; and long recordings in windows.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { alignSymbols } from "../../src/recognizer/alignment.ts";
import { classificationOf } from "../../src/recognizer/answers.ts";
import { fileSource } from "../../src/recognizer/file-source.ts";
import { createRecognizer } from "../../src/recognizer/recognizer.ts";
import type { LogitsSource, RecognizerFacts } from "../../src/recognizer/recognizer.types.ts";
import type { OnnxFile } from "../../src/runtime/onnx-file.types.ts";

const phones: RecognizerFacts = {
  ...{ kind: "ctc", task: "pr", text: "phones", labels: ["<pad>", "A", "B"], special: [0], blank: 0, slots: [] },
  ...{
    sampleRate: 16_000,
    samplesPerFrame: 320,
    minSamples: 400,
    dtype: "fp32",
    upstream: "made",
    figures: [],
    streaming: null,
  },
};
const letters: RecognizerFacts = { ...phones, task: "asr", text: "characters", labels: ["<s>", "|", "C", "A", "T"] };
const commands: RecognizerFacts = {
  ...{
    ...phones,
    kind: "classes",
    task: "ic",
    text: null,
    labels: ["on", "off", "lamp", "heat"],
    special: [],
    blank: null,
  },
  slots: [{ name: "action", size: 2 }, { name: "object", size: 2 }], // biome-ignore format: one line
};

/** A source that gives these probabilities, a row a frame. */
const sourceOf = (rows: readonly (readonly number[])[]): LogitsSource => ({
  device: "made",
  windowSeconds: 30,
  infer: async () => ({ frames: rows.length, data: Float32Array.from(rows.flat(), Math.log) }),
  inferLong: () => Promise.reject(new Error("short")),
  stages: () => {
    throw new Error("not streamed");
  },
  dispose: async () => {},
});
const second = new Float32Array(16_000);

test("a phone lasts from its first frame to its last, as sure as it is in the surest of them", async () => {
  const rows = [[0.9, 0.05, 0.05], [0.3, 0.6, 0.1], [0.1, 0.8, 0.1], [0.9, 0.05, 0.05], [0.2, 0.1, 0.7]]; // biome-ignore format: one line
  const { text, parts, labels, confidence, score, seconds, alternatives } = await createRecognizer(phones, sourceOf(rows), {}).transcribe(second); // biome-ignore format: one line
  expect({ text, labels, score, seconds, alternatives }).toEqual({ text: "A B", labels: ["A", "B"], score: null, seconds: 1, alternatives: [] }); // biome-ignore format: one line
  expect(parts.map((part) => [part.text, part.startSeconds, part.endSeconds])).toEqual([["A", 0.02, 0.06], ["B", 0.08, 0.1]]); // biome-ignore format: one line
  expect(parts.map((part) => part.confidence)).toEqual([expect.closeTo(0.8, 6), expect.closeTo(0.7, 6)]);
  expect(confidence).toBeCloseTo(0.75, 6);
});

test("a word is as sure as the geometric mean of its letters; the text has the sign between words among its labels", async () => {
  const sure = (symbol: number, p: number) => [0, 1, 2, 3, 4].map((one) => (one === symbol ? p : (1 - p) / 4));
  const rows = [sure(2, 0.9), sure(3, 0.8), sure(4, 0.7), sure(1, 0.9), sure(3, 0.5)];
  const { text, parts, labels } = await createRecognizer(letters, sourceOf(rows), {}).transcribe(second);
  expect([text, labels.join("")]).toEqual(["CAT A", "CAT|A"]);
  expect(parts.map(({ confidence }) => confidence)).toEqual([expect.closeTo(Math.cbrt(0.9 * 0.8 * 0.7), 6), expect.closeTo(0.5, 6)]); // biome-ignore format: one line
});

test("n best without a search asked for: different texts, best first, probabilities that enumeration gives", async () => {
  const rows = [[0.4, 0.35, 0.25], [0.5, 0.3, 0.2]]; // biome-ignore format: one line
  const found = await createRecognizer(phones, sourceOf(rows), {}).transcribe(second, { nbest: 4 });
  const all = [found, ...found.alternatives].map(({ text, score }) => [text, Math.exp(score!)] as const);
  const by = new Map<string, number>();
  for (const [i, p] of rows[0].entries())
    for (const [j, q] of rows[1].entries()) {
      const text = [i, j].filter((one, k) => one > 0 && !(k === 1 && i === j)).map((one) => phones.labels[one]).join(" "); // biome-ignore format: one line
      by.set(text, (by.get(text) ?? 0) + p * q);
    }
  const expected = [...by].sort((a, b) => b[1] - a[1]).slice(0, 4);
  expect(all.map(([text]) => text)).toEqual(expected.map(([text]) => text));
  for (const [i, [, p]] of all.entries()) expect(p).toBeCloseTo(expected[i][1], 6);
});

test("classes of slots: joint answers are products, in order", () => {
  const logits = Float64Array.of(Math.log(0.6), Math.log(0.4), Math.log(0.3), Math.log(0.7));
  const { label, probability, classes, slots } = classificationOf(commands, logits, 3);
  expect([label, probability]).toEqual(["on / heat", expect.closeTo(0.42, 9)]);
  expect(classes.map((one) => [one.label, Math.round(100 * one.probability)])).toEqual([["on / heat", 42], ["off / heat", 28], ["on / lamp", 18]]); // biome-ignore format: one line
  expect(slots.map(({ name, classes }) => [name, classes[0].label])).toEqual([["action", "on"], ["object", "heat"]]); // biome-ignore format: one line
});

test("symbols are aligned as the best of all placements is", () => {
  const places = (n: number, k: number, from = 0): number[][] =>
    k === 0 ? [[]] : Array.from({ length: Math.max(0, n - from) }, (_, i) => from + i).flatMap((first) => places(n, k - 1, first + 1).map((rest) => [first, ...rest])); // biome-ignore format: one line
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: -9, max: 0, noNaN: true }), { minLength: 18, maxLength: 18 }),
      fc.array(fc.nat(2), { minLength: 1, maxLength: 4 }),
      (emissions, symbols) => {
        const sums = places(6, symbols.length).map((frames) => frames.reduce((sum, frame, i) => sum + emissions[3 * frame + symbols[i]], 0)); // biome-ignore format: one line
        expect(alignSymbols(emissions, 3, symbols, { startFrame: 0, endFrame: 6 })).toBeCloseTo(Math.max(...sums), 9);
      },
    ),
  );
  expect(alignSymbols([0, 0], 1, [0, 0], { startFrame: 0, endFrame: 1 })).toBe(Number.NEGATIVE_INFINITY);
});

describe("recordings above a minute", () => {
  /** A file whose logits of a frame are the mean of the samples it begins with: context counts nowhere. */
  const file: OnnxFile = {
    ...{ device: "cpu", inputs: [], outputs: [], dispose: async () => {} },
    async run({ waveform }) {
      const wave = waveform.data as Float32Array;
      const frames = Math.floor((wave.length - 400) / 320) + 1;
      const data = Float32Array.from({ length: 3 * frames }, (_, i) => wave[320 * Math.floor(i / 3)] * (1 + (i % 3)));
      return { logits: { shape: [1, frames, 3], data } };
    },
  };

  const parts = { where: "made", bytes: async () => new Uint8Array(0), open: async () => file };

  test("windows give every frame once, in its place", async () => {
    const wave = Float32Array.from({ length: 75 * 16_000 + 123 }, (_, i) => Math.sin(i / 91));
    const source = fileSource(file, phones, parts);
    const long = await createRecognizer(phones, source, { window: 12, overlap: 3 }).logits(wave);
    const whole = await createRecognizer(phones, source, { window: "off" }).logits(wave);
    expect(long.frames).toBe(whole.frames);
    expect(long.data).toEqual(whole.data);
  });

  test("a recording that is shorter than was said, or too short for a frame, is an error", async () => {
    const recognizer = createRecognizer(phones, fileSource(file, phones, parts), {});
    const pieces = async function* () {
      yield new Float32Array(500);
    };
    await expect(recognizer.logits({ samples: 1000, pieces })).rejects.toThrow(
      "the header is wrong or the file changed",
    );
    await expect(recognizer.transcribe(new Float32Array(399))).rejects.toThrow("too short: 399 samples at 16 kHz, at least 400"); // biome-ignore format: one line
    await expect(recognizer.classify(second)).rejects.toThrow("transcribe, not classify");
    await expect(recognizer.transcribe(second, { nbest: 0 })).rejects.toThrow("nbest must be a whole number from 1 on");
    const nan = createRecognizer(phones, sourceOf([[Number.NaN, 1, 1]]), {});
    await expect(nan.transcribe(second)).rejects.toThrow("logits are not finite");
  });
});
