// Recognisers as streams, of a run and of the file that it is exported to: text and classes of real speech as they come.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadAudio, resample } from "../../src/audio/index.ts";
import { livePcm } from "../../src/audio/pcm/live.ts";
import { StillwaveError, UsageError } from "../../src/errors.ts";
import { Random } from "../../src/random.ts";
import { exportRecognizer } from "../../src/recognizer/node/export.ts";
import { type FileRecognizer, loadRecognizer } from "../../src/recognizer/node/load.ts";
import type { StreamOptions } from "../../src/streaming/speech-stream.ts";
import type { StreamUpdate } from "../../src/streaming/stream.types.ts";
import type { HeadConfig } from "../../src/superb/heads/config.ts";
import { initHead } from "../../src/superb/heads/parameters.ts";
import type { ObjectiveSpec } from "../../src/superb/objectives/spec.ts";
import { writeHead } from "../../src/superb/run/head-folder.ts";
import { openUpstream } from "../../src/upstream/open.ts";

const examples = fileURLToPath(new URL("../../examples/", import.meta.url));
const STUDENT = join(examples, "student-small-libri");
const SPEECH = join(examples, "speech/dev/121/121726/121-121726-0005.flac");
const PHONES = ["<pad>", "<eos>", "<unk>", "AA", "B", "IY", "K", "S"];
const COVERS_ALL = { chunk: 0.5, left: 20, right: 20 };

/** A run whose head has learnt nothing: its answers change from frame to frame. */
async function writeRun(
  folder: string,
  task: "pr" | "ks",
  config: HeadConfig,
  objective: ObjectiveSpec,
  gainDb?: number,
) {
  const upstream = await openUpstream(STUDENT, { states: "layers" });
  const { fingerprint, samplesPerFrame, layers, dim } = upstream;
  await upstream.dispose();
  const input = { layers: layers.length, dim };
  const parameters = initHead(config, input, 3);
  const random = new Random(4, "head");
  for (const { data } of parameters.values()) for (let i = 0; i < data.length; i++) data[i] += 0.3 * random.normal();
  const named = { spec: STUDENT, options: { states: "layers" }, fingerprint, samplesPerFrame, gainDb };
  await writeHead(join(folder, "head"), { format: 1, task, config, input, objective, upstream: named }, parameters);
}

async function streamed(recognizer: FileRecognizer, wave: Float32Array, options: StreamOptions, cut = 5000) {
  const updates: StreamUpdate[] = [];
  const stream = recognizer.stream(options);
  const pieces = Array.from({ length: Math.ceil(wave.length / cut) }, (_, i) => wave.subarray(i * cut, (i + 1) * cut));
  for await (const update of stream.read(pieces)) updates.push(update);
  return { updates, parts: updates.flatMap(({ parts }) => parts), stream };
}

let folder: string;
let wave: Float32Array;
let ofRun: FileRecognizer;
let ofFile: FileRecognizer;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "streaming-"));
  wave = await loadAudio(SPEECH);
  const head = { kind: "frames", projection: 24, outputs: PHONES.length, normalizeStates: false } as const;
  const symbols = { kind: "ctc", text: "phones", symbols: PHONES, special: ["<pad>", "<eos>"] } as const;
  await writeRun(join(folder, "run"), "pr", head, symbols);
  const { changed: _, ...exported } = await exportRecognizer(join(folder, "run"), {
    out: join(folder, "phones.onnx"),
    threads: 1,
    speech: [wave],
  });
  expect(exported.outputs).toEqual(["logits", "valid_frames"]);
  ofRun = await loadRecognizer(join(folder, "run"), { threads: 1 });
  ofFile = await loadRecognizer(join(folder, "phones.onnx"), { threads: 1 });
}, 60_000);
afterAll(async () => {
  await ofRun.dispose();
  await ofFile.dispose();
  await rm(folder, { recursive: true });
});

describe("phones", () => {
  test("with all of the recording in sight a stream reads what transcribe reads, of a run and of its file", async () => {
    const whole = await ofRun.transcribe(wave);
    expect(whole.parts.length).toBeGreaterThan(20);
    for (const recognizer of [ofRun, ofFile]) {
      const { parts, updates } = await streamed(recognizer, wave, COVERS_ALL);
      expect(parts.map(({ text }) => text)).toEqual(whole.parts.map(({ text }) => text));
      for (const [i, part] of parts.entries()) {
        expect(part.startSeconds).toBeCloseTo(whole.parts[i].startSeconds, 6);
        expect(part.confidence).toBeCloseTo(whole.parts[i].confidence, 3);
      }
      expect(updates.at(-1)).toMatchObject({ isLast: true, open: null });
    }
  });

  test("chunks come while it goes on, the same from a run and its file, and however the samples come", async () => {
    const settings = { chunk: 0.64, left: 1.28, right: 0.32 };
    const { updates, parts, stream } = await streamed(ofRun, wave, settings);
    // 154 frames of 20 ms: 4 chunks of 32, and 26 frames at the end
    expect(updates.map(({ decidedSeconds }) => Number(decidedSeconds.toFixed(2)))).toEqual([
      0.64, 1.28, 1.92, 2.56, 3.08, 3.08,
    ]);
    expect(updates[0].heardSeconds).toBeCloseTo(0.965, 6);
    expect(updates[1].parts.length).toBeGreaterThan(0);
    for (const [i, { startSeconds }] of parts.entries())
      if (i > 0) expect(startSeconds).toBeGreaterThanOrEqual(parts[i - 1].endSeconds - 1e-9);
    expect(stream.cost).toMatchObject({ chunks: 5, seconds: wave.length / 16_000 });
    expect(stream.cost.firstPartSeconds).toBeCloseTo(0.965, 6);
    expect(stream.facts).toMatchObject({ chunk: 0.64, left: 1.28, right: 0.32, timesComputed: 3.5 });
    expect(stream.facts.latencySeconds).toBeCloseTo(0.965, 9);
    const again = await streamed(ofRun, wave, settings, 640);
    expect(again.parts).toEqual(parts);
    const file = await streamed(ofFile, wave, settings, wave.length);
    expect(file.parts.map(({ text }) => text)).toEqual(parts.map(({ text }) => text));
  });

  test("samples at 48 kHz are those that a resampled recording has", async () => {
    const high = resample(wave.subarray(0, 40_000), 16_000, 48_000);
    const settings = { chunk: 0.64, left: 1.28, right: 0.32 };
    const expected = await streamed(ofRun, resample(high, 48_000, 16_000), settings);
    const { parts, stream } = await streamed(ofRun, high, { ...settings, sampleRate: 48_000 }, 480);
    expect(parts).toEqual(expected.parts);
    // what two blocks of the resampler hold comes on top
    expect(stream.facts.latencySeconds).toBeGreaterThan(0.965);
    expect(stream.facts.latencySeconds).toBeLessThan(1.3);
  });

  test("recordings of any length, and none, end well", async () => {
    for (const samples of [0, 1, 399, 400, 719, 720, 15_439, 15_440, 15_441]) {
      const { updates } = await streamed(ofRun, wave.slice(0, samples), {});
      const frames = samples < 400 ? 0 : Math.floor((samples - 400) / 320) + 1;
      expect(updates.at(-1)?.decidedSeconds).toBeCloseTo(frames * 0.02, 9);
      expect(updates.at(-1)?.isLast).toBe(true);
    }
  });

  test("calls that do not wait for each other follow one another", async () => {
    const stream = ofRun.stream();
    const calls = [0, 20_000, 40_000].map((at) => stream.push(wave.subarray(at, at + 20_000)));
    const updates = (await Promise.all([...calls, stream.end()])).flat();
    expect(updates.flatMap(({ parts }) => parts)).toEqual((await streamed(ofRun, wave.subarray(0, 60_000), {})).parts);
  });

  test("what cannot be is refused, and says what is wrong", async () => {
    for (const options of [
      { chunk: 0 },
      { left: -1 },
      { right: Number.NaN },
      { sampleRate: 0 },
      { sampleRate: 44_100.5 },
      { memory: 0 },
    ])
      expect(() => ofRun.stream(options)).toThrow(UsageError);
    const stream = ofRun.stream();
    await expect(stream.push([0, 1] as unknown as Float32Array)).rejects.toThrow(UsageError);
    await expect(stream.push(Float32Array.of(0, Number.NaN))).rejects.toThrow("sample 1 of the stream is NaN");
    await expect(stream.push(wave)).rejects.toThrow(StillwaveError);
    const ended = ofRun.stream();
    await ended.end();
    await expect(ended.end()).rejects.toThrow("ended already");
    await expect(ended.push(wave)).rejects.toThrow("start another one");
  });
});

test("classes are those of the last seconds; the gain of keyword spotting is before all else", async () => {
  const head = { kind: "utterance", projection: 24, outputs: 3, normalizeStates: false } as const;
  const slots = [{ name: "word", values: ["go", "stop", "_silence_"] }];
  await writeRun(join(folder, "words"), "ks", head, { kind: "classes", slots }, -3);
  await exportRecognizer(join(folder, "words"), { out: join(folder, "words.onnx"), threads: 1, speech: [wave] });
  for (const place of ["words", "words.onnx"]) {
    const recognizer = await loadRecognizer(join(folder, place), { threads: 1 });
    const { updates } = await streamed(recognizer, wave, COVERS_ALL);
    const whole = await recognizer.classify(wave, { top: 3 });
    const told = updates.filter(({ classes }) => classes.length > 0).at(-1)?.classes ?? [];
    expect(told.map(({ label }) => label)).toEqual(whole.classes.map(({ label }) => label));
    for (const [i, { probability }] of told.entries()) expect(probability).toBeCloseTo(whole.classes[i].probability, 3);
    await recognizer.dispose();
  }
}, 60_000);

describe("bytes that are still coming", () => {
  const raw = { encoding: "s16", isBigEndian: false, channels: 1, sampleRateHz: 8000 } as const;
  const cut = async function* (bytes: Uint8Array, size: number) {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  };
  /** 16-bit WAV of `values` per channel as programs write it to a pipe: its length is not known. */
  function wav(values: readonly number[], channels: number): Uint8Array {
    const bytes = new Uint8Array(44 + 2 * values.length);
    const view = new DataView(bytes.buffer);
    const text = (at: number, name: string) => bytes.set(new TextEncoder().encode(name), at);
    text(0, "RIFF");
    view.setUint32(4, 0xffffffff, true);
    text(8, "WAVEfmt ");
    view.setUint32(16, 16, true);
    view.setUint16(20, 1, true);
    view.setUint16(22, channels, true);
    view.setUint32(24, 44_100, true);
    view.setUint32(28, 88_200 * channels, true);
    view.setUint16(32, 2 * channels, true);
    view.setUint16(34, 16, true);
    text(36, "data");
    view.setUint32(40, 0xffffffff, true);
    for (const [i, value] of values.entries()) view.setInt16(44 + 2 * i, value, true);
    return bytes;
  }
  async function readAll(bytes: Uint8Array, size: number) {
    const { sampleRateHz, pieces } = await livePcm(cut(bytes, size), raw, "standard input");
    const samples: number[] = [];
    for await (const piece of pieces) samples.push(...piece);
    return { sampleRateHz, samples };
  }

  test("WAV of two channels and samples without a header are read in any pieces", async () => {
    for (const size of [1, 3, 44, 1000]) {
      const two = await readAll(wav([100, 300, -32_768, -32_768, 32_767, 0], 2), size);
      expect(two).toEqual({ sampleRateHz: 44_100, samples: [200 / 32_768, -1, 32_767 / 65_536] });
      const plain = await readAll(Uint8Array.of(0, 1, 255, 255, 7), size);
      expect(plain).toEqual({ sampleRateHz: 8000, samples: [256 / 32_768, -1 / 32_768] });
    }
    expect((await readAll(new Uint8Array(0), 10)).samples).toEqual([]);
  });

  test("any bytes give samples or an error that says so", async () => {
    const damage = fc.record({
      changes: fc.array(fc.tuple(fc.integer({ min: 0, max: 55 }), fc.integer({ min: 0, max: 255 })), { maxLength: 6 }),
      length: fc.integer({ min: 0, max: 56 }),
      size: fc.integer({ min: 1, max: 60 }),
    });
    await fc.assert(
      fc.asyncProperty(damage, async ({ changes, length, size }) => {
        const bytes = wav([1, 2, 3, 4, 5, 6], 1).slice(0, length);
        for (const [at, value] of changes) if (at < length) bytes[at] = value;
        await readAll(bytes, size).catch((error: unknown) => expect(error).toBeInstanceOf(StillwaveError));
      }),
    );
  });
});
